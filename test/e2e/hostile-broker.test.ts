/**
 * A broker that speaks MQTT and keeps none of its rules: it delivers what nobody subscribed to. On
 * real sockets, with a real node (security.md S68).
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seal } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { fastClock } from '../support/fast-clock.js';
import { assignmentDocument, FLEET, HUB, NODE_NAME, NOW } from '../support/fleet.js';
import { startNode, type TestNode } from '../support/intake-node.js';
import { eventually } from '../support/wait.js';

const [CONNECT, PUBLISH, PUBACK, SUBSCRIBE, SUBACK] = [1, 3, 4, 8, 9];

/** Answers what a client waits for (MQTT 3.1.1), and hands out its socket. */
function startHostileBroker(onSocket: (socket: Socket, topics: string[]) => void): Promise<Server> {
  const server = createServer(socket => {
    let buffer = Buffer.alloc(0);
    const published: string[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (let packet = take(); packet !== null; packet = take()) answer(packet);
    });
    const take = (): { type: number; flags: number; body: Buffer } | null => {
      let length = 0;
      let at = 1;
      for (let shift = 0; ; shift += 7) {
        const byte = buffer[at++];
        if (byte === undefined) return null;
        length += (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      if (buffer.length < at + length) return null;
      const first = buffer[0] ?? 0;
      const body = buffer.subarray(at, at + length);
      buffer = buffer.subarray(at + length);
      return { type: first >> 4, flags: first & 0x0f, body };
    };
    const answer = ({ type, body }: { type: number; body: Buffer }) => {
      if (type === CONNECT) socket.write(Buffer.from([0x20, 2, 0, 0]));
      if (type === SUBSCRIBE) {
        const filters = countFilters(body);
        const grants = Buffer.alloc(filters, 1);
        const head = [((SUBACK ?? 0) << 4) | 0, 2 + filters, body[0] ?? 0, body[1] ?? 0];
        socket.write(Buffer.concat([Buffer.from(head), grants]));
      }
      if (type !== PUBLISH) return;
      const length = body.readUInt16BE(0);
      published.push(body.subarray(2, 2 + length).toString());
      const id = body.subarray(2 + length, 4 + length);
      socket.write(Buffer.concat([Buffer.from([(PUBACK ?? 0) << 4, 2]), id]));
      onSocket(socket, published);
    };
  });
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function countFilters(body: Buffer): number {
  let count = 0;
  for (let at = 2; at < body.length; at += 3 + body.readUInt16BE(at)) count++;
  return count;
}

function publishPacket(topic: string, payload: Buffer): Buffer {
  const name = Buffer.from(topic);
  const body = Buffer.concat([Buffer.from([name.length >> 8, name.length & 0xff]), name, payload]);
  const length: number[] = [];
  for (let rest = body.length; ;) {
    const low = rest & 0x7f;
    rest >>= 7;
    length.push(rest > 0 ? low | 0x80 : low);
    if (rest === 0) break;
  }
  return Buffer.concat([Buffer.from([(PUBLISH ?? 0) << 4, ...length]), body]);
}

let server: Server;
let node: TestNode;
const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-hostile-'));
const state: { socket: Socket | null; published: string[] } = { socket: null, published: [] };

before(async () => {
  server = await startHostileBroker((socket, published) => {
    state.socket = socket;
    state.published = published;
  });
  const nonce = 'ab'.repeat(16);
  const assignment = seal('assignment', assignmentDocument({ nonce, bundles: [] }), [HUB]);
  const { port } = server.address() as AddressInfo;
  node = startNode({ dataDir, port, clock: fastClock(NOW), first: { nonce, assignment } });
  await eventually('the node is connected', () => state.socket && node.session.connected());
});
after(async () => {
  await node.stop();
  state.socket?.destroy();
  server.close();
  rmSync(dataDir, { recursive: true });
});

test('S68: topics that are not its own are ignored and counted; it answers on its own alone', async () => {
  const topics = topicsOf(FLEET);
  const good = seal('assignment', assignmentDocument({ generation: 50, bundles: [] }), [HUB]);
  const strays = [
    topics.node('edge-2', 'assignment'),
    `${topics.node(NODE_NAME, 'assignment')}/more`,
    `${topics.node(NODE_NAME, 'assignment')}/`,
    `flotilla/v1/${'0'.repeat(32)}/node/${NODE_NAME}/assignment`,
    `x/${topics.node(NODE_NAME, 'assignment')}`,
    '$SYS/broker/uptime',
  ];
  for (const topic of strays) state.socket?.write(publishPacket(topic, good));
  await eventually('all are counted', () => {
    return node.session.refusals().get('UnexpectedTopic') === strays.length;
  });
  assert.equal(node.journal.accepted()?.generation, 7);
  const own = topics.node(NODE_NAME, 'assignment');
  state.socket?.write(publishPacket(own, good));
  await eventually('its own is taken', () => node.journal.accepted()?.generation === 50);
  const foreign = state.published.filter(
    topic => !topic.startsWith(topics.node(NODE_NAME, 'status').slice(0, -6)),
  );
  assert.deepEqual(foreign, []);
});
