/**
 * Secrets in a fleet whose keys are not at the hub, told on real parts: only the secrets role seals (S90), a node changes its keys while
 * its pod runs on (S92), a Secret opens a registry, and a variable is set where the node's owner says so.
 */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import {
  docker,
  ensureTestImage,
  noEngine,
  removeOwned,
  TEST_IMAGE,
  runningOf,
} from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground, type Run } from '../support/programs.js';
import {
  noRegistry,
  PASSWORD,
  startRegistry,
  USER,
  type TestRegistry,
} from '../support/registry.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const WITHIN = { withinMs: 60_000 };

const ROOT = `
expires: 3y
root: {keys: [alice.key.pub]}
release: [{bundles: ["*/*"], keys: [rita.key.pub]}]
secrets: {keys: [sue.key.pub]}
`;

const secret = (name: string, data: Record<string, string>, type = 'Opaque') =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, type, stringData: data });

const pod = (name: string, image: string, spec: object = {}, container: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...spec,
      containers: [
        {
          name: 'app',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'],
          ...container,
        },
      ],
    },
  });

const WEB = pod(
  'web',
  TEST_IMAGE,
  { volumes: [{ name: 'db', secret: { secretName: 'db' } }] },
  { volumeMounts: [{ name: 'db', mountPath: '/db' }] },
);

describe('secrets whose keys are with people', { skip: noEngine() || noRegistry() }, () => {
  const play = new Playground();
  const container = (name: string) =>
    runningOf(play.path(NODE), { pod: `${name}-${NODE}`, container: 'app' });
  const has = (text: string) =>
    eventually(
      `the mounted file is ${text}`,
      () => {
        const id = container('web');
        return id !== '' && docker('exec', id, 'cat', '/db/password') === text;
      },
      WITHIN,
    );
  const key = (name: string) => play.path(`${name}.key`);
  const seal = (...args: string[]) =>
    play.flotilla('secret', 'seal', '-f', play.path('db.json'), ...args);
  const agent = async (...args: string[]): Promise<Run> => {
    const run = await play.agent(...args, '--data-dir', play.path(NODE));
    assert.equal(run.code, 0, run.stdout + run.stderr);
    return run;
  };
  /** Built here, signed by rita, applied: the hub signs no bundle. */
  const release = async (web: string): Promise<string> => {
    play.write('web/web.json', web);
    play.write(
      'web/private.json',
      pod('private', hidden, { imagePullSecrets: [{ name: 'pull' }] }),
    );
    const file = play.path('web.bundle');
    rmSync(file, { force: true });
    const where = ['-f', play.path('web'), '--bundle', 'web', '-o', file];
    const built = await play.flotilla('bundle', 'build', ...where);
    assert.equal(built.code, 0, built.stderr);
    await play.ok('bundle', 'sign', file, '--key', key('rita'), '--yes');
    await play.ok('apply', '-f', file, '--all-nodes');
    return built.stderr;
  };
  const lacking = (nodes: string) =>
    eventually(`db lacks ${nodes}`, async () =>
      new RegExp(`^web\\.db +web +Opaque +1 +\\d +\\d +${nodes} `, 'm').test(
        await play.ok('get', 'secrets'),
      ),
    );
  let registry: TestRegistry;
  let hidden = '';

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    const hub = ['--data-dir', play.path('hub')];
    await play.ok('hub', 'init', ...hub, ...listen, '--offline-root');
    cpSync(play.path('hub/root-request.json'), play.path('request.json'));
    for (const name of ['alice', 'rita', 'sue']) {
      await play.ok('key', 'generate', key(name), '--no-passphrase');
    }
    const plan = ['--plan', play.write('root.yaml', ROOT), '--request', play.path('request.json')];
    const root = play.path('root-1.json');
    await play.ok('root', 'create', ...plan, '--out', root);
    await play.ok('root', 'sign', root, '--key', key('alice'), '--yes');
    await play.ok('hub', 'init', ...hub, '--root', root);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    play.write('db.json', secret('db', { password: 'hunter-2' }));
    registry = await startRegistry({ password: true });
    const id = docker('create', TEST_IMAGE, 'true');
    const own = `flotilla.dev/sealed-pull-${process.pid}`;
    docker('commit', '--change', `LABEL word=${process.pid}`, id, own);
    docker('rm', id);
    hidden = registry.push(own, 'team/sealed:1');
    docker('image', 'rm', own);
  });
  after(async () => {
    await play.kill(NODE, 'SIGKILL');
    removeOwned(play.path(NODE));
    try {
      docker('image', 'rm', hidden);
    } catch {
      // Not pulled.
    }
    registry.close();
    await play.close();
  });

  test('S90 without the key of the role nothing is sealed, and it is said how', async () => {
    await release(WEB);
    const rows: [string[], RegExp][] = [
      [[], /keeps the key that signs secrets off the hub[^]*--key FILE/],
      [['--key', key('rita')], /rita\.key: this key has no place in the root's role for secrets/],
      [['--key', key('nobody')], /nobody\.key: no such file/],
      [['--key', `${key('sue')}.pub`], /sue\.key\.pub[^]*public key/],
    ];
    for (const [args, message] of rows) {
      const { code, stderr } = await seal('--bundle', 'web', ...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    const auths = { [registry.host]: { username: USER, password: PASSWORD } };
    const data = { '.dockerconfigjson': JSON.stringify({ auths }) };
    const pull = play.write('pull.json', secret('pull', data, 'kubernetes.io/dockerconfigjson'));
    const to = ['--bundle', 'web', '--key', key('sue')];
    await play.ok('secret', 'seal', '-f', pull, ...to);
    const sealed = await seal(...to);
    assert.match(sealed.stdout, /secret\/db created \(version 1, sealed for 1 node\)/);
    await has('hunter-2');
  });

  test('S92 a new sealing key: what runs is not touched, the Secret is named, and mended', async () => {
    const before = container('web');
    await agent('rotate-identity', '--yes', '--sealing-key-only');
    await lacking(NODE);
    assert.equal(container('web'), before);
    docker('kill', before);
    await eventually('it starts again with the former key', () => container('web') !== '', WITHIN);
    await has('hunter-2');
    const other = await seal('--missing', '--key', key('sue'));
    assert.equal(other.code, 2);
    assert.match(other.stderr, /other sealing keys than before: edge-1[^]*--accept-new-keys/);
    const mended = await seal('--missing', '--key', key('sue'), '--accept-new-keys');
    assert.match(mended.stdout, /secret\/db unchanged \(version 1, sealed for 1 node\)/);
    await lacking('<none>');
  });

  test('identity and sealing key changed twice: the node says that it cannot open it, until it is mended', async () => {
    const before = container('web');
    await agent('rotate-identity', '--yes');
    await agent('rotate-identity', '--yes', '--sealing-key-only');
    await eventually('the node says so', async () =>
      /SecretsReadable +False +SecretNotSealed[^\n]*default\/web\/db/.test(
        (await agent('status')).stdout,
      ),
    );
    assert.equal(container('web'), before, 'the pod runs on');
    await has('hunter-2');
    const both = ['--missing', '-f', play.path('pull.json'), '--key', key('sue')];
    await seal(...both, '--accept-new-keys');
    await eventually(
      'the node has it again',
      async () => !/SecretsReadable/.test((await agent('status')).stdout),
    );
    assert.equal(container('web'), before);
  });

  test('a sealed pull secret opens a registry', async () => {
    await eventually(
      'the image is pulled, the pod runs',
      () => container('private') !== '',
      WITHIN,
    );
  });

  test('as a variable: warned of, refused, and set where the node allows it', async () => {
    // What was healthy is what a node goes back to.
    await play.ok('rollout', 'status', 'bundle/web', '--timeout', '3m');
    const env = [{ name: 'PW', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }];
    const warned = await release(pod('web', TEST_IMAGE, {}, { env }));
    assert.match(
      warned,
      /Warning: pod "web" spec\.containers\[0\]\.env\[0\]\.valueFrom\.secretKeyRef/,
    );
    assert.match(warned, /in clear on its disk.*docker inspect.*allowSecretEnv/);
    const before = container('web');
    // Given up is one word of the node, undone the next.
    await eventually('it is said that it went back', async () => {
      const refused = await play.flotilla('rollout', 'status', 'bundle/web', '--timeout', '3m');
      assert.equal(refused.code, 4, refused.stderr);
      return /edge-1: [^]*SecretEnvNotAllowed[^]*back at revision 1/.test(refused.stderr);
    });
    await eventually('it is an event', async () =>
      /SecretEnvNotAllowed/.test(await play.ok('get', 'events', '-o', 'json')),
    );
    assert.equal(container('web'), before);
    await play.kill(NODE, 'SIGTERM');
    const config = 'kind: AgentConfiguration\nallowSecretEnv: true\n';
    play.startAgent(NODE, '--config', play.write('agent.yaml', config));
    assert.match(await play.ok('rollout', 'retry', 'bundle/web'), /edge-1/);
    await eventually(
      'the pod has it',
      () => {
        const id = container('web');
        return id !== '' && id !== before && /PW=hunter-2/.test(docker('exec', id, 'env'));
      },
      WITHIN,
    );
    assert.match(play.log(NODE), /WARN +allowSecretEnv: sealed Secrets may become variables/);
    assert.doesNotMatch(play.log(NODE), /hunter-2/);
    assert.match(docker('inspect', container('web')), /PW=hunter-2/, 'as the warning says');
  });
});
