/**
 * Secrets, told as a story on real parts: Docker, Mosquitto that keeps what it has on its disk, hub and agents as processes.
 * Sealed by the operator, opened in memory on the node, followed, missing, mended; and found nowhere else (S89).
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseMountInfo } from '../../agent/volumes/host-mounts.js';
import {
  docker,
  ensureTestImage,
  noEngine,
  removeOwned,
  TEST_IMAGE,
  runningOf,
} from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { unmountBelow } from '../support/mounts.js';
import { Playground, writeMosquitto } from '../support/programs.js';
import { readMemory } from '../support/process-memory.js';
import { eventually } from '../support/wait.js';

const MOSQUITTO = '/usr/sbin/mosquitto';
const NODE = 'edge-1';

/** Nobody else ever wrote these. */
const value = () => `plain-${randomBytes(12).toString('hex')}`;
const [FIRST, SECOND, PULL] = [value(), value(), value()];

const secret = (data: Record<string, string>) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: data });

const PULL_SECRET = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'registry' },
  type: 'kubernetes.io/dockerconfigjson',
  stringData: {
    '.dockerconfigjson': JSON.stringify({
      auths: { 'registry.test': { username: 'u', password: PULL } },
    }),
  },
});

const pod = (name: string, spec: object, container: object = {}) =>
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
          image: TEST_IMAGE,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'],
          ...container,
        },
      ],
    },
  });

const WEB = pod(
  'web',
  {
    imagePullSecrets: [{ name: 'registry' }],
    securityContext: { fsGroup: 2000 },
    volumes: [
      { name: 'db', secret: { secretName: 'db', defaultMode: 0o400 } },
      {
        name: 'all',
        projected: {
          sources: [{ secret: { name: 'db', items: [{ key: 'password', path: 'deep/pw' }] } }],
        },
      },
    ],
  },
  {
    volumeMounts: [
      { name: 'db', mountPath: '/db' },
      { name: 'all', mountPath: '/all' },
    ],
  },
);

const why = noEngine() || (existsSync(MOSQUITTO) ? false : 'Mosquitto is not installed');

describe('secrets', { skip: why }, () => {
  const play = new Playground();
  const container = (node = NODE, name = 'app') => runningOf(play.path(node), { container: name });
  const cat = (path: string, node = NODE) => docker('exec', container(node), 'cat', path);
  const apply = (...args: string[]) => play.flotilla('apply', '-f', play.path('shop'), ...args);
  const applied = async (...args: string[]) => {
    const { code, stdout, stderr } = await apply(...args);
    assert.equal(code, 0, stdout + stderr);
  };
  const bundleState = async (node: string) => {
    const found = await play.json<{
      status: {
        flotilla: { bundles: { name: string; state: string; reason: string; message: string }[] };
      };
    }>('get', 'node', node);
    return found.status.flotilla.bundles.find(({ name }) => name === 'shop');
  };
  const conf = { path: '' };
  const startBroker = () => play.start('mosquitto', MOSQUITTO, ['-c', conf.path]);

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const where = ['--listen', `127.0.0.1:${api}`, '--broker', `mqtts://127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...where);
    conf.path = await writeMosquitto(play, mqtt);
    const keeps = `persistence true\npersistence_location ${play.path('mosquitto')}/\nautosave_on_changes true\nautosave_interval 1`;
    const text = readFileSync(conf.path, 'utf8').replace('persistence false', keeps);
    writeFileSync(conf.path, text);
    startBroker();
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    play.write('shop/web.json', WEB);
    play.write('shop/db.json', secret({ password: FIRST, user: 'shop' }));
    play.write('shop/registry.json', PULL_SECRET);
  });
  after(async () => {
    for (const node of [NODE, 'edge-2']) {
      await play.kill(node, 'SIGKILL');
      removeOwned(play.path(node));
    }
    await play.close();
  });

  test('a dry run and a diff say what would be sealed, and no value', async () => {
    const { stdout } = await apply('--all-nodes', '--dry-run');
    assert.match(stdout, /secret\/db created \(version 1, sealed for 1 node, dry run\)/);
    const diff = await play.flotilla('diff', '-f', play.path('shop'));
    assert.equal(diff.code, 1);
    assert.match(diff.stdout, /secret\/db: not sealed yet/);
    assert.doesNotMatch(stdout + diff.stdout + diff.stderr, new RegExp(`${FIRST}|${PULL}`));
  });

  test('apply seals the Secrets of the input, and the pod finds them in memory', async () => {
    const { code, stdout, stderr } = await apply('--all-nodes');
    assert.equal(code, 0, stdout + stderr);
    await eventually('the pod runs', () => container() !== '', { withinMs: 60_000 });
    assert.match(stdout, /secret\/db created \(version 1, sealed for 1 node\)/);
    assert.equal(cat('/db/password'), FIRST);
    assert.equal(cat('/all/deep/pw'), FIRST);
    assert.equal(
      docker('exec', container(), 'stat', '-L', '-c', '%a %g', '/db/password'),
      '440 2000',
    );
    assert.match(docker('exec', container(), 'cat', '/proc/mounts'), /^tmpfs \/db tmpfs ro/m);
    await eventually('the hub counts it', async () =>
      /shop\.db +shop +Opaque +1 +1 +0 +<none>/.test(await play.ok('get', 'secrets')),
    );
    const readable = await play.ok('get', 'secrets', '--node', NODE);
    assert.match(readable, /default +shop\.db +shop +1 +1 +current\n/);
    assert.match(readable, /default +shop\.registry +shop +1 +1 +current\n/);
    assert.match(readFileSync(play.path('hub/admin.kubeconfig.known-nodes'), 'utf8'), / edge-1 /);
  });

  test('the same again changes nothing; a change is a new version that running pods see', async () => {
    assert.match(
      (await apply()).stdout,
      /secret\/db unchanged \(version 1\)[\s\S]*bundle\/shop unchanged/,
    );
    const before = container();
    play.write('shop/db.json', secret({ password: SECOND, user: 'shop' }));
    const { stdout } = await apply();
    assert.match(stdout, /secret\/db configured \(version 2, sealed for 1 node\)/);
    assert.match(stdout, /bundle\/shop unchanged \(revision 1\)/);
    await eventually('the mounted file follows', () => cat('/db/password') === SECOND);
    assert.equal(container(), before);
  });

  test('a node that joins later waits, is named, and is mended', async () => {
    await play.join('edge-2');
    await eventually(
      'edge-2 waits for the secret',
      async () => (await bundleState('edge-2'))?.reason === 'SecretNotSealed',
    );
    const state = await bundleState('edge-2');
    assert.equal(state?.state, 'waiting');
    assert.match(state?.message ?? '', /secret "db" is not sealed for this node/);
    await eventually('the hub counts it', async () =>
      /shop\.db +shop +Opaque +2 +1 +1 +edge-2/.test(await play.ok('get', 'secrets')),
    );
    const told = await play.flotilla('secret', 'seal', '--missing');
    assert.equal(told.code, 2);
    assert.match(told.stdout, /secret\/db of bundle\/shop, version 2: not sealed for edge-2/);
    const wrong = play.write('old.json', secret({ password: FIRST, user: 'shop' }));
    const refused = await play.flotilla('secret', 'seal', '--missing', '-f', wrong);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /not the values of version 2/);
    const mended = await play.ok('secret', 'seal', '--missing', '-f', play.path('shop/db.json'));
    assert.match(mended, /secret\/db unchanged \(version 2, sealed for 1 node\)/);
    await eventually('edge-2 runs it', () => container('edge-2') !== '', { withinMs: 60_000 });
    assert.equal(cat('/db/password', 'edge-2'), SECOND);
  });

  test('after a reboot without hub and broker the pod has its secret again', async () => {
    await play.kill('hub', 'SIGKILL');
    await play.kill('mosquitto', 'SIGTERM');
    await play.kill(NODE, 'SIGKILL');
    removeOwned(play.path(NODE));
    unmountBelow(play.path(NODE));
    play.startAgent(NODE);
    await eventually('the pod runs again', () => container() !== '', { withinMs: 60_000 });
    assert.equal(cat('/db/password'), SECOND);
    startBroker();
    play.startHub();
    await play.hubAnswers();
  });

  test('as a variable it is refused with the field and the reason, unless the node allows it', async () => {
    const env = [{ name: 'PW', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }];
    play.write('shop/web.json', pod('web', {}, { env }));
    const before = container();
    await applied();
    const message = async () => {
      const pods = await play.json<{ items: { metadata: { name: string }; status: object }[] }>(
        'get',
        'pods',
      );
      const web = pods.items.find(({ metadata }) => metadata.name === `web-${NODE}`);
      const events = await play.ok('get', 'events', '-o', 'json');
      return JSON.stringify(web?.status) + events;
    };
    const field =
      /spec\.containers\[0\]\.env\[0\]\.valueFrom\.secretKeyRef: secret \\"db\\" may not become an environment variable/;
    await eventually('it says why', async () => {
      const said = await message();
      return /SecretEnvNotAllowed/.test(said) && field.test(said);
    });
    assert.equal(container(), before, 'what ran goes on');
    play.write('shop/web.json', WEB);
    await applied();
  });

  test('S89 the plaintext is found nowhere', async t => {
    // The row by itself, without the story before it.
    if (container() === '') {
      await applied('--all-nodes');
      await eventually('the pod runs', () => container() !== '', { withinMs: 60_000 });
    }
    const plain = [FIRST, SECOND, PULL].map(text => Buffer.from(text));
    const encoded = [FIRST, SECOND, PULL].map(text => Buffer.from(text).toString('base64'));
    const needles = [...plain, ...encoded.map(text => Buffer.from(text.replace(/=+$/, '')))];
    const assertClean = (bytes: Buffer | string, where: string) => {
      const content = Buffer.from(bytes);
      for (const needle of needles) assert.equal(content.includes(needle), false, where);
    };
    // What is looked for can be found where it is.
    assert.throws(() => assertClean(readFileSync(play.path('shop/db.json')), 'the input'));
    const memory = new Set(tmpfsBelow(play.dir).map(({ path }) => path));
    let files = 0;
    const search = (path: string) => {
      for (const entry of ifThere(() => readdirSync(path, { withFileTypes: true })) ?? []) {
        const at = join(path, entry.name);
        if (memory.has(at)) continue;
        if (entry.isDirectory()) search(at);
        else if (entry.isFile()) {
          const bytes = ifThere(() => readFileSync(at));
          if (bytes !== null) assertClean(bytes, at);
          files += 1;
        }
      }
    };
    const parts = [NODE, 'edge-2', 'hub', 'mosquitto'].filter(one => existsSync(play.path(one)));
    for (const part of parts) search(play.path(part));
    for (const log of parts) assertClean(play.log(log), `${log}.log`);
    assert.ok(files > 20);
    assert.ok(existsSync(play.path('mosquitto/mosquitto.db')), 'the broker keeps what it has');
    assert.ok(statSync(play.path(NODE, 'journal.db')).size > 0);
    for (const args of [
      ['get', 'pods', '-o', 'yaml'],
      ['get', 'nodes', '-o', 'yaml'],
      ['get', 'events', '-o', 'yaml'],
      ['get', 'bundles', '-o', 'yaml'],
      ['get', 'secrets', '-o', 'yaml'],
      ['describe', 'pod', `web-${NODE}`],
    ]) {
      assertClean(await play.ok(...args), args.join(' '));
    }
    for (const args of [['pods', '-o', 'json'], ['status', '-o', 'json'], ['journal'], ['plan']]) {
      const { stdout, stderr } = await play.agent(...args, '--data-dir', play.path(NODE));
      assertClean(stdout + stderr, `flotilla-agent ${args.join(' ')}`);
    }
    const root = docker('info', '--format', '{{.DockerRootDir}}');
    const filter = `label=flotilla.dev/owner=${play.path(NODE)}`;
    for (const id of docker('ps', '-aq', '--no-trunc', '--filter', filter).split('\n')) {
      assertClean(docker('inspect', id), `docker inspect ${id}`);
      search(join(root, 'containers', id));
    }
    await t.test('nor in the memory of the agent, as a core dump would have it', memory => {
      try {
        const size = readMemory(play.pid(NODE), piece => assertClean(piece, 'memory of the agent'));
        assert.ok(size > 20 * 1024 * 1024, 'something was read');
      } catch (error) {
        if (!['EPERM', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        memory.skip('the memory of another process cannot be read here');
      }
    });
  });

  test('a Secret that is deleted is forgotten by the nodes; made anew it goes on counting', async () => {
    const remove = ['secret', 'delete', 'db', '--bundle', 'shop'];
    for (const words of [remove, ['delete', 'secret', 'shop.db']]) {
      const refused = await play.flotilla(...words);
      assert.equal(refused.code, 2, refused.stdout);
      assert.match(
        refused.stderr,
        /secret\/db is in use by bundle\/shop \(pod web: spec\.volumes\[0\]\.secret\.secretName, [^)]*\) on edge-1, edge-2/,
      );
      assert.match(refused.stderr, /pass --yes/);
    }
    await play.kill('edge-2', 'SIGKILL');
    assert.match(await play.ok(...remove, '--yes'), /deleted/);
    const never = await play.flotilla('get', 'secrets');
    assert.match(never.stdout, /^shop\.db +shop +<none> +<none> +0 +\d /m);
    assert.match(never.stderr, /db of bundle\/shop: deleted; pod web: spec\.volumes\[0\]/);
    assert.match(never.stderr, /flotilla secret seal -f FILE --bundle shop/);
    const told = await play.flotilla('secret', 'seal', '--missing');
    assert.equal(told.code, 2);
    assert.match(told.stdout, /secret\/db of bundle\/shop: deleted; pod web: .* on edge-1, edge-2/);
    assert.match(told.stderr, /flotilla secret seal -f FILE --bundle shop/);
    for (const node of [NODE, 'edge-2']) {
      const readable = await play.ok('get', 'secrets', '--node', node);
      assert.match(
        readable,
        /shop\.db +shop +(1-)?2 +deleted +current\n/,
        `${node} can open it yet`,
      );
    }
    assert.match((await apply()).stdout, /secret\/db created \(version 3, sealed for 2 nodes\)/);
    await eventually('edge-1 has version 3', () => cat('/db/password') === SECOND);
  });

  test('a stolen node: what it could ever open is listed until it is replaced', async () => {
    await play.ok('secret', 'delete', 'registry', '--bundle', 'shop', '--yes');
    await eventually('edge-1 proves that it forgot the pull secret', async () => {
      const list = await play.ok('get', 'secrets', '--node', NODE);
      return /shop\.db /.test(list) && !/shop\.registry/.test(list);
    });
    const revoked = await play.ok('node', 'revoke', 'edge-2', '--yes');
    assert.match(revoked, / {2}secret default\/shop\.db versions 2-3: replace it\n/);
    assert.match(revoked, /shop\.registry version 1: deleted here: replace it where it is used\n/);
    play.write('shop/db.json', secret({ password: FIRST, user: 'shop' }));
    rmSync(play.path('shop/registry.json'));
    await applied();
    const list = () => play.ok('get', 'secrets', '--node', 'edge-2');
    assert.match(await list(), /shop\.db +shop +2-3 +4 \(replaced\) +revoked\n/);
    const replaced = ['secret', 'replaced', '--node', 'edge-2'];
    assert.equal((await play.flotilla(...replaced, '--all')).code, 2, 'nobody said yes');
    assert.match(
      await play.ok(...replaced, 'shop.db', '--yes'),
      /shop\.db version 2-3: off the list/,
    );
    assert.match(await list(), /shop\.registry +shop +1 +deleted +revoked\n/);
    await play.ok('delete', 'node', 'edge-2', '--yes');
    assert.match(await list(), /shop\.registry +shop +1 +deleted +former\n/);
    await play.ok(...replaced, '--all', '--yes');
    assert.equal((await play.flotilla('get', 'secrets', '--node', 'edge-2')).code, 2);
  });
});

function tmpfsBelow(directory: string) {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter(
    ({ path, type }) => type === 'tmpfs' && path.startsWith(`${directory}/`),
  );
}

/** Null for what its writer renamed or removed meanwhile. */
function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
