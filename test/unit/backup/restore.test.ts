/** `hub restore`: what comes out of a backup, and what damaged one is refused and leaves nothing behind. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, test } from 'node:test';
import type { NodeObject } from '../../../hub/objects.js';
import { loadHub } from '../../../hub/setup/load.js';
import { SetupError } from '../../../hub/setup/setup-error.js';
import {
  dataDir,
  file,
  at,
  backup,
  restore,
  withCode,
  inStore,
  backupWorld,
} from '../../support/backup-world.js';

backupWorld();

describe('a restore', () => {
  test('makes another store: new id, open tokens void, members unheard and shown as unknown', async () => {
    const former = await inStore(dataDir, store => store.id());
    await backup();
    const made = await restore();
    assert.deepEqual(made.nodes, ['edge-1']);
    assert.equal(made.voidTokens, 1);
    await inStore(at('restored'), async store => {
      assert.notEqual(await store.id(), former);
      assert.equal(await store.get('Token', '', 'abc'), null);
      assert.deepEqual(await store.unheard(), ['edge-1']);
      assert.equal((await store.recovery())?.learning, true);
      const { status } = (await store.get('Node', '', 'edge-1')) as NodeObject;
      const shown = (status.conditions ?? []).map(({ type, status: is }) => `${type}=${is}`);
      assert.deepEqual(shown, ['Ready=Unknown', 'Enrolled=True', 'Restoring=True']);
    });
  });

  test('goes into an empty directory only', async () => {
    await backup();
    await assert.rejects(restore({ dataDir }), withCode('AlreadyInitialised', /holds a hub/));
    mkdirSync(at('other'));
    writeFileSync(at('other/notes.txt'), 'mine');
    await assert.rejects(restore({ dataDir: at('other') }), withCode('NotEmpty', /not empty/));
    assert.deepEqual(readdirSync(at('other')), ['notes.txt']);
    mkdirSync(at('empty'));
    await restore({ dataDir: at('empty') });
  });

  test('begins anew after one that was cut off', async () => {
    await backup();
    mkdirSync(at('restored/.restoring/keys'), { recursive: true });
    mkdirSync(at('restored/keys'));
    writeFileSync(at('restored/keys/hub.key'), 'half');
    await restore();
    assert.ok(!existsSync(at('restored/.restoring')));
    loadHub(at('restored'));
  });

  const damages: readonly [string, (bytes: Buffer) => Buffer, RegExp][] = [
    ['is cut short', bytes => bytes.subarray(0, bytes.length - 200), /damaged/],
    ['is no backup', () => Buffer.from('hello'), /no backup of a hub/],
    ['is empty', () => Buffer.alloc(0), /no backup|lacks/],
    ['is another archive', () => gzipSync(Buffer.alloc(1024)), /lacks backup.json/],
    [
      'holds an altered file',
      bytes =>
        gzipSync(
          Buffer.from(
            gunzipSync(bytes).toString('latin1').replace('listen: ', 'LISTEN: '),
            'latin1',
          ),
        ),
      /hub.yaml was altered/,
    ],
    [
      'names a file outside',
      bytes =>
        gzipSync(
          Buffer.from(
            gunzipSync(bytes).toString('latin1').replaceAll('pki/ca.crt', '../../x.cr'),
            'latin1',
          ),
        ),
      /backup.json lacks something|no backup/,
    ],
    [
      'has a later format',
      bytes =>
        gzipSync(
          Buffer.from(
            gunzipSync(bytes).toString('latin1').replace('"format": 1', '"format": 9'),
            'latin1',
          ),
        ),
      /backup format 9/,
    ],
  ];
  for (const [what, damage, text] of damages) {
    test(`refuses a file that ${what}, and leaves nothing behind`, async () => {
      await backup();
      const damaged = at('damaged');
      copyFileSync(file, damaged);
      writeFileSync(damaged, damage(readFileSync(file)));
      await assert.rejects(restore({ file: damaged }), (error: unknown) => {
        assert.ok(error instanceof SetupError, String(error));
        assert.match(error.message, text);
        return true;
      });
      assert.ok(!existsSync(at('restored')));
      assert.ok(!existsSync(at('x.cr')));
    });
  }
});
