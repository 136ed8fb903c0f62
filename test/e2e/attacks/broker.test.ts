/** The broker and its clients: S39, S62, S66. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, type TLSSocket } from 'node:tls';
import { seal } from '../../../protocol/envelope.js';
import { signerOf } from '../../../protocol/keys.js';
import { createPrivateKey } from 'node:crypto';
import { meansNothing, refuses } from '../../support/attacks/refusal.js';
import { attacks } from '../../support/attacks/row.js';
import { NODE, OTHER, type Victim } from '../../support/attacks/victim.js';
import { eventually } from '../../support/wait.js';

const MIB = 1024 * 1024;
const CONNACK = Buffer.from([0x20, 0x02, 0x00, 0x00]);
/** PUBLISH, QoS 0, of 200 MiB. */
const ANNOUNCED = Buffer.from([0x30, 0x80, 0x80, 0x80, 0x64]);

function memoryOf(victim: Victim): number {
  const status = readFileSync(`/proc/${victim.play.pid(NODE)}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** A broker of the attacker's in the place of the fleet's, with its certificate. */
async function announcesTooMuch(victim: Victim): Promise<void> {
  const file = (name: string) => readFileSync(victim.play.path('mosquitto', name));
  const port = Number(new URL(victim.broker().url).port);
  await victim.play.kill('mosquitto', 'SIGKILL');
  const before = memoryOf(victim);
  const sockets: TLSSocket[] = [];
  let hungUp = 0;
  const server = createServer({ key: file('server.key'), cert: file('server.crt') }, socket => {
    sockets.push(socket);
    let sent = 0;
    socket.on('error', () => undefined);
    socket.on('close', () => hungUp++);
    socket.once('data', () => {
      socket.write(CONNACK);
      socket.write(ANNOUNCED);
      const flood = () => {
        while (!socket.destroyed && sent < 200 * MIB && socket.write(Buffer.alloc(64 * 1024)))
          sent += 64 * 1024;
      };
      socket.on('drain', flood);
      flood();
    });
  });
  await new Promise<void>(done => server.listen(port, '127.0.0.1', done));
  assert.equal((server.address() as AddressInfo).port, port);
  try {
    await eventually('the agent hangs up on the header', () => hungUp > 0);
    const growth = memoryOf(victim) - before;
    assert.ok(growth < 32 * MIB, `the agent grew by ${Math.round(growth / MIB)} MiB`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>(done => server.close(() => done()));
  }
  await victim.brokerAgain();
  await victim.assign();
}

/** What a device of the fleet says on another's topics. */
async function writesToAnother(victim: Victim, isGuarded: boolean): Promise<void> {
  const key = readFileSync(victim.play.path(OTHER, 'identity/identity.key'));
  const thief = signerOf(createPrivateKey(key));
  const topic = victim.topics.node(NODE, 'assignment');
  const forged = () => seal('assignment', victim.next({ bundles: [] }), [thief]);
  if (isGuarded) {
    await meansNothing(victim, () => victim.publishAsDevice(topic, forged()));
    assert.notEqual(victim.statuses.at(-1)?.lastRefusal?.code, 'BadSignature', 'it came through');
    return;
  }
  const bytes = forged();
  await refuses(victim, {
    code: 'BadSignature',
    send: () => victim.publishAsDevice(topic, bytes),
  });
}

async function takesTheClientId(victim: Victim): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const thief = await victim.connectAs(NODE);
    await delay(200);
    await thief.endAsync(true);
  }
  await victim.assign();
}

attacks('the broker and its clients', [
  {
    id: 'S39',
    title: 'a packet of 200 MiB is announced and sent',
    run: async stage => announcesTooMuch(await stage.open()),
  },
  {
    id: 'S62',
    title: 'one device writes to the topics of another',
    run: async stage => {
      await writesToAnother(await stage.open(), false);
      await writesToAnother(await stage.guarded(), true);
    },
  },
  {
    id: 'S66',
    title: 'one device takes the client id of another, again and again',
    run: async stage => takesTheClientId(await stage.open()),
  },
]);
