/** A node that no network reaches: the hub's word comes in a file, the node's goes back in one. Real hub, agent, engine, registry. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, randomHex, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { noRegistry, startRegistry, type TestRegistry } from '../support/registry.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

interface NodeObject {
  readonly status: {
    readonly flotilla: {
      readonly generation: number;
      readonly bundles: readonly { name: string; revision: number; state: string }[];
    };
  };
}

interface EventItem {
  readonly flotilla: { readonly node: string; readonly n: number };
}

describe('by stick', { skip: noEngine() || noRegistry() }, () => {
  const play = new Playground();
  let registry: TestRegistry;
  let image = '';
  const stick = (name: string) => play.path('stick', name);

  const manifest = (word: string, of = ensureTestImage()) => {
    const command = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'];
    const app = { name: 'app', image: of, command, env: [{ name: 'WORD', value: word }] };
    const spec = { terminationGracePeriodSeconds: 1, containers: [app] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec };
    play.write('web/pod.json', JSON.stringify(pod));
  };
  const apply = async (...more: string[]) =>
    play.ok('apply', '-f', play.path('web'), '--all-nodes', '--min-ready', '1s', ...more);
  const running = () => runningOf(play.path(NODE), { container: 'app' });
  const word = () => docker('exec', running(), 'sh', '-c', 'echo $WORD');
  const take = (file: string, ...more: string[]) =>
    play.agent('import', stick(file), '--data-dir', play.path(NODE), ...more);
  const hubSays = async () => (await play.json<NodeObject>('get', 'node', NODE)).status.flotilla;
  const away = () => play.kill(NODE, 'SIGTERM');
  const startHub = async () => {
    play.startHub();
    await play.hubAnswers();
  };
  /** Hub and broker are gone; the agent starts alone. */
  const atTheDevice = async (work: () => Promise<void>) => {
    await play.kill('hub', 'SIGKILL');
    play.startAgent(NODE);
    await eventually('the agent answers', async () => {
      const { code } = await play.agent('status', '--data-dir', play.path(NODE));
      return code === 0;
    });
    await work();
    await away();
    await startHub();
  };

  before(async () => {
    registry = await startRegistry({ password: false });
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    await startHub();
    await play.join(NODE);
    await eventually('the node reports', async () => (await hubSays()).generation > 0);
    await away();
    play.write('stick/.keep', '');
  });
  after(async () => {
    registry.close();
    await play.close();
    if (image !== '') docker('image', 'rm', '-f', image);
  });

  test('an export names what is in it; the node runs it, and writes a receipt', async () => {
    manifest('one');
    await apply();
    const told = await play.ok('bundle', 'export', '--node', NODE, '-o', stick('a.flotilla'));
    assert.match(told, /a\.flotilla: 1 node, \d+ messages, \d+ KiB/);
    await atTheDevice(async () => {
      const { code, stdout, stderr } = await take('a.flotilla');
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /root 1, unchanged\nassignment \d+, was \d+\n/);
      assert.match(stdout, /bundle\/web \(default\) revision 1: healthy/);
      assert.match(stdout, /edge-1\.receipt: for the hub/);
      assert.equal(word(), 'one');
      const again = await take('a.flotilla');
      assert.equal(again.code, 0, again.stdout + again.stderr);
      assert.match(again.stdout, /assignment \d+, unchanged/);
    });
  });

  test('the receipt tells the hub all of it, once', async () => {
    assert.deepEqual((await hubSays()).bundles, []);
    const told = await play.ok('bundle', 'import', stick('edge-1.receipt'));
    assert.match(told, /node\/edge-1 recorded: generation \d+, default\/web 1 healthy/);
    /** The node's own: the hub tells things of it too. */
    const events = async () => {
      const { items } = await play.json<{ items: EventItem[] }>('get', 'events', '-A');
      return items.filter(({ flotilla: { node, n } }) => node === NODE && n > 0).length;
    };
    const count = await events();
    assert.ok(count > 0);
    assert.match(await play.ok('get', 'events'), /BundleHealthy/);
    await play.ok('bundle', 'import', stick('edge-1.receipt'));
    assert.equal(await events(), count);
    assert.match(await play.ok('get', 'pods'), /web-edge-1 /);
    assert.match(await play.ok('get', 'nodes'), /edge-1 +(NotReady|Unknown)/);
  });

  test('the next export brings the change, and the word that the events are safe', async () => {
    manifest('two');
    await apply();
    await play.ok('bundle', 'export', '--all', '-o', stick('b.flotilla'));
    await atTheDevice(async () => {
      const before = running();
      const unconfirmed = async () => {
        const args = ['status', '-o', 'json', '--data-dir', play.path(NODE)];
        const { stdout } = await play.agent(...args);
        return (JSON.parse(stdout) as { journal: { unconfirmedEvents: number } }).journal
          .unconfirmedEvents;
      };
      const many = await unconfirmed();
      const early = await take('b.flotilla', '--timeout', '100ms');
      assert.equal(early.code, 3, early.stdout + early.stderr);
      assert.match(early.stderr, /bundle\/web revision 2 is not healthy after 100ms/);
      assert.match(early.stdout, /edge-1\.receipt: for the hub/);
      const { code, stdout, stderr } = await take('b.flotilla');
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /revision 2: healthy/);
      assert.notEqual(running(), before);
      assert.equal(word(), 'two');
      assert.ok((await unconfirmed()) < many + 3, 'what the hub has left the outbox');
      const old = await take('a.flotilla');
      assert.equal(old.code, 2);
      assert.match(old.stderr, /not all of it was accepted: Rollback/);
      assert.equal(word(), 'two');
    });
  });

  test('what is not whole, or not for this node, changes nothing and says so', async () => {
    await play.join('edge-2');
    await play.kill('edge-2', 'SIGTERM');
    await play.ok('bundle', 'export', '--node', 'edge-2', '-o', stick('other.flotilla'));
    const bytes = readFileSync(stick('b.flotilla'));
    writeFileSync(stick('cut.flotilla'), bytes.subarray(0, bytes.length / 3));
    writeFileSync(stick('endless.flotilla'), bytes.subarray(0, -1024));
    writeFileSync(stick('begun.flotilla'), bytes.subarray(0, 300));
    writeFileSync(stick('text.flotilla'), 'hello');
    writeFileSync(stick('pod.yaml'), 'apiVersion: v1\nkind: Pod\n');
    const flipped = Buffer.from(bytes);
    const at = flipped.indexOf('"payload":"') + 40;
    flipped[at] = flipped[at] === 65 ? 66 : 65;
    writeFileSync(stick('flipped.flotilla'), flipped);
    const wrongWay = await play.flotilla('bundle', 'import', stick('b.flotilla'));
    assert.equal(wrongWay.code, 2);
    assert.match(wrongWay.stderr, /it is an export for nodes[^]*flotilla-agent import/);
    const missing = await play.flotilla('bundle', 'export', '--node', 'edge-9', '-o', stick('x'));
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /"edge-9" not found among the members/);
    const there = await play.flotilla('bundle', 'export', '--all', '-o', stick('b.flotilla'));
    assert.match(there.stderr, /b\.flotilla.*exists|--force/);
    await atTheDevice(async () => {
      const before = running();
      for (const [file, why] of [
        [
          'other.flotilla',
          /holds nothing for edge-1: it is for edge-2\n[\s\S]*export --node edge-1/,
        ],
        ['cut.flotilla', /cut off or damaged/],
        ['endless.flotilla', /endless\.flotilla: cut off; copy it again/],
        ['begun.flotilla', /cut off or damaged/],
        ['flipped.flotilla', /damaged: \S+ is not what was written; copy it again/],
        ['text.flotilla', /not a file that Flotilla wrote/],
        ['none.flotilla', /no such file/],
        [
          'edge-1.receipt',
          /a receipt, which node edge-1 wrote for the hub: flotilla bundle import/,
        ],
        ['pod.yaml', /it is a manifest: flotilla apply -f/],
      ] as const) {
        const { code, stderr } = await take(file);
        assert.equal(code, 2, `${file}: ${stderr}`);
        assert.match(stderr, why);
      }
      assert.equal(running(), before);
    });
  });

  test('images come with it when the bundle binds them, and no others', async () => {
    const local = `flotilla.dev/stick-${randomHex(4)}:1`;
    const made = docker('create', ensureTestImage(), 'true');
    docker('commit', '--change', `LABEL stick=${randomHex(4)}`, made, local);
    docker('rm', made);
    image = registry.push(local, 'team/web:1');
    docker('image', 'rm', local);
    manifest('three', image);
    await apply();
    const loose = ['bundle', 'export', '--node', NODE, '--with-images', '-o', stick('c.flotilla')];
    assert.match((await play.flotilla(...loose)).stderr, /binds its images[\s\S]*--pin/);
    await apply('--pin');
    assert.match(
      (await play.flotilla(...loose)).stderr,
      /is not on this machine[\s\S]*docker pull/,
    );
    docker('pull', image);
    assert.match(await play.ok(...loose), /1 image,/);
    docker('image', 'rm', image);
    registry.close();
    await atTheDevice(async () => {
      const { code, stdout, stderr } = await take('c.flotilla');
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /images loaded/);
      await eventually('the pod runs the new image', () => running() !== '' && word() === 'three');
    });
  });
});
