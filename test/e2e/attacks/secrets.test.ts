/** Sealed Secrets: S87–S92 but S89, which `secrets.test.ts` has. The hub's key is the attacker's where the row says so. */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { AssignedSecret } from '../../../protocol/documents/assignment.js';
import { rawPublicKey } from '../../../protocol/keys.js';
import { bundle, publishBundle, type Bundle } from '../../support/attacks/make.js';
import { refuses, refusesBundle } from '../../support/attacks/refusal.js';
import { attacks, type Stage } from '../../support/attacks/row.js';
import { NODE, OTHER, STRANGER } from '../../support/attacks/cast.js';
import { podText } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';
import { docker } from '../../support/docker.js';
import { sealedSecret, sealingKey, type Sealing } from '../../support/sealed.js';
import { eventually } from '../../support/wait.js';
import type { RefusalCode } from '../../../protocol/refusal.js';

const keyFile = (victim: Victim, name = 'sealing.key') => victim.play.path(NODE, 'identity', name);

function ownKey(victim: Victim) {
  const key = createPrivateKey(readFileSync(keyFile(victim), 'utf8'));
  return { key, publicKey: rawPublicKey(key) };
}

/** The node remembers which content a number has, and the highest version that it kept. */
let revision = 0;
let version = 10;

/** A pod that shows its Secret as a file, in a bundle that names it. */
function vault(victim: Victim): Bundle {
  const pod = podText('vault');
  const spec = pod['spec'] as { containers: Record<string, unknown>[] };
  const mounted = {
    ...spec,
    containers: spec.containers.map(one => ({
      ...one,
      volumeMounts: [{ name: 'db', mountPath: '/db' }],
    })),
    volumes: [{ name: 'db', secret: { secretName: 'db' } }],
  };
  return bundle(victim, { name: 'vault', revision: ++revision, secrets: ['db'] }, [
    { ...pod, spec: mounted },
  ]);
}

/** As the fleet's own hub would have sealed it, but for what is changed. */
async function made(victim: Victim, options: Sealing = {}) {
  return sealedSecret({
    to: ownKey(victim),
    signer: victim.keys.hub,
    ...options,
    context: {
      ...{ fleet: victim.root.fleet, node: NODE, bundle: 'vault', version: ++version },
      ...options.context,
    },
  });
}

async function refusesSecret(
  victim: Victim,
  options: Sealing,
  { code, listed = {} }: { code: RefusalCode; listed?: Partial<AssignedSecret> },
): Promise<void> {
  const { envelope, assigned } = await made(victim, options);
  const named = { ...assigned, bundle: 'vault', ...listed };
  const of = vault(victim);
  await refusesBundle(victim, of.assigned, {
    code,
    secrets: [named],
    send: async () => {
      await publishBundle(victim, of);
      await victim.publish(victim.topics.blob(named.digest), envelope);
    },
  });
}

const open = (run: (victim: Victim) => Promise<unknown>) => async (stage: Stage) => {
  await run(await stage.open());
};

const container = (victim: Victim) =>
  docker(
    ...['ps', '-q', '--filter', `label=flotilla.dev/owner=${victim.play.path(NODE)}`],
    ...['--filter', 'label=io.kubernetes.pod.name=vault-edge-1'],
    ...['--filter', 'label=io.kubernetes.docker.type=container'],
  );
const shown = (victim: Victim) => docker('exec', container(victim), 'cat', '/db/password');

/** The vault with version `version` of its Secret, running. */
async function runsVault(victim: Victim, of: { version: number }): Promise<void> {
  const { assigned: bundled, ...rest } = vault(victim);
  const { envelope, assigned } = await made(victim, { context: of });
  await publishBundle(victim, { assigned: bundled, ...rest });
  await victim.publish(victim.topics.blob(assigned.digest), envelope);
  const { bundles } = victim.current;
  await victim.assign({ bundles: [...bundles, bundled], secrets: [assigned] });
  await eventually('the vault runs', () => container(victim) !== '', { withinMs: 60_000 });
}

async function endsVault(victim: Victim): Promise<void> {
  const { bundles } = victim.current;
  const vaults = bundles.filter(({ name }) => name === 'vault');
  await victim.assign({ bundles: bundles.filter(one => !vaults.includes(one)), secrets: [] });
  for (const one of vaults) await victim.isGone(one);
}

async function olderVersion(victim: Victim): Promise<void> {
  await runsVault(victim, { version: 3 });
  try {
    const before = container(victim);
    const older = await made(victim, { data: { password: 'old' }, context: { version: 2 } });
    await victim.publish(victim.topics.blob(older.assigned.digest), older.envelope);
    const said = victim.statuses.length;
    await victim.assign({ secrets: [older.assigned] });
    await eventually('the status says Rollback', () =>
      victim.statuses.slice(said).some(({ lastRefusal }) => lastRefusal?.code === 'Rollback'),
    );
    assert.equal(shown(victim), 'hunter2');
    assert.equal(container(victim), before);
  } finally {
    await endsVault(victim);
  }
}

/** What a rotation leaves on the disk. */
function rotate(victim: Victim): KeyObject {
  const { privateKey } = generateKeyPairSync('x25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  renameSync(keyFile(victim), keyFile(victim, 'sealing.previous.key'));
  writeFileSync(keyFile(victim), pem, { mode: 0o600 });
  return privateKey;
}

async function rotated(victim: Victim): Promise<void> {
  await runsVault(victim, { version: 5 });
  try {
    const before = container(victim);
    const key = rotate(victim);
    await victim.assign();
    assert.equal(shown(victim), 'hunter2');
    rmSync(keyFile(victim, 'sealing.previous.key'));
    await victim.assign();
    const condition = () =>
      victim.statuses.at(-1)?.conditions.find(({ type }) => type === 'SecretsReadable');
    await eventually('the node asks for it to be sealed again', () => condition() !== undefined);
    assert.equal(condition()?.reason, 'SecretNotSealed');
    assert.equal(container(victim), before, 'what ran goes on');
    assert.equal(shown(victim), 'hunter2');
    const publicKey = rawPublicKey(key);
    const again = await made(victim, { to: { key, publicKey }, context: { version: 5 } });
    await victim.publish(victim.topics.blob(again.assigned.digest), again.envelope);
    await victim.assign({ secrets: [again.assigned] });
    await eventually('it can be read again', () => condition() === undefined);
    assert.equal(container(victim), before);
  } finally {
    await endsVault(victim);
  }
}

attacks('secrets', [
  {
    id: 'S87',
    title: 'a Secret that was sealed for another node',
    run: open(async victim => {
      const foreign = sealingKey('edge-2');
      await refusesSecret(victim, { to: foreign, context: { node: OTHER } }, { code: 'WrongNode' });
      await refusesSecret(victim, { to: foreign }, { code: 'SecretNotSealed' });
    }),
  },
  {
    id: 'S88',
    title: "one bundle's Secret under another's name; an older version",
    run: open(async victim => {
      await refusesSecret(victim, { inside: { bundle: 'other' } }, { code: 'MixMatch' });
      await refusesSecret(victim, { context: { bundle: 'other' } }, { code: 'MixMatch' });
      await refusesSecret(victim, { inside: { version: 9 } }, { code: 'MixMatch' });
      await olderVersion(victim);
    }),
  },
  {
    id: 'S90',
    title: 'a blob swapped for one that somebody else signed',
    run: open(async victim => {
      await refusesSecret(victim, { signer: STRANGER }, { code: 'BadSignature' });
      await refusesSecret(victim, { signer: victim.keys.release }, { code: 'BadSignature' });
    }),
  },
  {
    id: 'S91',
    title: 'names that lead elsewhere, are empty or too long',
    run: open(async victim => {
      for (const name of ['../x', 'a/b', '..', '', 'A', 'x'.repeat(300)]) {
        const { assigned } = await made(victim);
        const secrets = [{ ...assigned, name }];
        const of = vault(victim);
        const bundles = [...victim.current.bundles, of.assigned];
        await refuses(victim, {
          code: 'Malformed',
          send: () => victim.publishAssignment(victim.next({ bundles, secrets })),
        });
      }
      await refusesSecret(victim, { data: { '../x': 'y' } }, { code: 'Malformed' });
    }),
  },
  {
    id: 'S92',
    title: 'the sealing key is rotated: what runs goes on, and is sealed again',
    run: open(rotated),
  },
]);
