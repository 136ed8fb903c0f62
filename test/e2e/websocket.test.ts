/**
 * A site that lets nothing out but HTTPS: MQTT in the frames of a WebSocket on the hub's port, with real programs. The same people come in
 * as by the broker's own port, and may do the same.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { WebSocket, type ClientOptions } from 'ws';
import { loadIdentity } from '../../agent/membership/identity.js';
import { topicsOf } from '../../protocol/topics.js';
import { tlsOf } from '../support/join-world.js';
import { freePort } from '../support/ports.js';
import { cableTo, Playground, writeMosquitto, type Cable } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const play = new Playground();
const MOSQUITTO = '/usr/sbin/mosquitto';
let https: Cable;
let port = 0;

function pod(image: string): string {
  const spec = `spec: {containers: [{name: c, image: "${image}"}]}`;
  return `{apiVersion: v1, kind: Pod, metadata: {name: web}, ${spec}}`;
}

/** What lies in the node's static pod directory. */
function manifests(node: string): string {
  const folder = play.path(node, 'manifests');
  if (!existsSync(folder)) return '';
  const files = readdirSync(folder).filter(name => name.endsWith('.json'));
  return files.map(name => readFileSync(`${folder}/${name}`, 'utf8')).join('\n');
}

async function apply(image: string): Promise<void> {
  await play.ok(
    'apply',
    '-f',
    play.write('web.yaml', pod(image)),
    '--bundle',
    'web',
    '--all-nodes',
  );
}

async function isReady(node: string): Promise<boolean> {
  return new RegExp(`${node} +Ready `).test(await play.ok('get', 'nodes'));
}

/** Nodes are told of these brokers. */
function advertise(...brokers: string[]): void {
  const file = play.path('hub/hub.yaml');
  const text = readFileSync(file, 'utf8').replace(/( *brokers:\n)(?: *- .*\n)+/, '$1');
  const lines = brokers.map(broker => `    - ${broker}\n`).join('');
  writeFileSync(file, text.replace(/( *brokers:\n)/, `$1${lines}`));
}

function certificateOf(node: string) {
  const identity = loadIdentity(play.path(node));
  assert.ok(identity);
  return { ...tlsOf(identity), servername: 'flotilla-hub' };
}

before(async () => {
  port = await freePort();
  const listen = [
    '--listen',
    `127.0.0.1:${port}`,
    '--mqtt-listen',
    `127.0.0.1:${await freePort()}`,
  ];
  await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
  https = await cableTo(port);
  // Nobody listens there: a firewall that refuses.
  const closed = await freePort();
  advertise(`mqtts://127.0.0.1:${closed}`, `wss://127.0.0.1:${https.port}/mqtt`);
  play.startHub();
  await play.hubAnswers();
});
after(async () => {
  await play.close();
  await https.close();
});

describe('a node whose site lets nothing out but HTTPS', () => {
  test('joins and applies a bundle, and says which way it took', async () => {
    await play.joinWith('edge-1', ['--runtime', 'none']);
    await eventually('it is ready', () => isReady('edge-1'));
    await apply('flotilla.dev/test:1');
    await eventually('the manifest lies there', () => manifests('edge-1').includes('test:1'));
    const log = play.log('edge-1');
    assert.match(log, /no connection to the broker broker=mqtts:.*ECONNREFUSED/);
    assert.match(log, /connected to the broker over="?WebSocket, wss:\/\/127\.0\.0\.1:\d+\/mqtt/);
  });

  test('is away when the line is cut, and has the newest revision when it is back', async () => {
    https.pull();
    await eventually('it is away', () =>
      /no connection to the broker broker=wss/.test(play.log('edge-1')),
    );
    await eventually('the hub knows', async () =>
      /edge-1 +NotReady/.test(await play.ok('get', 'nodes')),
    );
    await apply('flotilla.dev/test:2');
    await apply('flotilla.dev/test:3');
    https.mend();
    await eventually('the newest lies there', () => manifests('edge-1').includes('test:3'));
    await eventually('it is ready', () => isReady('edge-1'));
  });
});

describe('the broker behind the WebSocket', () => {
  let topics: ReturnType<typeof topicsOf>;
  const open: MqttClient[] = [];
  before(async () => {
    await play.kill('edge-1', 'SIGTERM');
    topics = topicsOf(loadIdentity(play.path('edge-1'))?.membership.fleet ?? '');
  });
  after(async () => {
    for (const client of open) await client.endAsync(true);
  });

  function client(options: IClientOptions = {}): MqttClient {
    const url = `wss://127.0.0.1:${port}/mqtt`;
    const made = connect(url, {
      ...{ clientId: 'edge-1', protocolVersion: 4, reconnectPeriod: 0 },
      wsOptions: certificateOf('edge-1'),
      ...options,
    });
    made.on('error', () => undefined);
    open.push(made);
    return made;
  }

  test('lets a node in under its own name', async () => {
    const made = client();
    await eventually('it is in', () => made.connected);
    const own = topics.node('edge-1', 'assignment');
    const granted = await made
      .subscribeAsync([own, topics.node('edge-2', 'assignment')], { qos: 1 })
      .catch((error: unknown) => (error as { packet?: { granted: number[] } }).packet?.granted);
    assert.deepEqual(granted, [1, 128]);
    await made.endAsync();
  });

  test('and under no other', async () => {
    const made = client({ clientId: 'edge-2' });
    const error = await new Promise<object>(resolve => made.once('error', resolve));
    assert.equal((error as { code?: unknown }).code, 2);
  });

  test('cuts who writes on topics of another', async () => {
    const made = client();
    await eventually('it is in', () => made.connected);
    const closed = new Promise<void>(resolve => made.once('close', resolve));
    made.publish(topics.node('edge-2', 'status'), 'x', { qos: 1 }, () => undefined);
    await closed;
  });

  test('cuts who announces more than a message', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/mqtt`, 'mqtt', certificateOf('edge-1'));
    await once(socket, 'open');
    socket.send(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
    await once(socket, 'close');
    assert.match(play.log('hub'), /packet too large client=edge-1/);
  });

  test('takes frames with bytes alone', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/mqtt`, 'mqtt', certificateOf('edge-1'));
    await once(socket, 'open');
    socket.send('text');
    const [code] = (await once(socket, 'close')) as [number];
    assert.equal(code, 1003);
  });

  const admin = () => {
    const text = readFileSync(play.path('hub/admin.kubeconfig'), 'utf8');
    const of = (name: string) =>
      Buffer.from(new RegExp(`${name}: (\\S+)`).exec(text)?.[1] ?? '', 'base64').toString();
    return { cert: of('client-certificate-data'), key: of('client-key-data') };
  };
  const rows: readonly (readonly [
    string,
    string,
    string | undefined,
    () => ClientOptions,
    number,
  ])[] = [
    ['who has no certificate', '/mqtt', 'mqtt', () => ({ cert: undefined, key: undefined }), 403],
    ['an operator’s certificate', '/mqtt', 'mqtt', admin, 403],
    ['who does not want MQTT', '/mqtt', 'graphql-ws', () => ({}), 400],
    ['who wants nothing', '/mqtt', undefined, () => ({}), 400],
    ['a page of another site', '/mqtt', 'mqtt', () => ({ origin: 'https://evil.example' }), 403],
    ['another path', '/mqtt/more', 'mqtt', () => ({}), 403],
  ];
  for (const [sentence, path, protocol, options, status] of rows) {
    test(`is not for: ${sentence}`, async () => {
      const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, protocol, {
        ...certificateOf('edge-1'),
        ...options(),
      });
      socket.on('error', () => undefined);
      const [, response] = (await once(socket, 'unexpected-response')) as [
        unknown,
        { statusCode: number; on(event: 'data', heard: (chunk: Buffer) => void): unknown },
      ];
      assert.equal(response.statusCode, status);
    });
  }
});

describe('a Mosquitto with a WebSocket listener', { skip: !existsSync(MOSQUITTO) }, () => {
  const own = new Playground();
  after(() => own.close());

  test('serves an agent by it', async () => {
    const [api, mqtt, web] = [await freePort(), await freePort(), await freePort()];
    const broker = ['--broker', `mqtts://127.0.0.1:${mqtt}`];
    const listen = ['--listen', `127.0.0.1:${api}`];
    await own.ok('hub', 'init', '--data-dir', own.path('hub'), ...listen, ...broker);
    const config = await writeMosquitto(own, mqtt, '--websocket-listen', `127.0.0.1:${web}`);
    const file = own.path('hub/hub.yaml');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(/ {4}- mqtts.*/, `    - wss://127.0.0.1:${web}/mqtt`),
    );
    own.start('mosquitto', MOSQUITTO, ['-c', config]);
    own.startHub();
    await own.hubAnswers();
    await own.joinWith('edge-1', ['--runtime', 'none']);
    await eventually('it is ready', async () => / Ready /.test(await own.ok('get', 'nodes')));
    assert.match(own.log('edge-1'), /connected to the broker over="?WebSocket/);
  });
});
