/**
 * Roots on real parts: a fleet goes from a hub that holds every key to root keys that people hold, rotates them, loses its hub key to a
 * thief and is recovered, withdraws a bundle; nodes follow, also one that was away meanwhile (S12, S16, S17, S19).
 */
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { connectAsync } from 'mqtt';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import { seal } from '../../protocol/envelope.js';
import { keyId, rawPublicKey, signerOf, type Signer } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import { ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { ApiClient } from '../../hub/cli/client.js';
import { loadKubeconfig } from '../../hub/cli/kubeconfig.js';
import { generatePrivateKey, privatePem } from '../../hub/setup/keys.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const SLEEP = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'];

interface NodeObject {
  readonly status: {
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
    readonly flotilla: {
      readonly epoch: number;
      readonly generation: number;
      readonly rootVersion: number;
      readonly development: boolean;
      readonly lastRefusal: { readonly code: string; readonly topic: string } | null;
      readonly bundles: readonly { readonly state: string; readonly reason: string }[];
    };
  };
}

interface RootObject {
  readonly spec: { readonly version: number; readonly fleet: string; readonly keys: object };
  readonly status: { readonly digest: string; readonly held: readonly { readonly role: string }[] };
}

describe('roots on a running fleet', { skip: noEngine() }, () => {
  const play = new Playground();
  const file = (name: string) => play.path('ceremony', name);
  let mqtt = 0;

  // Looked at often: a client of the API costs less than a program.
  const read = async <T>(path: string): Promise<T> => {
    const client = new ApiClient(loadKubeconfig(play.path('hub/admin.kubeconfig'), undefined));
    try {
      return await client.call<T>({ path });
    } finally {
      client.close();
    }
  };
  const node = (name: string) => read<NodeObject>(`/api/v1/nodes/${name}`);
  const root = () => read<RootObject>('/apis/flotilla.dev/v1/root');
  const makeKeys = (...names: string[]) =>
    names.forEach(name => {
      const key = generatePrivateKey('ed25519');
      play.write(`ceremony/${name}.pub`, `${rawPublicKey(key)}\n`);
      chmodSync(play.write(`ceremony/${name}`, privatePem(key)), 0o600);
    });
  const edit = (from: number, ...changes: string[]) =>
    play.ok(
      ...['root', 'edit', '--from', file(`root-${from}.json`)],
      ...['--out', file(`root-${from + 1}.json`), ...changes],
    );
  const sign = (version: number, ...keys: string[]) =>
    keys.reduce(
      (before, key) =>
        before.then(() =>
          play.ok('root', 'sign', file(`root-${version}.json`), '--key', file(key), '--yes'),
        ),
      Promise.resolve(''),
    );
  const publish = (version: number) =>
    play.flotilla('root', 'publish', file(`root-${version}.json`), '--yes');
  const container = (name: string) => runningOf(play.path(name), { container: 'app' });
  const strayed = async (name: string) =>
    (await node(name)).status.conditions.some(({ type }) => type === 'AheadOfHub');
  const has = (name: string, version: number) =>
    eventually(`${name} has root ${version}`, async () => {
      const { flotilla } = (await node(name)).status;
      return flotilla.rootVersion === version ? flotilla : null;
    });

  before(async () => {
    ensureTestImage();
    mqtt = await freePort();
    const listen = ['--listen', `127.0.0.1:${await freePort()}`, '--mqtt-listen'];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen, `127.0.0.1:${mqtt}`);
    play.startHub();
    await play.hubAnswers();
    await Promise.all([play.join('edge-1'), play.join('edge-2')]);
    await play.kill('edge-2', 'SIGTERM');
    play.startAgent('edge-2', '--config', play.write('edge-2.yaml', 'revokedBundles: stop'));
    const spec = {
      terminationGracePeriodSeconds: 1,
      containers: [
        { name: 'app', image: TEST_IMAGE, imagePullPolicy: 'IfNotPresent', command: SLEEP },
      ],
    };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec };
    play.write('web/pod.json', JSON.stringify(pod));
    await play.ok('apply', '-f', play.path('web'), '--bundle', 'web', '--all-nodes');
    for (const name of ['edge-1', 'edge-2'])
      await eventually(`the pod of ${name}`, () => container(name) !== '');
    makeKeys('alice', 'bob', 'carol', 'dave', 'erin');
  });
  after(() => play.close());

  test('a development fleet goes to root keys of people; the keys at the hub are of no use and go', async () => {
    const first = await root();
    const release = rawPublicKey(createPrivateKey(readFileSync(play.path('hub/keys/release.key'))));
    play.write(
      'ceremony/root.yaml',
      [
        'expires: 1y',
        'root: { threshold: 2, keys: [alice.pub, bob.pub, carol.pub] }',
        `release: [{ bundles: ["*/*"], keys: [${release}] }]`,
      ].join('\n'),
    );
    await play.ok('root', 'fetch', '--out', file('root-1.json'));
    const edited = await edit(1, '--plan', file('root.yaml'));
    assert.match(edited, /development\n {2}- yes.*\n {2}\+ no/);
    await sign(2, 'alice', 'bob');
    const unsigned = await publish(2);
    assert.equal(unsigned.code, 2);
    assert.match(unsigned.stderr, /0 of the 1 root keys of the version before .*1 missing/);
    const here = play.path('hub/keys/root.key');
    await play.ok('root', 'sign', file('root-2.json'), '--key', here, '--yes');
    assert.equal((await publish(2)).code, 0);
    assert.match(await play.ok('root', 'publish', file('root-2.json'), '--yes'), /already/);
    const { development } = await has('edge-1', 2);
    assert.equal(development, false);
    const second = await root();
    assert.notEqual(second.status.digest, first.status.digest);
    assert.deepEqual(second.status.held.map(({ role }) => role).sort(), ['hub', 'release']);
    assert.match(await play.ok('root', 'show'), /hub drop-keys/);
    const dropped = await play.ok('hub', 'drop-keys', '--data-dir', play.path('hub'), '--yes');
    assert.match(dropped, /removed keys\/root\.key/);
    assert.equal(existsSync(here), false);
  });

  test('S12: two of three rotate two of three; one signature short is refused, with the count', async () => {
    const changes = ['alice', 'bob'].map((old, i) => {
      return ['--replace-key', `${file(`${old}.pub`)}=${file(['dave.pub', 'erin.pub'][i] ?? '')}`];
    });
    await edit(2, ...changes.flat());
    await sign(3, 'dave', 'erin', 'alice');
    const short = await publish(3);
    assert.equal(short.code, 2, short.stdout);
    assert.match(short.stderr, /signed by 1 of the 2 root keys of the version before/);
    assert.equal((await play.flotilla('root', 'verify', file('root-3.json'))).code, 2);
    await sign(3, 'carol');
    assert.match(await play.ok('root', 'verify', file('root-3.json')), /complete/);
    assert.equal((await publish(3)).code, 0);
    await Promise.all([has('edge-1', 3), has('edge-2', 3)]);
    const stranger = await play.flotilla(
      ...['root', 'sign', file('root-3.json'), '--key', file('bob'), '--yes'],
    );
    assert.equal(stranger.code, 0, 'a key of the version before may sign');
  });

  test('the hub key rotates while a node is away for three versions; it comes back by itself', async () => {
    const held = container('edge-1');
    await play.kill('edge-1', 'SIGTERM');
    const steps = await play.flotilla('key', 'rotate', 'hub', '--out', file('hub-2.pub'));
    assert.equal(steps.code, 0, steps.stderr);
    const key = readFileSync(file('hub-2.pub'), 'utf8').trim();
    const old = /--remove-key ([0-9a-f]{16})/.exec(steps.stdout)?.[1] ?? '';
    await edit(3, '--add-hub-key', key);
    await sign(4, 'carol', 'dave');
    assert.equal((await publish(4)).code, 0);
    await edit(4, '--remove-key', old);
    await sign(5, 'carol', 'dave');
    assert.equal((await publish(5)).code, 0);
    await edit(5, '--floor', 'default/web=1');
    await sign(6, 'erin', 'dave');
    assert.equal((await publish(6)).code, 0);
    await has('edge-2', 6);
    assert.match(await play.ok('root', 'show'), /behind: +edge-1 \(3\)/);
    play.startAgent('edge-1');
    const { lastRefusal } = await has('edge-1', 6);
    assert.equal(lastRefusal, null);
    assert.equal(container('edge-1'), held, 'no container was touched');
    const keys = readdirSync(play.path('hub/keys')).filter(name => name.startsWith('hub'));
    assert.deepEqual(keys, [`hub-${keyId(key).slice(0, 16)}.key`]);
  });

  test('S16, S17: a thief assigns the future; a root of a new epoch ends it, and the old key for ever', async () => {
    const before = await root();
    const [name = ''] = readdirSync(play.path('hub/keys')).filter(key => key.startsWith('hub-'));
    const stolen = signerOf(createPrivateKey(readFileSync(play.path('hub/keys', name))));
    const forged = { generation: Number.MAX_SAFE_INTEGER - 1, issued: '2099-01-01T00:00:00.000Z' };
    await assignAs(play, { signer: stolen, port: mqtt, fleet: before.spec.fleet, ...forged });
    await eventually('the pod goes', () => container('edge-1') === '');
    await eventually('the hub says whose word that is not', () => strayed('edge-1'));
    await play.kill('hub', 'SIGKILL');
    const recover = ['hub', 'recover', '--data-dir', play.path('hub')];
    const begun = await play.ok(...recover);
    assert.match(begun, /root edit --from root-6\.json --request root-request\.json --raise-epoch/);
    const request = play.path('hub/root-request.json');
    await edit(6, '--request', request);
    await sign(7, 'carol', 'dave');
    const same = await play.flotilla(...recover, '--root', file('root-7.json'), '--yes');
    assert.match(same.stderr, /keeps epoch 1.*--raise-epoch/);
    await edit(6, '--request', request, '--raise-epoch', '--force');
    await sign(7, 'carol', 'dave');
    assert.match(await play.ok(...recover, '--root', file('root-7.json'), '--yes'), /epoch 2/);
    play.startHub();
    await play.hubAnswers();
    await has('edge-1', 7);
    await eventually('the pod is back', () => container('edge-1') !== '');
    const { epoch, generation } = (await node('edge-1')).status.flotilla;
    assert.deepEqual({ epoch, isSmall: generation < 10 }, { epoch: 2, isSmall: true });
    assert.equal(await strayed('edge-1'), false);

    await assignAs(play, {
      signer: stolen,
      port: mqtt,
      fleet: before.spec.fleet,
      ...forged,
      epoch: 2,
    });
    await eventually('the refusal', async () => {
      const { lastRefusal } = (await node('edge-1')).status.flotilla;
      return lastRefusal?.code === 'BadSignature';
    });
    assert.notEqual(container('edge-1'), '');
  });

  test('S19: a denied revision is said, runs on or ends as the owner says, and never begins again', async () => {
    const held = container('edge-1');
    const { status } = await play.json<{ status: { digest: string } }>('get', 'bundle', 'web');
    await edit(7, '--deny', status.digest);
    await sign(8, 'carol', 'dave');
    assert.equal((await publish(8)).code, 0);
    await eventually('the condition', async () => {
      const { conditions } = (await node('edge-1')).status;
      return conditions.some(c => c.type === 'RevokedRunning' && c.status === 'True');
    });
    assert.equal(container('edge-1'), held);
    await eventually('it ends where the owner says so', () => container('edge-2') === '');
    await eventually('the hub shows why', async () => {
      const { bundles } = (await node('edge-2')).status.flotilla;
      const shown = bundles.map(({ state, reason }) => `${state} ${reason}`);
      return shown.join() === 'failed Denied';
    });
  });
});

/** As somebody who has the hub's files: its certificate at the broker, its key, and an assignment that takes everything away. */
async function assignAs(
  play: Playground,
  thief: {
    readonly signer: Signer;
    readonly port: number;
    readonly fleet: string;
    readonly generation: number;
    readonly issued: string;
    readonly epoch?: number;
  },
): Promise<void> {
  const read = (name: string) => readFileSync(play.path('hub', name));
  const identity = createPrivateKey(readFileSync(play.path('edge-1/identity/identity.key')));
  const document: AssignmentDocument = {
    ...{ fleet: thief.fleet, node: 'edge-1', nodeKey: keyId(rawPublicKey(identity)) },
    ...{ epoch: thief.epoch ?? 1, generation: thief.generation, rootVersion: 1 },
    ...{ issued: thief.issued, notAfter: '2199-01-01T00:00:00.000Z', nonce: null },
    ...{ bundles: [], secrets: [], parameters: {} },
  };
  const topic = topicsOf(thief.fleet).node('edge-1', 'assignment');
  const payload = seal('assignment', document, [thief.signer]);
  // The hub, whose place at the broker this takes, takes it back.
  await eventually('the thief is heard', async () => {
    const client = await connectAsync(`mqtts://127.0.0.1:${thief.port}`, {
      ...{ clientId: 'flotilla-hub', reconnectPeriod: 0, rejectUnauthorized: false },
      ...{ key: read('keys/mqtt.key'), cert: read('pki/mqtt.crt') },
    });
    try {
      await client.publishAsync(topic, payload, { qos: 1, retain: true });
      return true;
    } finally {
      await client.endAsync(true);
    }
  });
}
