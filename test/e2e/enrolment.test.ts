/**
 * Members of a fleet, with the programs as a person starts them: approval, tokens that did their
 * work, a device that is shut out and one that takes its name, other keys, and a node that comes
 * back after more than a year (security.md S32, S35, S72, S79, S84).
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ApiClient } from '../../hub/cli/client.js';
import { loadKubeconfig } from '../../hub/cli/kubeconfig.js';
import { ensureTestImage, noEngine, runningOf } from '../support/docker.js';
import { changeHubKeys, noFaketime, startHubInThePast } from '../support/hub-years.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

interface NodeJson {
  readonly metadata: { readonly annotations: Record<string, string> };
  readonly status: {
    readonly conditions: { readonly type: string; readonly status: string; reason: string }[];
    readonly flotilla: {
      readonly generation: number;
      readonly rootVersion: number;
      readonly lastRefusal: object | null;
      readonly bundles: { readonly name: string; readonly revision: number }[];
    };
  };
}

const pod = (name: string) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'app', image: ensureTestImage(), command: ['sleep', '100000'] }],
    },
  });

class Fleet extends Playground {
  async init(...options: string[]): Promise<void> {
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await this.ok('hub', 'init', '--data-dir', this.path('hub'), ...listen, ...options);
  }

  async token(...options: string[]): Promise<string> {
    return this.write(`token-${Math.random()}`, await this.ok('token', 'create', ...options));
  }

  enrol(file: string, node: string, dir = node) {
    return this.agent(
      ...['join', '--token-file', file, '--node-name', node, '--data-dir', this.path(dir)],
    );
  }

  /** What the hub's API serves, without a program for each question. */
  async ask<T>(path: string): Promise<T> {
    const connection = loadKubeconfig(this.path('hub/admin.kubeconfig'), undefined);
    const client = new ApiClient(connection);
    try {
      return await client.call<T>({ path });
    } finally {
      client.close();
    }
  }

  node(name: string): Promise<NodeJson> {
    return this.ask<NodeJson>(`/api/v1/nodes/${name}`);
  }

  async statusOf(name: string): Promise<string> {
    const line = (await this.ok('get', 'nodes')).split('\n').find(l => l.startsWith(`${name} `));
    return line?.split(/\s+/)[1] ?? '';
  }

  async becomes(name: string, status: string): Promise<void> {
    await eventually(`${name} is ${status}`, async () => (await this.statusOf(name)) === status);
  }

  /** Its own log tells when it is worth asking the hub. */
  async isUp(dir: string, connections: number): Promise<void> {
    const said = (words: string) => this.log(dir).split(words).length - 1;
    const up = () => said('connected to the broker') >= connections && said('the agent is up') > 0;
    await eventually(`${dir} is connected`, up);
  }

  keyAt(dir: string): Promise<string> {
    return this.node(dir).then(node => node.metadata.annotations['flotilla.dev/node-key'] ?? '');
  }

  manifests(dir: string): string[] {
    const path = this.path(dir, 'manifests');
    return existsSync(path) ? readdirSync(path).filter(name => name.startsWith('flotilla_')) : [];
  }
}

describe('enrolment', { skip: noEngine() }, () => {
  const play = new Fleet();
  before(async () => {
    await play.init();
    play.startHub();
    await play.hubAnswers();
    play.write('shop/web.json', pod('web'));
    await play.ok('apply', '-f', play.path('shop'), '--bundle', 'shop', '--all-nodes');
  });
  after(() => play.close());

  test('a device waits for a person, who sees its key on both sides', async () => {
    const file = await play.token('--approve', '--node', 'edge-*', '--label', 'site=harbour');
    const named = await play.enrol(file, 'other');
    assert.equal(named.code, 2);
    assert.match(named.stderr, /lets in nodes named edge-\*/);
    const joined = await play.enrol(file, 'edge-1', 'edge-1');
    assert.equal(joined.code, 0, joined.stderr);
    assert.equal(existsSync(file), false);
    const key = /Key: (sha256:[0-9a-f]{64})/.exec(joined.stdout)?.[1] ?? '';
    assert.match(joined.stdout, /waits for approval/);
    play.startAgent('edge-1');
    assert.equal(await play.statusOf('edge-1'), 'PendingApproval');
    assert.equal(await play.keyAt('edge-1'), key);
    assert.equal(existsSync(play.path('edge-1/identity/tls.crt')), false);
    const unasked = await play.flotilla('node', 'approve', 'edge-1');
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, new RegExp(`pass --key ${key}`));
    const wrong = await play.flotilla(
      'node',
      'approve',
      'edge-1',
      '--key',
      `sha256:${'0'.repeat(64)}`,
    );
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, new RegExp(`has the key ${key}`));
    assert.equal((await play.flotilla('node', 'approve', 'edge-1', '--key', key)).code, 0);
    await play.isUp('edge-1', 1);
    await eventually('the bundle is there', () => play.manifests('edge-1').length === 1);
    await play.becomes('edge-1', 'Ready');
    const { lastRefusal } = (await play.node('edge-1')).status.flotilla;
    assert.equal(lastRefusal, null, 'an assignment of before its question is nothing to tell');
  });

  test('a token that did its work lets nobody else in, and says who tried (S79)', async () => {
    const file = await play.token('--uses', '2');
    const line = readFileSync(file, 'utf8');
    const again = (name: string) => play.write(name, line);
    const both = ['two-a', 'two-b'].map(name => play.enrol(again(`${name}.t`), name));
    assert.deepEqual(
      (await Promise.all(both)).map(({ code }) => code),
      [0, 0],
    );
    const late = await play.enrol(again('late.t'), 'two-c');
    assert.equal(late.code, 2);
    assert.match(late.stderr, /the token is used/);
    const id = line.split(' ')[1]?.split('.')[0] ?? '';
    const [events, described] = await Promise.all([
      play.ok('get', 'events'),
      play.ok('describe', 'token', id),
    ]);
    assert.match(events, /TokenReused .*node\/two-[ab] .*as node "two-c" from/);
    assert.match(described, /2 of 2/);
    assert.equal(described.includes(line.split('.').at(-1) ?? ''), false);
    await play.ok('delete', 'token', id, '--yes');
    const gone = await play.enrol(again('gone.t'), 'two-d');
    assert.match(gone.stderr, /the token is not valid/);
  });

  test('a copied disk is noticed, and gets nothing new until a person has looked (S73)', async () => {
    cpSync(play.path('two-a'), play.path('copy'), { recursive: true });
    play.startAgent('two-a');
    await play.isUp('two-a', 1);
    // A device that is killed and comes back is no copy.
    await play.kill('two-a', 'SIGKILL');
    play.startAgent('two-a');
    await play.isUp('two-a', 2);
    assert.equal(/seems to be cloned/.test(play.log('hub')), false);
    const generation = async () => (await play.node('two-a')).status.flotilla.generation;
    play.startAgent('copy', '--node-name', 'two-a');
    await eventually('it is noticed', () => /seems to be cloned/.test(play.log('hub')));
    await play.isUp('copy', 1);
    await play.kill('copy', 'SIGKILL');
    await play.isUp('two-a', 3);
    await play.becomes('two-a', 'Ready,CloneSuspected');
    // What it had before, as it says itself.
    const held = await eventually('the hub knows what it has', async () => {
      const { stdout } = await play.agent('status', '-o', 'json', '--data-dir', play.path('two-a'));
      const { hub } = JSON.parse(stdout) as { hub: { generation: number } };
      return (await generation()) === hub.generation && hub.generation;
    });
    play.write('more/more.json', pod('more'));
    await play.ok('apply', '-f', play.path('more'), '--bundle', 'more', '--all-nodes');
    await eventually('another node has it', () => play.manifests('edge-1').length === 2);
    assert.equal(play.manifests('two-a').length, 1);
    assert.equal(await generation(), held);
    await play.ok('node', 'approve', 'two-a', '--yes');
    await eventually('it goes on', () => play.manifests('two-a').length === 2);
    // The one that is left was passed by the copy's numbers; it is heard all the same.
    await play.becomes('two-a', 'Ready');
    await eventually('its statuses count', async () => (await generation()) > held);
    const { conditions = [] } = (await play.node('two-a')).status;
    assert.equal(
      conditions.some(({ type }) => ['JournalIntact', 'CloneSuspected'].includes(type)),
      false,
    );
    await play.ok('delete', 'bundle', 'more', '--yes');
    await play.kill('two-a', 'SIGKILL');
  });

  test('other keys, while it runs: the hub and the broker know it by the new ones', async () => {
    const before = await play.keyAt('edge-1');
    const { generation } = (await play.node('edge-1')).status.flotilla;
    const sealing = readFileSync(play.path('edge-1/identity/sealing.key'), 'utf8');
    const unasked = await play.agent('rotate-identity', '--data-dir', play.path('edge-1'));
    assert.match(unasked.stderr, /nobody is here to be asked: Replace the identity key/);
    const { code, stdout, stderr } = await play.agent(
      ...['rotate-identity', '--yes', '--data-dir', play.path('edge-1')],
    );
    assert.equal(code, 0, stderr);
    const key = /Key: (sha256:[0-9a-f]{64})/.exec(stdout)?.[1] ?? '';
    assert.notEqual(key, before);
    assert.equal(await play.keyAt('edge-1'), key);
    await play.isUp('edge-1', 2);
    await eventually('a status under the new key', async () => {
      return (await play.node('edge-1')).status.flotilla.generation > generation;
    });
    const former = readFileSync(play.path('edge-1/identity/sealing.previous.key'), 'utf8');
    assert.equal(former, sealing);
    await eventually('what ran runs', () => play.manifests('edge-1').length === 1);
  });

  test('a stolen device is shut out within five seconds, its successor goes on (S72, S35, S84)', async () => {
    const { generation } = (await play.node('edge-1')).status.flotilla;
    const cut = () => /no connection to the broker/.test(play.log('edge-1').slice(told));
    const told = play.log('edge-1').length;
    const revoked = await play.flotilla('node', 'revoke', 'edge-1', '--yes');
    await eventually('the session is cut', cut, { withinMs: 5_000 });
    assert.match(revoked.stdout, /bundle default\/shop revision 1/);
    assert.equal(await play.statusOf('edge-1'), 'Revoked');
    await eventually('renewal is refused', () => /is revoked/.test(play.log('edge-1')));
    const joined = await play.enrol(await play.token(), 'edge-1', 'new-1');
    assert.equal(joined.code, 0, joined.stderr);
    play.startAgent('new-1', '--node-name', 'edge-1');
    await play.isUp('new-1', 1);
    await eventually('a higher generation', async () => {
      return (await play.node('edge-1')).status.flotilla.generation > generation;
    });
    assert.match(
      play.log('edge-1').split('connected to the broker').at(-1) ?? '',
      /Not authorized/,
    );
    assert.equal(play.manifests('edge-1').length, 1, 'what ran on the old device runs on');
  });
});

describe('release keys that reach labelled nodes, and few of them', { skip: noEngine() }, () => {
  const play = new Fleet();
  before(async () => {
    await play.init('--bundle-node-label', 'site=harbour', '--bundle-max-nodes', '2');
    play.startHub();
    await play.hubAnswers();
    play.write('shop/web.json', pod('web'));
  });
  after(() => play.close());
  const apply = (...options: string[]) =>
    play.flotilla('apply', '-f', play.path('shop'), '--bundle', 'shop', ...options);

  test('are kept to both, at apply and when a node joins later', async () => {
    const [harbour, lake] = await Promise.all([
      play.token('--label', 'site=harbour', '--uses', '9'),
      play.token('--label', 'site=lake'),
    ]);
    const line = readFileSync(harbour, 'utf8');
    const enrol = (name: string) => play.enrol(play.write(`${name}.t`, line), name);
    const joined = await Promise.all([enrol('h1'), play.enrol(lake, 'l1')]);
    assert.deepEqual(
      joined.map(({ code }) => code),
      [0, 0],
    );
    const outside = await apply('--all-nodes');
    assert.equal(outside.code, 2, outside.stderr);
    assert.match(outside.stderr, /1 of the 2 nodes .*\(l1\): .*site=harbour; the node enrolled/);

    await Promise.all([enrol('h2'), enrol('h3')]);
    const many = await apply('--nodes', 'site=harbour');
    assert.equal(many.code, 2, many.stderr);
    assert.match(
      many.stderr,
      /would reach 3 nodes, and the release keys .* at most 2: select fewer/,
    );

    await play.ok('node', 'revoke', 'h3', '--yes');
    assert.equal((await apply('--nodes', 'site=harbour')).code, 0);
    for (const name of ['h1', 'h2']) play.startAgent(name);
    for (const name of ['h1', 'h2']) {
      await play.isUp(name, 1);
      await eventually(`${name} has it`, () => play.manifests(name).length === 1);
    }
    assert.equal((await enrol('h4')).code, 0);
    play.startAgent('h4');
    await play.isUp('h4', 1);
    await eventually('it is said', async () => {
      const { items } = await play.ask<{ items: { reason: string; message: string }[] }>(
        '/api/v1/events',
      );
      return items.some(e => e.reason === 'BeyondReach' && /^1 node .*h4$/.test(e.message));
    });
    assert.deepEqual(play.manifests('h4'), []);
  });
});

describe(
  'a node that was away for more than a year (S32)',
  { skip: noEngine() || noFaketime() },
  () => {
    const play = new Fleet();
    after(() => play.close());
    const web = () => runningOf(play.path('far'), { pod: 'web-far', container: 'app' });

    test('complaint 15: comes back unattended: four roots, another hub key, another authority, expired certificate (S84); its pod never stops', async () => {
      await play.init();
      startHubInThePast(play, '-400d');
      await play.hubAnswers();
      play.write('shop/web.json', pod('web'));
      await play.ok('apply', '-f', play.path('shop'), '--bundle', 'shop', '--all-nodes');
      assert.equal((await play.enrol(await play.token(), 'far')).code, 0);
      play.startAgent('far');
      await play.isUp('far', 1);
      await eventually('revision 1', () => play.manifests('far').length === 1);
      const running = await eventually('its pod runs', () => web() || null);
      await play.kill('far', 'SIGTERM');
      await play.kill('hub', 'SIGTERM');
      const former = readFileSync(play.path('far/identity/tls.crt'), 'utf8');

      await changeHubKeys(play.path('hub'), { steps: 4 });
      play.startHub();
      await play.hubAnswers();
      for (const name of ['a', 'b']) play.write(`shop/${name}.json`, pod(name));
      const options = ['--bundle', 'shop', '--all-nodes', '--prune'];
      await play.ok('apply', '-f', play.path('shop'), ...options);
      play.write('shop/c.json', pod('c'));
      await play.ok('apply', '-f', play.path('shop'), ...options);

      play.startAgent('far');
      await play.isUp('far', 2);
      await eventually('four pods', () => play.manifests('far').length === 4);
      await eventually('the newest revision', async () => {
        const { bundles, rootVersion } = (await play.node('far')).status.flotilla;
        return rootVersion === 5 && bundles.some(b => b.name === 'shop' && b.revision === 3);
      });
      assert.notEqual(readFileSync(play.path('far/identity/tls.crt'), 'utf8'), former);
      assert.equal(web(), running);
      await eventually('nothing of the renewal is left', () =>
        readdirSync(join(play.path('far'), 'identity')).every(name => !name.includes('next')),
      );
    });
  },
);
