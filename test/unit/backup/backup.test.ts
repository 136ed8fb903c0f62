/** `hub backup` and `hub restore`: what is in a backup, what comes out of it, what is refused and leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { makeBackup, type BackupOptions } from '../../../hub/backup/backup.js';
import { restoreBackup, type RestoreOptions } from '../../../hub/backup/restore.js';
import { scheduledBackup } from '../../../hub/backup/scheduled.js';
import { formatHubConfig, parseHubConfig } from '../../../hub/setup/config.js';
import type { NodeObject } from '../../../hub/objects.js';
import { initHub } from '../../../hub/setup/init.js';
import { loadHub } from '../../../hub/setup/load.js';
import { SetupError, type SetupErrorCode } from '../../../hub/setup/setup-error.js';
import { readableBy } from '../../../hub/secrets/readable.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { IdentityRecord, Mutation, Store } from '../../../hub/store/store.js';
import { MovableClock, QUIET_HOST } from '../../support/hub-fixture.js';
import { enrolled, memberRecord } from '../../support/member.js';

const clock = new MovableClock();
const HUB = { kind: 'hub', name: 'test' } as const;
let directory: string;
let dataDir: string;
let file: string;

const at = (...parts: string[]) => join(directory, ...parts);
const backup = (more: Partial<BackupOptions> = {}) =>
  makeBackup({ dataDir, out: file, kind: 'full', protection: { kind: 'none' }, clock, ...more });
const restore = (more: Partial<RestoreOptions> = {}) =>
  restoreBackup({ file, dataDir: at('restored'), opening: {}, clock, ...more });

function withCode(code: SetupErrorCode, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SetupError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

async function inStore<T>(folder: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ path: join(folder, 'hub.db'), clock, create: false });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function member(node: string, state: IdentityRecord['state'] = 'active'): Mutation[] {
  const keys = { tlsKey: 'tls', sealingKey: 'seal', certificate: 'PEM' };
  return enrolled(memberRecord(node, { ...keys, state, labels: { site: 'harbour' } }));
}

/** What a stolen device could open of a Secret that was deleted since. */
const trace: Mutation = {
  type: 'put',
  expect: 'absent',
  object: {
    kind: 'SecretTrace',
    metadata: { namespace: 'default', name: 'shop.db.edge-2.0' },
    spec: {
      ...{ bundle: 'shop', secret: 'db', node: 'edge-2', device: '2026-01-01T00:00:00.000Z' },
      versions: [{ from: 1, to: 3 }],
    },
    status: null,
  },
};

const openToken: Mutation = {
  type: 'put',
  expect: 'absent',
  object: {
    kind: 'Token',
    metadata: { namespace: '', name: 'abc' },
    spec: { secretHash: 'ff', labels: {}, expiresAt: '2099-01-01T00:00:00Z' },
    status: { usedBy: [] },
  },
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-backup-'));
  dataDir = at('hub');
  file = at('hub.flotilla-backup');
  await initHub({ dataDir, host: QUIET_HOST, clock, random: randomBytes });
  await inStore(dataDir, store =>
    store.commit(HUB, [
      ...member('edge-1'),
      ...member('edge-2', 'revoked'),
      openToken,
      trace,
      { type: 'blob', record: { digest: 'd', content: Buffer.from('content of a blob') } },
    ]),
  );
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('a backup', () => {
  test('is one file of mode 0600 that becomes the same hub: keys, root, settings, store', async () => {
    const made = await backup();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(made.readBack);
    await restore();
    const [before, after] = [loadHub(dataDir), loadHub(at('restored'))];
    assert.equal(after.hubSigner.publicKey, before.hubSigner.publicKey);
    assert.equal(after.root.digest, before.root.digest);
    assert.equal(
      readFileSync(at('restored/admin.kubeconfig'), 'utf8'),
      readFileSync(at('hub/admin.kubeconfig'), 'utf8'),
    );
    for (const name of readdirSync(at('restored/keys')))
      assert.equal(statSync(at('restored/keys', name)).mode & 0o777, 0o600);
    const blob = await inStore(at('restored'), store => store.blob('d'));
    assert.equal(Buffer.from(blob?.content ?? []).toString(), 'content of a blob');
    const readable = await inStore(at('restored'), store => readableBy(store, 'edge-2'));
    assert.deepEqual(
      readable.map(({ secret, versions, device }) => [secret, versions, device]),
      [['db', [{ from: 1, to: 3 }], 'revoked']],
    );
  });

  test('is consistent while the hub runs and commits', async () => {
    const store = await openSqliteStore({ path: join(dataDir, 'hub.db'), clock, create: false });
    let stop = false;
    let committed = 0;
    const busy = (async () => {
      while (!stop) {
        const content = randomBytes(20_000);
        const [a, b] = [`${committed}-a`, `${committed}-b`];
        await store.commit(HUB, [
          { type: 'blob', record: { digest: a, content } },
          { type: 'blob', record: { digest: b, content } },
        ]);
        committed++;
        await new Promise(resolve => setImmediate(resolve));
      }
    })();
    await backup();
    stop = true;
    await busy;
    await store.close();
    assert.ok(committed > 0);
    await restore();
    await inStore(at('restored'), async restored => {
      for (let n = 0; n < committed; n++) {
        const [a, b] = await Promise.all([restored.blob(`${n}-a`), restored.blob(`${n}-b`)]);
        assert.equal(a === null, b === null, `transaction ${n} is there whole or not at all`);
      }
    });
  });

  test('of the keys alone knows the members and the roots, and nothing else of the store', async () => {
    await backup({ kind: 'keys' });
    await restore();
    await inStore(at('restored'), async store => {
      assert.deepEqual(
        (await store.identities()).map(({ node, state }) => `${node} ${state}`),
        ['edge-1 active', 'edge-2 revoked'],
      );
      assert.equal((await store.get('Node', '', 'edge-1'))?.metadata.labels['site'], 'harbour');
      assert.equal((await store.root())?.version, 1);
      assert.equal(await store.blob('d'), null);
      assert.ok(
        (await store.publications(0, 10)).every(({ topic }) => /\/root(\/1)?$/.test(topic)),
      );
    });
    assert.ok(!gunzipSync(readFileSync(file)).includes('content of a blob'));
  });

  test('that was encrypted opens with its passphrase or key alone, and shows nothing before', async () => {
    await backup({ protection: { kind: 'passphrase', passphrase: 'correct horse' } });
    assert.ok(readFileSync(file, 'utf8').startsWith('-----BEGIN AGE ENCRYPTED FILE-----\n'));
    await assert.rejects(restore(), withCode('WrongPassphrase', /--passphrase-file/));
    await assert.rejects(
      restore({ opening: { passphrase: 'wrong' } }),
      withCode('WrongPassphrase', /wrong passphrase/),
    );
    await restore({ opening: { passphrase: 'correct horse' } });
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const other = at('b.age');
    const made = await backup({
      out: other,
      protection: { kind: 'recipients', recipients: [recipient] },
    });
    assert.equal(made.readBack, false);
    const identities = [await generateX25519Identity()];
    const options = { file: other, dataDir: at('second') };
    await assert.rejects(
      restore({ ...options, opening: { identities } }),
      withCode('WrongPassphrase', /not encrypted for this key/),
    );
    await restore({ ...options, opening: { identities: [identity] } });
  });

  test('is not made of a hub, or into a place, where others could put something in its stead', async () => {
    chmodSync(dataDir, 0o770);
    await assert.rejects(backup(), withCode('Unsafe', /run: chmod go-w \S+\/hub$/));
    chmodSync(dataDir, 0o700);
    const place = at('place');
    mkdirSync(join(place, 'below'), { recursive: true });
    chmodSync(place, 0o777);
    for (const out of [join(place, 'b'), join(place, 'below', 'b')]) {
      await assert.rejects(
        backup({ out }),
        withCode('Unsafe', /place: everybody may write to it.* the backup; run: chmod o-w /),
      );
      assert.equal(existsSync(out), false);
    }
    assert.deepEqual(readdirSync(place), ['below'], 'nothing is left there');
    chmodSync(place, 0o1777);
    await backup({ out: join(place, 'b') });
    assert.equal(statSync(join(place, 'b')).mode & 0o777, 0o600);
    chownSync(place, 12345, 12345);
    chmodSync(place, 0o755);
    await backup({ out: join(place, 'home of another user') });
  });

  test('that others may read is restored with that said, unless it is encrypted', async () => {
    await backup();
    assert.equal((await restore()).exposed, false);
    chmodSync(file, 0o644);
    assert.equal((await restore({ dataDir: at('second') })).exposed, true);
    const sealed = { out: at('sealed'), protection: { kind: 'passphrase', passphrase: 'p q r s' } };
    await backup(sealed as Partial<BackupOptions>);
    chmodSync(at('sealed'), 0o644);
    const opening = { passphrase: 'p q r s' };
    const third = await restore({ file: at('sealed'), dataDir: at('third'), opening });
    assert.equal(third.exposed, false);
  });

  test('is never overwritten, and needs a hub, a folder and a recipient that is one', async () => {
    await backup();
    await assert.rejects(backup(), withCode('Exists', /never overwritten/));
    await assert.rejects(backup({ out: at('nowhere/b') }), withCode('Missing', /does not exist/));
    await assert.rejects(
      backup({ dataDir: at('x'), out: at('b') }),
      withCode('NotInitialised', /holds no hub/),
    );
    const protection = { kind: 'recipients', recipients: ['age1nonsense'] } as const;
    await assert.rejects(
      backup({ out: at('b'), protection }),
      withCode('BadSetting', /--recipient age1nonsense/),
    );
    assert.deepEqual(readdirSync(directory).sort(), ['hub', 'hub.flotilla-backup']);
  });
});

describe('scheduled backups', () => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const setting = { schedule: '0 3 * * *', directory: '', keep: 2, recipients: [] };

  test('are named by their time; the newest stay, and what others put there is left alone', async () => {
    const folder = at('backups');
    mkdirSync(folder);
    writeFileSync(join(folder, 'hub-notes.txt'), 'mine');
    const parts = { dataDir, setting: { ...setting, directory: folder }, clock, log };
    const made: (string | null)[] = [];
    for (let day = 0; day < 4; day++) {
      made.push(await scheduledBackup(parts));
      clock.forward(86_400_000);
    }
    const names = made.map(path => path?.slice(folder.length + 1) ?? 'failed');
    assert.match(names[0] ?? '', /^hub-\d{8}T\d{6}Z\.flotilla-backup$/);
    assert.deepEqual(readdirSync(folder).sort(), [...names.slice(2), 'hub-notes.txt'].sort());
    await restore({ file: made[3] ?? '' });
  });

  test('that fail are said, and leave nothing behind', async () => {
    const said: string[] = [];
    const loud = {
      ...log,
      error: (text: string, fields?: object) => void said.push(`${text} ${JSON.stringify(fields)}`),
    };
    const directory = at('nowhere');
    assert.equal(
      await scheduledBackup({ dataDir, setting: { ...setting, directory }, clock, log: loud }),
      null,
    );
    assert.match(said.join(), /scheduled backup failed.*nowhere does not exist/);
  });

  const settings: readonly [string, RegExp | null][] = [
    ['schedule: "0 3 * * *"\n  directory: /b\n  keep: 7', null],
    [
      'schedule: "0 3 * *"\n  directory: /b\n  keep: 7',
      /hub.yaml:2: backup.schedule is no schedule/,
    ],
    ['schedule: "0 99 * * *"\n  directory: /b\n  keep: 7', /backup.schedule is no schedule/],
    ['schedule: "0 3 * * *"\n  directory: b\n  keep: 7', /backup.directory is no absolute path/],
    [
      'schedule: "0 3 * * *"\n  directory: /b\n  keep: 0',
      /backup.keep must be a whole number from 1/,
    ],
    [
      'schedule: "0 3 * * *"\n  directory: /b\n  keep: 7\n  often: yes',
      /backup.often is not a field/,
    ],
    [
      'schedule: "0 3 * * *"\n  directory: /b\n  keep: 7\n  recipients: [me]',
      /recipients.0 is no public key/,
    ],
  ];
  for (const [yaml, fault] of settings) {
    test(`in hub.yaml: ${yaml.replaceAll('\n ', ',')}`, () => {
      const rest = readFileSync(join(dataDir, 'hub.yaml'), 'utf8').split('\n').slice(1).join('\n');
      const parse = () => parseHubConfig(`backup:\n  ${yaml}\n${rest}`, 'hub.yaml');
      if (fault) assert.throws(parse, withCode('BadSetting', fault));
      else assert.deepEqual(parseHubConfig(formatHubConfig(parse()), 'hub.yaml'), parse());
    });
  }
});

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

describe('a disk that refuses', () => {
  const small = (size: string, options = ''): string | null => {
    const place = at('small');
    mkdirSync(place, { recursive: true });
    const mount = ['-t', 'tmpfs', '-o', `size=${size}${options}`, 'tmpfs', place];
    return spawnSync('mount', mount).status === 0 ? place : null;
  };
  afterEach(() => {
    spawnSync('umount', [join(directory, 'small')]);
  });

  test('is named where a backup is written, and nothing is left there', async t => {
    const place = small('24k');
    if (place === null) return t.skip('not permitted to mount here');
    await assert.rejects(
      backup({ out: join(place, 'b') }),
      /small\/\.backup-.*full|small.*no space/,
    );
    assert.deepEqual(readdirSync(place), []);
    spawnSync('mount', ['-o', 'remount,ro', place]);
    await assert.rejects(
      backup({ out: join(place, 'b') }),
      withCode('Disk', /cannot write \S+\/small: that file system is read-only/),
    );
  });

  test('is no damaged backup: a restore says that it is full, and leaves nothing there', async t => {
    await backup();
    const place = small('64k');
    if (place === null) return t.skip('not permitted to mount here');
    const into = { dataDir: join(place, 'hub') };
    await assert.rejects(
      restore(into),
      withCode('Disk', /cannot write \S+small\S*: no space is left/),
    );
    assert.deepEqual(readdirSync(place), []);
    spawnSync('mount', ['-o', 'remount,ro', place]);
    await assert.rejects(restore(into), withCode('Disk', /cannot write \S+small/));
  });

  test('or a file that is not there is named before the directory is touched', async () => {
    const missing = { file: at('nowhere') };
    await assert.rejects(
      restore(missing),
      withCode('Disk', /cannot read \S+nowhere: there is no such/),
    );
    await assert.rejects(restore({ file: directory }), withCode('Disk', /it is a directory/));
    assert.ok(!existsSync(at('restored')));
  });
});
