/** S55, S75: a data directory that others can change is none to keep keys in. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { checkStaticPodPath, openDataDirectory } from '../../../agent/data-directory.js';

describe('the data directory', () => {
  let base = '';
  let path = '';
  const warnings: string[] = [];
  const uid = process.getuid?.() ?? 0;
  const member = () => openDataDirectory(path, { uid, tolerated: null });
  const alone = () =>
    openDataDirectory(path, { uid, tolerated: { warn: text => void warnings.push(text) } });

  beforeEach(() => {
    warnings.length = 0;
    base = realpathSync(mkdtempSync(join(tmpdir(), 'fl-data-')));
    path = join(base, 'data');
  });
  afterEach(() => rmSync(base, { recursive: true }));

  test('is made for its owner alone; a sticky parent is no danger', () => {
    assert.equal(member(), path);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    chmodSync(base, 0o1777);
    assert.equal(member(), path);
    assert.equal(alone(), path);
    assert.deepEqual(warnings, []);
  });

  const rows: [string, () => void, RegExp][] = [
    ['others may write to it', () => chmodSync(path, 0o777), /data: others may write.*chmod go-w/],
    ['a group may write to it', () => chmodSync(path, 0o770), /data: others may write/],
    ['others may rename it', () => chmodSync(base, 0o777), /others may write to it/],
    ['somebody else has it', () => chownSync(path, 12345, 0), /data: it belongs to another user/],
    [
      'somebody else may point it elsewhere',
      () => {
        const hands = join(base, 'hands');
        mkdirSync(hands);
        symlinkSync(path, join(hands, 'link'));
        chownSync(hands, 12345, 0);
        path = join(hands, 'link');
      },
      /hands: it belongs to another user/,
    ],
  ];
  for (const [sentence, make, message] of rows) {
    test(`${sentence}: nor is it taken for a static pod directory`, t => {
      if (uid !== 0) return t.skip('only root gives directories away');
      mkdirSync(path, { mode: 0o755 });
      make();
      const log = {
        warn: (text: string, fields: object = {}) =>
          void warnings.push(`${text} ${JSON.stringify(fields)}`),
      };
      for (const isMember of [true, false]) {
        assert.equal(checkStaticPodPath(path, { uid, isMember, log }), false);
      }
      const [member = '', alone = ''] = warnings;
      for (const warning of [member, alone]) assert.match(warning, message);
      assert.match(member, /; what was accepted before runs, and nothing is taken from it until/);
      assert.match(alone, /, and could have anything run as root /);
    });
  }

  test('a static pod directory that is missing is looked for later', () => {
    const log = { warn: (text: string) => assert.fail(text) };
    assert.ok(checkStaticPodPath(join(base, 'none'), { uid, isMember: true, log }));
  });

  for (const [sentence, make, message] of rows) {
    test(`${sentence}: a member is refused, a stand-alone agent is told`, t => {
      if (uid !== 0) return t.skip('only root gives directories away');
      mkdirSync(path, { mode: 0o700 });
      make();
      assert.throws(member, message);
      assert.deepEqual(readdirSync(path), []);
      alone();
      assert.match(
        warnings.join(),
        message.source.includes('chmod') ? /others may write/ : message,
      );
    });
  }

  test('its pods are no link: what is mounted below would lie elsewhere', () => {
    mkdirSync(path, { mode: 0o700 });
    symlinkSync(base, join(path, 'pods'));
    assert.throws(alone, /data\/pods is a symbolic link.*mount that disk there/);
  });

  test('one that no file system can hold is refused, and at once', () => {
    // A program of its own: it would hold up this one for ever.
    const module = new URL('../../../agent/data-directory.js', import.meta.url).href;
    const script = `import('${module}').then(m => m.openDataDirectory('/proc/x', { uid: 0, tolerated: null }))`;
    const { status, stderr } = spawnSync(process.execPath, ['-e', script], {
      ...{ timeout: 60_000, killSignal: 'SIGKILL', encoding: 'utf8' },
    });
    assert.equal(status, 1);
    assert.match(stderr, /the data directory cannot be made: .*\/proc\/x/);
  });
});
