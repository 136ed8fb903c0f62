/**
 * Mosquitto as the hub configures it, told as a story on real parts: hub, agents and Mosquitto as processes. Its dynamic
 * security is kept in step, who is revoked is cut off, and what is too large is refused at its header.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { connect as openSocket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect, type MqttClient } from 'mqtt';
import type { AgentStatus } from '../../agent/agent-status.js';
import type { NodeObject } from '../../hub/objects.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import { podText } from '../support/attacks/documents.js';
import { ensureTestImage, noEngine } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground, writeMosquitto } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const MOSQUITTO = '/usr/sbin/mosquitto';
const why = existsSync(MOSQUITTO) ? false : 'Mosquitto is not installed';
/** Of a revoked node's live session. */
const CUT_MS = 5_000;

interface Client {
  readonly username: string;
  readonly roles: readonly { readonly rolename: string }[];
}

class World {
  readonly play = new Playground();
  readonly #open: MqttClient[] = [];
  mqtt = 0;
  topics!: Topics;

  async begin(...options: string[]): Promise<void> {
    const { play } = this;
    const api = await freePort();
    this.mqtt = await freePort();
    const broker = ['--broker', `mqtts://127.0.0.1:${this.mqtt}`, ...options];
    const listen = ['--listen', `127.0.0.1:${api}`, ...broker];
    const made = await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    this.topics = topicsOf(/fleet +([0-9a-f]{32})/.exec(made)?.[1] ?? '');
    await writeMosquitto(play, this.mqtt);
    await this.startBroker();
    play.startHub();
    await play.hubAnswers();
  }

  async startBroker(): Promise<void> {
    this.play.start('mosquitto', MOSQUITTO, ['-c', this.play.path('mosquitto/mosquitto.conf')]);
    await listens(this.mqtt);
  }

  /** Enrols a device whose certificate the test uses; no agent runs. */
  async enrol(node: string): Promise<void> {
    const { play } = this;
    const line = play.write(`${node}.token`, await play.ok('token', 'create'));
    const dir = ['--node-name', node, '--data-dir', play.path(node)];
    const { code, stderr } = await play.agent('join', '--token-file', line, ...dir);
    assert.equal(code, 0, stderr);
  }

  async connect(node: string, clientId = node): Promise<MqttClient> {
    const file = (...parts: string[]) => readFileSync(this.play.path(...parts));
    const client = connect(`mqtts://127.0.0.1:${this.mqtt}`, {
      ca: file('hub/pki/ca.crt'),
      key: file(node, 'identity/tls.key'),
      cert: file(node, 'identity/tls.crt'),
      clientId,
      protocolVersion: 4,
      reconnectPeriod: 0,
    });
    this.#open.push(client);
    client.on('error', () => undefined);
    await eventually(`${node} connects`, () => client.connected);
    return client;
  }

  /** What dynamic security has, from the file that Mosquitto keeps. */
  clients(): readonly Client[] {
    const text = readFileSync(this.play.path('mosquitto/dynamic-security.json'), 'utf8');
    return (JSON.parse(text) as { clients: Client[] }).clients;
  }

  /** An agent that runs no pods, until it is connected. */
  async startAgent(node: string): Promise<void> {
    await this.enrol(node);
    this.play.startAgent(node, '--runtime', 'none');
    await eventually(`${node} is connected`, async () => (await this.told(node))?.hub?.connected);
  }

  /** What a person at the device is told. */
  async told(node: string): Promise<AgentStatus | null> {
    const dir = ['--data-dir', this.play.path(node)];
    const { code, stdout } = await this.play.agent('status', ...dir, '-o', 'json');
    return code === 0 ? (JSON.parse(stdout) as AgentStatus) : null;
  }

  /** That it was shut out, by which command it comes back. */
  async isToldOut(node: string): Promise<boolean> {
    const enrolled = (await this.told(node))?.conditions.find(({ type }) => type === 'Enrolled');
    if (enrolled?.status !== 'False') return false;
    assert.equal(enrolled.reason, 'RenewalRefused');
    assert.match(enrolled.message, /is revoked\. What runs goes on/);
    assert.match(enrolled.message, new RegExp(`flotilla-agent join .* --node-name ${node} `));
    return true;
  }

  knows(node: string): boolean {
    return this.clients().some(({ username }) => username === node);
  }

  async close(): Promise<void> {
    for (const client of this.#open) await client.endAsync(true);
    await this.play.close();
  }
}

/** Until somebody answers at the port. */
function listens(port: number): Promise<unknown> {
  return eventually('the broker listens', () => {
    return new Promise<boolean>(done => {
      const socket = openSocket(port, '127.0.0.1', () => {
        socket.destroy();
        done(true);
      });
      socket.on('error', () => done(false));
    });
  });
}

/** True when the broker grants the subscription. */
async function isGranted(client: MqttClient, filter: string): Promise<boolean> {
  try {
    const granted = await client.subscribeAsync(filter, { qos: 1 });
    return granted.every(({ qos }) => qos < 128);
  } catch {
    return false;
  }
}

describe('dynamic security of Mosquitto', { skip: why }, () => {
  const world = new World();
  const { play } = world;
  before(() => world.begin('--dynamic-security'));
  after(() => world.close());

  test('a node that joins is let in, and may do what is its own and nothing else', async () => {
    await world.enrol('edge-1');
    await world.enrol('edge-2');
    await eventually('both are known', () => world.knows('edge-1') && world.knows('edge-2'));
    const { topics } = world;
    const one = await world.connect('edge-1');
    const two = await world.connect('edge-2');
    for (const filter of [
      topics.node('edge-1', 'assignment'),
      topics.hub(),
      `${topics.root()}/+`,
    ]) {
      assert.ok(await isGranted(one, filter), filter);
    }
    for (const filter of [
      `${topics.prefix}#`,
      topics.node('edge-2', 'assignment'),
      topics.mark(),
    ]) {
      assert.ok(!(await isGranted(one, filter)), filter);
    }
    const heard: string[] = [];
    one.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString('latin1')}`));
    await two.publishAsync(topics.node('edge-1', 'assignment'), 'forged', { qos: 1, retain: true });
    await two.publishAsync(topics.hub(), 'forged', { qos: 1 });
    const own = topics.node('edge-1', 'presence');
    assert.ok(await isGranted(one, own));
    await one.publishAsync(own, 'mine', { qos: 1 });
    await eventually('its own word comes back', () => heard.includes(`${own} mine`));
    assert.ok(!heard.some(said => said.endsWith('forged')));
  });

  test(
    'an agent runs what the hub gives it: nothing that it needs is closed',
    { skip: noEngine() },
    async () => {
      ensureTestImage();
      await play.join('edge-9', '--label', 'agent=yes');
      play.write('web/pod.json', JSON.stringify(podText('web')));
      const reach = ['--nodes', 'agent=yes', '--wait', '--timeout', '2m'];
      await play.ok('apply', '-f', play.path('web'), ...reach);
      const { items } = await play.json<{ items: { status: { phase: string } }[] }>('get', 'pods');
      assert.deepEqual(
        items.map(({ status }) => status.phase),
        ['Running'],
      );
      assert.doesNotMatch(play.log('edge-9'), /refuses a subscription/);
      await play.kill('edge-9', 'SIGTERM');
    },
  );

  test('the client id is that of the certificate: nobody pushes another away', async () => {
    const one = await world.connect('edge-1');
    const thief = await world.connect('edge-2', 'edge-1');
    await thief.subscribeAsync(world.topics.hub());
    assert.ok(one.connected);
  });

  test('S72: a revoked node is cut off within five seconds, and may do nothing when it comes back', async () => {
    const live = await world.connect('edge-2');
    const cut = new Promise<number>(done => live.once('close', () => done(performance.now())));
    // The start of a program is no part of it.
    await play.ok('node', 'revoke', 'edge-2', '--yes');
    const since = performance.now();
    const took = (await cut) - since;
    assert.ok(took < CUT_MS, `${Math.round(took)} ms`);
    await eventually('it is known no more', () => !world.knows('edge-2'));
    const again = await world.connect('edge-2');
    assert.ok(!(await isGranted(again, world.topics.node('edge-2', 'assignment'))));
    assert.ok(world.knows('edge-1'));
  });

  test('S72: an agent that is revoked says so to the person at the device, and that no broker lets it in', async () => {
    await world.startAgent('edge-5');
    await play.ok('node', 'revoke', 'edge-5', '--yes');
    await eventually('it is told', () => world.isToldOut('edge-5'), { withinMs: 20_000 });
    const hub = (await world.told('edge-5'))?.hub;
    assert.equal(hub?.connected, false);
    assert.match(
      hub.linkFault ?? '',
      /not authorized: the broker grants this node none of its topics/,
    );
    await play.kill('edge-5', 'SIGTERM');
  });

  test('what happened while the broker was away is made up for, and clients of others stay', async () => {
    await play.kill('mosquitto', 'SIGTERM');
    const path = play.path('mosquitto/dynamic-security.json');
    const document = JSON.parse(readFileSync(path, 'utf8')) as { clients: object[] };
    document.clients.push({ username: 'dashboard', roles: [] });
    play.write('mosquitto/dynamic-security.json', JSON.stringify(document));
    await world.enrol('edge-3');
    await play.ok('node', 'revoke', 'edge-1', '--yes');
    await world.startBroker();
    await eventually('it is in step', () => world.knows('edge-3') && !world.knows('edge-1'), {
      withinMs: 40_000,
    });
    assert.ok(world.knows('dashboard'));
    assert.equal(play.log('hub').match(/left as they are: dashboard/g)?.length, 1);
  });

  test('a packet that announces more than a message is refused at its header', async () => {
    const client = await world.connect('edge-3');
    const over = new Promise<void>(done => client.once('close', () => done()));
    // PUBLISH, QoS 0, of 200 MiB: the header alone.
    client.stream.write(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x64]));
    await over;
    await eventually('it is said', () =>
      /edge-3 disconnected due to oversize packet/.test(play.log('mosquitto')),
    );
  });
});

describe('rules of Mosquitto in a file', { skip: why }, () => {
  const world = new World();
  const { play } = world;
  before(() => world.begin());
  after(() => world.close());

  test('a revoked node keeps its connection, which is said; its topics are empty', async () => {
    await world.enrol('edge-1');
    const live = await world.connect('edge-1');
    const assignment = world.topics.node('edge-1', 'assignment');
    const heard: Buffer[] = [];
    live.on('message', (topic, payload) => topic === assignment && heard.push(payload));
    await live.subscribeAsync(assignment, { qos: 1 });
    await eventually('its assignment', () => heard.some(payload => payload.byteLength > 0));
    const said = await play.ok('node', 'revoke', 'edge-1', '--yes');
    assert.match(said, /connection to the broker lives/);
    await eventually('the assignment is taken away', () => heard.at(-1)?.byteLength === 0);
    assert.ok(live.connected);
  });

  test('an agent that is revoked says so to the person at the device, though the broker lets it stay', async () => {
    await world.startAgent('edge-6');
    await eventually('one that runs no pods reports too', async () => {
      const { status } = await play.json<NodeObject>('get', 'nodes', 'edge-6');
      return status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    });
    await play.ok('node', 'revoke', 'edge-6', '--yes');
    await eventually('it is told', () => world.isToldOut('edge-6'), { withinMs: 20_000 });
    await play.kill('edge-6', 'SIGTERM');
  });

  test('another node’s topics are closed, and no rule is asked of whom it is not for', async () => {
    await world.enrol('edge-2');
    await world.enrol('edge-3');
    const two = await world.connect('edge-2');
    const three = await world.connect('edge-3', 'edge-2');
    const own = world.topics.node('edge-2', 'presence');
    const assignment = world.topics.node('edge-2', 'assignment');
    const heard: string[] = [];
    two.on('message', topic => heard.push(topic));
    await two.subscribeAsync([own, assignment]);
    await eventually('its assignment', () => heard.includes(assignment));
    heard.length = 0;
    await three.publishAsync(assignment, 'forged', { qos: 1, retain: true });
    await three.publishAsync(own, 'forged', { qos: 1, retain: true });
    await two.publishAsync(own, 'mine', { qos: 1 });
    await eventually('its own word', () => heard.includes(own));
    assert.deepEqual(heard, [own]);
    assert.ok(two.connected, 'the client id is that of the certificate');
  });
});
