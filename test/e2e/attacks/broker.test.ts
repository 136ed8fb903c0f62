/** The broker and its clients: S39, S62, S66, and what is left of others with rules. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, type TLSSocket } from 'node:tls';
import { seal } from '../../../protocol/envelope.js';
import { signerOf } from '../../../protocol/keys.js';
import { createPrivateKey } from 'node:crypto';
import { endsAtTheBroker, refuses } from '../../support/attacks/refusal.js';
import { attacks } from '../../support/attacks/row.js';
import { NODE, OTHER } from '../../support/attacks/cast.js';
import type { Victim } from '../../support/attacks/victim.js';
import { eventually } from '../../support/wait.js';

const MIB = 1024 * 1024;
const CONNACK = Buffer.from([0x20, 0x02, 0x00, 0x00]);
/** PUBLISH, QoS 0, of 200 MiB. */
const ANNOUNCED = Buffer.from([0x30, 0x80, 0x80, 0x80, 0x64]);

function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** A broker of the attacker's in the place of the fleet's, with its certificate. */
async function announcesTooMuch(victim: Victim): Promise<void> {
  const file = (name: string) => readFileSync(victim.play.path('mosquitto', name));
  const port = Number(new URL(victim.broker().url).port);
  await victim.play.kill('mosquitto', 'SIGKILL');
  const pid = victim.play.pid(NODE);
  const before = memoryOf(pid);
  const sockets: TLSSocket[] = [];
  let hungUp = 0;
  const server = createServer({ key: file('server.key'), cert: file('server.crt') }, socket => {
    sockets.push(socket);
    let sent = 0;
    socket.on('error', () => undefined);
    socket.once('data', (connect: Buffer) => {
      // The test's own clients come back here too.
      if (!connect.includes(NODE)) return void socket.destroy();
      socket.on('close', () => hungUp++);
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
    const growth = memoryOf(pid) - before;
    assert.ok(growth < 32 * MIB, `the agent grew by ${Math.round(growth / MIB)} MiB`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>(done => server.close(() => done()));
  }
  await victim.brokerAgain();
  await victim.assign();
}

/** The same by a device to the fleet's broker. */
async function announcesTooMuchToTheBroker(victim: Victim): Promise<void> {
  const pid = victim.play.pid('mosquitto');
  const before = memoryOf(pid);
  const thief = await victim.connectAs(OTHER);
  const cut = new Promise<void>(done => thief.once('close', () => done()));
  thief.stream.write(ANNOUNCED);
  await cut;
  await thief.endAsync(true);
  await eventually('the broker says why', () =>
    victim.play.log('mosquitto').includes('edge-2 disconnected due to oversize packet'),
  );
  const growth = memoryOf(pid) - before;
  assert.ok(growth < 32 * MIB, `the broker grew by ${Math.round(growth / MIB)} MiB`);
  await victim.assign();
}

/** What a device of the fleet says on another's topics. */
async function writesToAnother(victim: Victim): Promise<void> {
  const key = readFileSync(victim.play.path(OTHER, 'identity/identity.key'));
  const thief = signerOf(createPrivateKey(key));
  const topic = victim.topics.node(NODE, 'assignment');
  const bytes = seal('assignment', victim.next({ bundles: [] }), [thief]);
  await refuses(victim, { code: 'BadSignature', send: () => victim.publishAsDevice(topic, bytes) });
}

/** The node's own words, old and forged, by another device: nobody hears them. */
async function speaksForAnother(victim: Victim): Promise<void> {
  const { topics } = victim;
  const said = await eventually('the node has spoken', () => {
    const kinds = ['status', 'presence'] as const;
    const words = kinds.map(kind => victim.recorded.get(topics.node(NODE, kind)));
    return words.every(word => word !== undefined) && words;
  });
  for (const [at, kind] of (['status', 'presence'] as const).entries()) {
    const old = said[at] ?? '';
    await endsAtTheBroker(victim, () => victim.publish(topics.node(NODE, kind), old));
    const forged = () => victim.publish(topics.node(NODE, kind), 'forged', false);
    await endsAtTheBroker(victim, forged);
  }
}

/** What the broker itself could do, withhold and put back, by another device: every retained topic, emptied and as it was. */
async function withholds(victim: Victim): Promise<void> {
  const { topics } = victim;
  const kept = [...victim.recorded].filter(([topic]) => {
    const kind = topics.parse(topic)?.kind;
    return kind === 'root' || kind === 'blob' || kind === 'assignment' || kind === 'hub';
  });
  assert.ok(kept.length >= 4, `${kept.length} topics`);
  await endsAtTheBroker(victim, async () => {
    for (const [topic, payload] of kept) {
      await victim.publish(topic, '');
      await victim.publish(topic, payload);
    }
  });
}

async function floods(victim: Victim): Promise<void> {
  const topic = victim.topics.node(NODE, 'assignment');
  await endsAtTheBroker(victim, async () => {
    const words = Array.from({ length: 20_000 }, (_, n) => `{"garbage":${n}}`);
    await Promise.all(words.map(word => victim.publish(topic, word, false)));
  });
}

async function takesTheClientId(victim: Victim): Promise<void> {
  const connections = () => victim.play.log(NODE).split('connected to the broker').length;
  const before = connections();
  for (let i = 0; i < 5; i++) {
    const thief = await victim.connectAs(NODE);
    await delay(200);
    await thief.endAsync(true);
  }
  await victim.assign();
  if (victim.isGuarded) assert.equal(connections(), before, 'it was pushed from its session');
  // It says so only when it is wholly back; an assignment reaches it before.
  else await eventually('on this broker the attack has an effect', () => connections() > before);
}

attacks('the broker and its clients', [
  {
    id: 'S39',
    title: 'a packet of 200 MiB is announced and sent',
    isBroker: true,
    run: async stage => {
      const victim = await stage.open();
      await (victim.isGuarded ? announcesTooMuchToTheBroker : announcesTooMuch)(victim);
    },
  },
  {
    id: 'S62',
    title: 'one device writes to the topics of another',
    isBroker: true,
    run: async stage => writesToAnother(await stage.open()),
  },
  {
    id: 'S66',
    title: 'one device takes the client id of another, again and again',
    isBroker: true,
    run: async stage => takesTheClientId(await stage.open()),
  },
  {
    id: 'S63',
    title:
      "with rules, another device says edge-1's status and presence, old (S64) and forged (S65)",
    run: async stage => speaksForAnother(await stage.guarded()),
  },
  {
    id: 'S25',
    title:
      'with rules, another device empties blobs, roots and assignments, and puts old ones back (S13, S22, S23, S71, S87)',
    run: async stage => withholds(await stage.guarded()),
  },
  {
    id: 'S69',
    title: 'with rules, another device says 20,000 garbage messages',
    run: async stage => floods(await stage.guarded()),
  },
]);
