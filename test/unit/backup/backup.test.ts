/** `hub backup`: what is in one, what is refused and leaves nothing behind. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, test } from 'node:test';
import { loadHub } from '../../../hub/setup/load.js';
import { readableBy } from '../../../hub/secrets/readable.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import {
  clock,
  HUB,
  directory,
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
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    await backup({ out: at('sealed'), protection: { kind: 'recipients', recipients } });
    chmodSync(at('sealed'), 0o644);
    const opening = { identities: [identity] };
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
