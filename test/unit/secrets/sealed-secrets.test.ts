/** Sealed Secrets on the node: what is kept, what pods see, when it is opened, and that nothing stays open. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { KeyObject } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { podKeyrings } from '../../../agent/images/credentials.js';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { objectsFor } from '../../../agent/pods/config-objects.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import { wipe } from '../../../agent/secrets/opened-bytes.js';
import { SealedSecrets } from '../../../agent/secrets/sealed-secrets.js';
import { secretGate } from '../../../agent/secrets/secret-gates.js';
import { writeAtomically } from '../../../agent/volumes/atomic-writer.js';
import { filesDigest, volumeFiles } from '../../../agent/volumes/content.js';
import type { AssignedSecret } from '../../../protocol/documents/assignment.js';
import { packed } from '../../../protocol/envelope.js';
import { authsFor } from '../../../protocol/registry-credentials.js';
import { assignmentDocument, NODE_NAME, rootDocument, trustedRoot } from '../../support/fleet.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { sealedSecret, SEALING, sealingKey } from '../../support/sealed.js';

const dir = mkdtempSync(join(tmpdir(), 'fl-sealed-'));
const opened: Journal[] = [];
after(() => {
  for (const journal of opened) journal.close();
  rmSync(dir, { recursive: true });
});
let count = 0;

function world(keys: readonly KeyObject[] = [SEALING.key]) {
  const dataDir = mkdtempSync(join(dir, `${count++}-`));
  const journal = openJournal({ dataDir, clock: REAL_CLOCK, randomId: () => '1'.repeat(32) });
  opened.push(journal);
  const listed: AssignedSecret[] = [];
  const logged: string[] = [];
  const say = (message: string, fields = {}) => void logged.push(message + JSON.stringify(fields));
  const state = { keys, epoch: 1 };
  const sealed = new SealedSecrets({
    node: NODE_NAME,
    store: journal.secrets(),
    sealingKeys: () => state.keys,
    assignment: () => assignmentDocument({ secrets: listed, epoch: state.epoch }),
    log: { info: say, warn: say, error: say },
  });
  const list = (...secrets: AssignedSecret[]) => {
    listed.splice(0, listed.length, ...secrets);
    return sealed.assigned();
  };
  return { dataDir, sealed, list, state, logged };
}

const root = trustedRoot();
const SHOP = { namespace: 'default', name: 'shop' };
const NAMED = { kind: 'Secret', namespace: 'default', name: 'db' } as const;

function textOf(sealed: SealedSecrets, key: string): string | undefined {
  const bytes = objectsFor(sealed.objects(), SHOP).find(NAMED)?.data.get(key);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

describe('sealed secrets of a node', () => {
  test('one that is listed and came is seen by the pods of its bundle alone', async () => {
    const { sealed, list } = world();
    const { assigned, envelope } = await sealedSecret();
    list(assigned);
    assert.deepEqual(sealed.lacking(), [assigned]);
    assert.equal(sealed.has(SHOP, 'db'), false);
    assert.ok(sealed.receive(envelope, assigned, root).ok);
    assert.deepEqual(sealed.lacking(), []);
    assert.equal(sealed.has(SHOP, 'db'), true);
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    assert.equal(textOf(sealed, 'other'), undefined);
    for (const bundle of [null, { ...SHOP, name: 'other' }, { ...SHOP, namespace: 'other' }]) {
      assert.equal(objectsFor(sealed.objects(), bundle).find(NAMED), null);
    }
  });

  test('one that came packed is kept as JSON', async () => {
    const { sealed, list } = world();
    const { assigned, envelope } = await sealedSecret();
    list(assigned);
    assert.ok(sealed.receive(packed('secret', envelope), assigned, root).ok);
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    const kept = opened.at(-1)?.secrets().all() ?? [];
    assert.deepEqual(
      kept.map(one => Buffer.from(one.envelope).toString()),
      [envelope.toString()],
    );
  });

  test('what is not listed any more is not opened, and an older version is known as such', async () => {
    const { sealed, list } = world();
    const { assigned, envelope } = await sealedSecret({ context: { version: 4 } });
    list(assigned);
    sealed.receive(envelope, assigned, root);
    list();
    assert.deepEqual(sealed.objects(), []);
    assert.deepEqual(list(assigned), []);
    assert.deepEqual(sealed.lacking(), [assigned], 'the envelope went');
    const older = await sealedSecret({ context: { version: 3 } });
    assert.deepEqual(
      list(older.assigned).map(({ code, detail }) => `${code}: ${detail}`),
      ['Rollback: secret default/shop/db: version 3 after 4'],
    );
    assert.deepEqual([sealed.lacking(), sealed.objects()], [[], []]);
    const late = sealed.receive(older.envelope, older.assigned, root);
    assert.equal(!late.ok && late.refusal.code, 'Rollback');
  });

  test('what a start would find of one is read anew each time, and changes nothing of what is in use', async () => {
    const { sealed, list, state, logged } = world();
    const { assigned, envelope } = await sealedSecret();
    assert.equal(sealed.startFault(SHOP, 'db'), 'is not kept here');
    list(assigned);
    assert.equal(sealed.startFault(SHOP, 'db'), 'is not kept here');
    sealed.receive(envelope, assigned, root);
    assert.equal(sealed.startFault(SHOP, 'db'), null);
    assert.equal(sealed.startFault({ ...SHOP, name: 'other' }, 'db'), 'is not kept here');
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    const [said, { keys }] = [logged.length, state];
    state.keys = [sealingKey('another').key];
    assert.equal(sealed.startFault(SHOP, 'db'), 'does not open with the keys on the disk');
    assert.equal(sealed.has(SHOP, 'db'), true);
    assert.equal(logged.length, said);
    state.keys = keys;
    assert.equal(sealed.startFault(SHOP, 'db'), null);
  });

  test('S88 where an older version is listed the newer one stays in use; S17 a new epoch begins anew', async () => {
    const { sealed, list, state } = world();
    const { assigned, envelope } = await sealedSecret({ context: { version: 4 } });
    list(assigned);
    sealed.receive(envelope, assigned, root);
    const older = await sealedSecret({ data: { password: 'old' }, context: { version: 3 } });
    assert.equal(list(older.assigned)[0]?.code, 'Rollback');
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    state.epoch = 2;
    assert.deepEqual(list(older.assigned), []);
    const recovered = trustedRoot(rootDocument({ epoch: 2 }));
    assert.ok(sealed.receive(older.envelope, older.assigned, recovered).ok);
    assert.equal(textOf(sealed, 'password'), 'old');
  });

  test('until a new version came the former one is used; after it the new one', async () => {
    const { sealed, list } = world();
    const first = await sealedSecret();
    list(first.assigned);
    sealed.receive(first.envelope, first.assigned, root);
    const next = await sealedSecret({ context: { version: 2 }, data: { password: 'hunter3' } });
    list(next.assigned);
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    const spoilt = Buffer.from(next.envelope);
    spoilt[200] = (spoilt[200] ?? 0) ^ 1;
    assert.equal(sealed.receive(spoilt, next.assigned, root).ok, false);
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    sealed.receive(next.envelope, next.assigned, root);
    assert.equal(textOf(sealed, 'password'), 'hunter3');
  });

  test('S92 after a rotation the former key opens what is sealed for it; without it, it is told', async () => {
    const { sealed, list, state, logged } = world();
    const { assigned, envelope } = await sealedSecret();
    list(assigned);
    sealed.receive(envelope, assigned, root);
    const fresh = sealingKey('rotated');
    state.keys = [fresh.key, SEALING.key];
    sealed.keysChanged();
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    assert.deepEqual(sealed.unopened(), []);
    state.keys = [fresh.key];
    sealed.keysChanged();
    assert.equal(sealed.has(SHOP, 'db'), false);
    assert.deepEqual(sealed.unopened(), [assigned.digest]);
    assert.match(logged.join(), /cannot be opened.*seal it again/);
    const [condition] = sealed.conditions();
    assert.equal(condition?.reason, 'SecretNotSealed');
    assert.match(condition?.message ?? '', /^1 cannot be opened .*: default\/shop\/db;/);
    const again = await sealedSecret({ to: fresh });
    list(again.assigned);
    sealed.receive(again.envelope, again.assigned, root);
    assert.equal(textOf(sealed, 'password'), 'hunter2');
    assert.deepEqual(sealed.unopened(), []);
    assert.deepEqual(sealed.conditions(), []);
  });

  test('the value lies in no file of the journal, and what was read can be overwritten', async () => {
    const { sealed, list, dataDir, logged } = world();
    const { assigned, envelope } = await sealedSecret();
    list(assigned);
    sealed.receive(envelope, assigned, root);
    const [object] = sealed.objects();
    const bytes = object?.data.get('password');
    assert.equal(String(Buffer.from(bytes ?? [])), 'hunter2');
    wipe(bytes ?? new Uint8Array());
    assert.deepEqual([...(bytes ?? [])], new Array(7).fill(0));
    for (const file of readdirSync(dataDir)) {
      assert.equal(readFileSync(join(dataDir, file)).includes('hunter2'), false, file);
    }
    assert.doesNotMatch(logged.join() + JSON.stringify(object), /hunter2/);
  });

  test('files of a volume: written from the envelope, compared without opening it', async () => {
    const { sealed, list, dataDir } = world();
    const { assigned, envelope } = await sealedSecret({ data: { a: 'one', b: 'two' } });
    list(assigned);
    sealed.receive(envelope, assigned, root);
    const facts = {
      pod: { metadata: { name: 'web', namespace: 'default' }, spec: { containers: [] } },
      objects: objectsFor(sealed.objects(), SHOP),
      node: { cpus: 1, memoryBytes: 1 },
    } as unknown as Parameters<typeof volumeFiles>[1];
    const volume = { name: 'v', secret: { secretName: 'db', defaultMode: 0o400 } };
    const files = volumeFiles(volume, facts);
    const digest = filesDigest(files);
    assert.equal(filesDigest(volumeFiles(volume, facts)), digest);
    assert.equal(await writeAtomically(dataDir, files, { now: 0 }), true);
    assert.equal(readFileSync(join(dataDir, 'a'), 'utf8'), 'one');
    assert.equal(await writeAtomically(dataDir, files, { now: 0 }), false);
    const same = await sealedSecret({ data: { a: 'one', b: 'two' }, context: { version: 2 } });
    list(same.assigned);
    sealed.receive(same.envelope, same.assigned, root);
    const later = volumeFiles(volume, { ...facts, objects: objectsFor(sealed.objects(), SHOP) });
    assert.notEqual(filesDigest(later), digest, 'another version is looked at');
    assert.equal(await writeAtomically(dataDir, later, { now: 0 }), false, 'and holds the same');
  });
});

test('pull secrets are read from the envelope', async () => {
  const { sealed, list } = world();
  const auths = { 'registry.test': { username: 'u', password: 'hunter2' } };
  const { assigned, envelope } = await sealedSecret({
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': JSON.stringify({ auths }) },
  });
  list(assigned);
  sealed.receive(envelope, assigned, root);
  const { keyrings, missing, errors } = podKeyrings(
    ['db', 'other'],
    'default',
    objectsFor(sealed.objects(), SHOP),
  );
  assert.deepEqual(authsFor('registry.test/web:1', keyrings), [
    { username: 'u', password: 'hunter2', serverAddress: 'registry.test' },
  ]);
  assert.deepEqual([missing, errors], [['other'], []]);
});

describe('the gate of sealed secrets', () => {
  const pod = (spec: object, sealed = true) =>
    ({
      pod: { metadata: { name: 'web', namespace: 'default' }, spec },
      objects: {
        find: ({ kind }: { kind: string }) =>
          kind === 'Secret' ? { ...(sealed ? { sealed: { digest: 'd' } } : {}) } : null,
      },
    }) as unknown as DesiredPod;
  const main = { name: 'main', volumeMounts: [{ name: 'v', mountPath: '/v' }] };
  const asVolume = { containers: [main], volumes: [{ name: 'v', secret: { secretName: 'db' } }] };
  const asEnv = {
    containers: [
      { name: 'main', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'db', key: 'a' } } }] },
    ],
  };
  const rows: Record<string, [object, object, string | null]> = {
    'a volume may begin': [asVolume, {}, null],
    'a volume may not where the agent cannot mount': [
      asVolume,
      { mountProblem: 'no right' },
      'spec.volumes[0].secret: ',
    ],
    'a variable may not': [asEnv, {}, 'spec.containers[0].env[0].valueFrom.secretKeyRef: '],
    'nor all of an init container': [
      { ...asVolume, initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 'db' } }] }] },
      {},
      'spec.initContainers[0].envFrom[0].secretRef: ',
    ],
    'a variable may where the owner says so': [asEnv, { allowSecretEnv: true }, null],
  };
  for (const [sentence, [spec, limits, path]] of Object.entries(rows)) {
    test(sentence, () => {
      const gate = secretGate({ allowSecretEnv: false, mountProblem: null, ...limits });
      const message = gate(pod(spec))?.message ?? null;
      if (path === null) assert.equal(message, null);
      else assert.ok(message?.startsWith(path), message ?? 'not refused');
    });
  }
  test('a Secret of the directory is not meant', () => {
    const gate = secretGate({ allowSecretEnv: false, mountProblem: 'no right' });
    assert.equal(gate(pod(asEnv, false)), null);
    assert.equal(gate(pod(asVolume, false)), null);
  });
});
