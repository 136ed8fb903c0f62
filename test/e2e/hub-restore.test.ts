/**
 * The hub is lost and restored, told on the programs as a person types them: no node goes back, and the fleet teaches the
 * hub what its backup did not know. Nodes keep their files in a directory that a kubelet would read.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect, type MqttClient } from 'mqtt';
import { ApiClient } from '../../hub/cli/client.js';
import { loadKubeconfig } from '../../hub/cli/kubeconfig.js';
import { commandsOf } from '../support/doc-commands.js';
import { freePort } from '../support/ports.js';
import { Playground, writeOpenMosquitto } from '../support/programs.js';
import { eventually } from '../support/wait.js';

/** Stands for the kubelet that runs what lies in a node's directory: it has no pods to tell of. */
const kubelet = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [] }));
});
before(async () => {
  await new Promise<void>(resolve => kubelet.listen(0, '127.0.0.1', () => resolve()));
  const { port } = kubelet.address() as AddressInfo;
  process.env['FLOTILLA_RUNTIME'] = 'none';
  process.env['FLOTILLA_KUBELET_PODS'] = `http://127.0.0.1:${port}/pods`;
});
after(() => kubelet.close());

const CLI = join(import.meta.dirname, '../../../hub/bin/flotilla.js');

interface NodeJson {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
    readonly flotilla: {
      readonly generation: number;
      readonly rootVersion: number;
      readonly bundles: readonly {
        readonly revision: number;
        readonly digest: string;
        readonly active: string | null;
      }[];
    };
  };
}

interface BundleJson {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly nodeSelector: string; readonly manifests: readonly unknown[] };
  readonly status: { readonly revision: number };
}

interface RecoveryJson {
  readonly learning: boolean;
  readonly unheard: readonly string[];
}

/** A fleet, and what is asked of it again and again. */
class World {
  readonly play = new Playground();

  async begin(...init: string[]): Promise<void> {
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await this.play.ok('hub', 'init', '--data-dir', this.play.path('hub'), ...listen, ...init);
  }

  async apply(text: string, ...options: string[]): Promise<string> {
    const pod = {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } },
      spec: { containers: [{ name: 'web', image: 'web', args: [text] }] },
    };
    this.play.write('shop/web.json', JSON.stringify(pod));
    return this.play.ok('apply', '-f', this.play.path('shop'), ...options);
  }

  async node(name: string): Promise<NodeJson> {
    return this.#get<NodeJson>(`/api/v1/nodes/${name}`);
  }

  async generation(name: string): Promise<number> {
    return (await this.node(name)).status.flotilla.generation;
  }

  async bundle(): Promise<BundleJson> {
    return this.#get<BundleJson>('/apis/flotilla.dev/v1/namespaces/default/bundles/shop');
  }

  async recovery(): Promise<RecoveryJson> {
    const path = '/apis/flotilla.dev/v1/recoveries/hub';
    return (await this.#get<{ status: RecoveryJson }>(path)).status;
  }

  /** In this process: what is asked every 50 ms must not cost a program's start. */
  async #get<T>(path: string): Promise<T> {
    const client = new ApiClient(loadKubeconfig(this.play.path('hub/admin.kubeconfig'), undefined));
    try {
      return await client.call<T>({ path });
    } finally {
      client.close();
    }
  }

  /** Until the nodes have and told a revision of the bundle. */
  async nodesHave(revision: number, ...nodes: string[]): Promise<void> {
    for (const name of nodes) {
      await eventually(`${name} has revision ${revision}`, async () =>
        (await this.node(name)).status.flotilla.bundles.some(
          one => one.revision === revision && one.active === one.digest,
        ),
      );
      await eventually(`${name} has its files`, () => /"web"/.test(this.files(name)));
    }
  }

  /** What lies in the node's directory. */
  files(node: string): string {
    const folder = this.play.path(node, 'manifests');
    return readdirSync(folder)
      .sort()
      .map(name => `${name} ${readFileSync(join(folder, name), 'utf8')}`)
      .join('\n');
  }

  fingerprint(node: string): string {
    return createHash('sha256').update(this.files(node)).digest('hex');
  }

  async backup(name: string, ...options: string[]): Promise<string> {
    const file = this.play.path(name);
    await this.play.ok(
      'hub',
      'backup',
      '--data-dir',
      this.play.path('hub'),
      '--out',
      file,
      ...options,
    );
    return file;
  }

  /** Commands of docs/recovery.md as they stand there: only the directory is another, and the hub is started beside. */
  typed(fence: string): Promise<string> {
    const commands = commandsOf('docs/recovery.md', fence)
      .replaceAll('/var/lib/flotilla-hub', this.play.path('hub'))
      .replaceAll(
        /^flotilla hub run .*$/gm,
        'touch started; until flotilla get nodes > /dev/null 2>&1; do :; done',
      );
    const script = `flotilla() { ${process.execPath} ${CLI} "$@"; }\n${commands}`;
    const env = { ...process.env, KUBECONFIG: this.play.path('hub/admin.kubeconfig') };
    return new Promise((done, fail) => {
      execFile('bash', ['-euc', script], { cwd: this.play.dir, env }, (error, stdout, stderr) => {
        if (error) fail(new Error(`${commands}${stdout}${stderr}`));
        else done(stdout);
      });
    });
  }

  /** The hub is gone, with all that it knew. */
  async lose(): Promise<void> {
    await this.play.kill('hub', 'SIGKILL');
    rmSync(this.play.path('lost'), { recursive: true, force: true });
    renameSync(this.play.path('hub'), this.play.path('lost'));
  }

  /** What the backup holds takes its place. */
  async loseAndRestore(file: string, ...options: string[]): Promise<string> {
    await this.lose();
    const said = await this.play.ok(
      'hub',
      'restore',
      file,
      '--data-dir',
      this.play.path('hub'),
      ...options,
    );
    this.play.startHub();
    await eventually('the hub answers', () => this.recovery());
    return said;
  }
}

describe('a hub that was lost', () => {
  const world = new World();
  const { play } = world;
  let old = '';
  let keys = '';

  before(async () => {
    await world.begin();
    play.startHub();
    await play.hubAnswers();
    await play.join('edge-1', '--label', 'site=harbour');
    await play.join('edge-2', '--label', 'site=harbour');
    await world.apply('one', '--nodes', 'site=harbour');
    await world.nodesHave(1, 'edge-1', 'edge-2');
    for (const name of ['backup.passphrase', 'hub.passphrase']) {
      chmodSync(play.write(name, `correct horse of ${name}\n`), 0o600);
    }
    await world.typed('drill-lost');
    old = play.path('hub.flotilla-backup');
    keys = await world.backup('keys.flotilla-backup', '--keys-only');
    for (const [index, text] of ['two', 'three', 'four'].entries()) {
      await world.apply(text);
      await world.nodesHave(index + 2, 'edge-1', 'edge-2');
    }
  });
  after(() => play.close());

  test('a backup three revisions old: nodes keep what they have, the hub learns it, and goes on above', async () => {
    const before = ['edge-1', 'edge-2'].map(name => world.fingerprint(name));
    const generation = await world.generation('edge-1');
    await world.lose();
    const typing = world.typed('drill-lost-restore');
    await eventually('the drill comes to hub run', () => existsSync(play.path('started')));
    play.startHub();
    const said = await typing;
    assert.match(said, /members +2: each is heard/);
    assert.match(said, /Complete: every node was heard/);
    const bundle = await world.bundle();
    assert.equal(bundle.status.revision, 4);
    assert.match(JSON.stringify(bundle.spec.manifests), /"four"/);
    assert.equal(bundle.metadata.annotations?.['flotilla.dev/held'], undefined);
    assert.deepEqual(
      ['edge-1', 'edge-2'].map(name => world.fingerprint(name)),
      before,
    );
    await eventually(
      'the nodes are shown as ready',
      async () => !/Restoring|Unknown/.test(await play.ok('get', 'nodes')),
    );
    assert.equal(await world.generation('edge-1'), generation);
    assert.match(await world.apply('five'), /configured \(revision 5\)/);
    await world.nodesHave(5, 'edge-1', 'edge-2');
    assert.ok((await world.generation('edge-1')) > generation);
  });

  test('one node is away during the restore: it is untouched until it is heard, and nothing is applied before', async () => {
    await play.kill('edge-2', 'SIGTERM');
    await world.apply('six');
    await world.nodesHave(6, 'edge-1');
    const away = world.fingerprint('edge-2');
    await world.loseAndRestore(old, '--passphrase-file', play.path('backup.passphrase'));
    await eventually(
      'edge-1 is heard',
      async () => (await world.recovery()).unheard.join() === 'edge-2',
    );
    assert.equal((await world.recovery()).learning, true);
    assert.match(await play.ok('get', 'nodes'), /^edge-2 +NotReady,Restoring /m);
    const refused = await play.flotilla('apply', '-f', play.path('shop'));
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /not heard yet: edge-2.*hub recovery --finish/s);
    assert.match(await world.typed('drill-lost-finish'), /not heard +edge-2/);
    assert.equal((await world.bundle()).status.revision, 6);
    const applied = await world.apply('after the loss');
    const revision = Number(/\(revision (\d+)\)/.exec(applied)?.[1]);
    assert.ok(revision > 100, `numbers that edge-2 may know are left out: ${revision}`);
    await world.nodesHave(revision, 'edge-1');
    assert.equal(world.fingerprint('edge-2'), away);
    play.startAgent('edge-2');
    await world.nodesHave(revision, 'edge-2');
    assert.deepEqual((await world.recovery()).unheard, []);
    assert.doesNotMatch(await play.ok('get', 'nodes'), /Restoring/);
  });

  test('a backup of the keys alone: the fleet fills the hub, newer roots first', async () => {
    for (const version of [1, 2]) {
      const [from, to] = [version, version + 1].map(n => play.path(`root-${n}.json`)) as [
        string,
        string,
      ];
      if (version === 1) await play.ok('root', 'fetch', '--out', from);
      const floor = `default/shop=${version}`;
      await play.ok('root', 'edit', '--from', from, '--out', to, '--floor', floor);
      await play.ok('root', 'sign', to, '--key', play.path('hub/keys/root.key'), '--yes');
      await play.ok('root', 'publish', to, '--yes');
    }
    for (const name of ['edge-1', 'edge-2']) {
      await eventually(`${name} has root 3`, async () => {
        return (await world.node(name)).status.flotilla.rootVersion === 3;
      });
    }
    const before = ['edge-1', 'edge-2'].map(name => world.fingerprint(name));
    const { revision } = (await world.bundle()).status;
    await world.loseAndRestore(keys);
    assert.match(await play.ok('hub', 'recovery', '--wait', '--timeout', '3m'), /Complete/);
    assert.match(await play.ok('root', 'show'), /^version: +3$/m, 'the backup is of root 1');
    const bundle = await world.bundle();
    assert.equal(bundle.status.revision, revision);
    assert.equal(bundle.spec.nodeSelector, 'kubernetes.io/hostname in (edge-1,edge-2)');
    assert.match(JSON.stringify(bundle.spec.manifests), /after the loss/);
    assert.deepEqual(
      ['edge-1', 'edge-2'].map(name => world.fingerprint(name)),
      before,
    );
    assert.match(
      await world.apply('new', '--nodes', 'site=harbour'),
      new RegExp(`revision ${revision + 1}\\)`),
    );
    await world.nodesHave(revision + 1, 'edge-1', 'edge-2');
  });
});

describe('keys of a hub encrypted at rest', () => {
  const world = new World();
  const { play } = world;
  before(() => world.begin());
  after(() => play.close());

  test('the manual encrypts them; without the passphrase, or with another, the hub does not start', async () => {
    chmodSync(play.write('hub.passphrase', 'correct horse\n'), 0o600);
    chmodSync(play.write('other.passphrase', 'another horse\n'), 0o600);
    const typing = world.typed('drill-passphrase');
    await eventually('the drill comes to hub run', () => existsSync(play.path('started')));
    const run = ['hub', 'run', '--data-dir', play.path('hub')];
    const without = await play.flotilla(...run);
    assert.equal(without.code, 2);
    assert.match(without.stderr, /encrypted.*--passphrase-file/s);
    const other = await play.flotilla(...run, '--passphrase-file', play.path('other.passphrase'));
    assert.equal(other.code, 2);
    assert.match(other.stderr, /wrong passphrase/);
    const pem = readFileSync(play.path('hub/keys/server.key'), 'utf8');
    assert.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    const own = ['--passphrase-file', play.path('hub.passphrase')];
    play.start('hub', process.execPath, [CLI, ...run, ...own]);
    await typing;
  });
});

describe('a restore on a hostile broker', () => {
  const world = new World();
  const { play } = world;
  let attacker: MqttClient;
  const heard = new Map<string, Buffer>();
  let topicSeen = '';
  let asked = 0;

  before(async () => {
    const port = await freePort();
    await world.begin('--broker', `mqtts://127.0.0.1:${port}`);
    const config = await writeOpenMosquitto(play, port);
    play.start('mosquitto', 'mosquitto', ['-c', config]);
    play.startHub();
    await play.hubAnswers();
    attacker = connect(`mqtts://127.0.0.1:${port}`, {
      clientId: 'attacker',
      key: readFileSync(play.path('hub/keys/mqtt.key')),
      cert: readFileSync(play.path('hub/pki/mqtt.crt')),
      ca: readFileSync(play.path('hub/pki/ca.crt')),
      servername: 'flotilla-broker',
      rejectUnauthorized: true,
    });
    attacker.on('error', () => undefined);
    attacker.on('message', (topic, payload) => {
      topicSeen = topic;
      if (topic.endsWith('/edge-1/command')) asked++;
      const [, kind = ''] = /\/node\/edge-1\/(\w+)/.exec(topic) ?? [];
      if (!heard.has(kind) && payload.byteLength > 0) heard.set(kind, payload);
    });
    await eventually('the attacker connects', () => attacker.connected);
    await attacker.subscribeAsync('flotilla/v1/#', { qos: 1 });
    await play.join('edge-1');
    await world.apply('one', '--all-nodes');
    await world.nodesHave(1, 'edge-1');
  });
  after(async () => {
    await attacker.endAsync(true).catch(() => undefined);
    await play.close();
  });

  test('old words of a node lower nothing and end nothing; the node itself does', async () => {
    const fleet = /\/v1\/([0-9a-f]{32})\//.exec(topicSeen)?.[1] ?? '';
    const old = await world.backup('old.flotilla-backup');
    for (const text of ['two', 'three']) await world.apply(text);
    await world.nodesHave(3, 'edge-1');
    const generation = await world.generation('edge-1');
    const before = world.fingerprint('edge-1');
    await play.kill('edge-1', 'SIGKILL');
    await world.loseAndRestore(old);
    const replay = async () => {
      for (const kind of ['presence', 'status', 'pod', 'event', 'request']) {
        const payload = heard.get(kind);
        const topic = `flotilla/v1/${fleet}/node/edge-1/${kind}`;
        if (payload) await attacker.publishAsync(topic, payload, { qos: 1, retain: true });
      }
    };
    asked = 0;
    await eventually('the hub asks, and asks again', async () => {
      await replay();
      return asked >= 2;
    });
    const { learning, unheard } = await world.recovery();
    assert.deepEqual({ learning, unheard }, { learning: true, unheard: ['edge-1'] });
    assert.notEqual((await play.flotilla('apply', '-f', play.path('shop'))).code, 0);
    play.startAgent('edge-1');
    assert.match(await play.ok('hub', 'recovery', '--wait', '--timeout', '3m'), /Complete/);
    assert.equal(world.fingerprint('edge-1'), before);
    assert.equal((await world.bundle()).status.revision, 3);
    assert.match(await world.apply('four'), /revision 4\)/);
    await world.nodesHave(4, 'edge-1');
    assert.ok((await world.generation('edge-1')) > generation);
    assert.doesNotMatch(
      await play.ok('get', 'node', 'edge-1', '-o', 'json'),
      /"code": ?"Rollback"/,
    );
  });
});
