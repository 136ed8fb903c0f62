/**
 * What it costs a hub to record what nodes say: statuses from all of them at once, each node's next when the one before was confirmed, so that
 * as many are on their way as there are nodes. The hub writes them to SQLite (WAL, synchronous FULL) and confirms after the commit. The
 * yardstick is the same client (MQTT.js on Mosquitto), which opens and checks each of them, confirms it, and keeps nothing.
 */
import { readFileSync } from 'node:fs';
import { openNodeDocument } from '../../protocol/verify-messages.js';
import { sealPacked } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { ackOf } from '../../hub/ingest/ack.js';
import { bareClient } from './bare-client.js';
import { median, type Figure } from './figure.js';
import { nowNs } from './fleet/counts.js';
import { CONNECTS_AT_ONCE, SimulatedFleet } from './simulated-fleet.js';

/** Of each node. */
const STATUSES = 10;
const ROUNDS = 3;
/** Nine tenths of the yardstick's rate. */
const TARGET = 1 / 0.9;
const NS_PER_US = 1000;
const US_PER_TICK = 10_000;

export async function ingest(nodes: number): Promise<readonly Figure[]> {
  const world = new SimulatedFleet('mosquitto', nodes);
  try {
    await world.start();
    await world.first();
    const ours = await spoken(world, () => usedByUs(world.play.pid('hub')));
    await world.withoutHub();
    const close = await confirmAll(world);
    await world.fleet.ask({ ask: 'connect', atOnce: CONNECTS_AT_ONCE });
    const yardstick = await spoken(world, usedHereUs);
    await close();
    const name = `a status of one of ${nodes} nodes that speak at once, recorded and confirmed`;
    return [
      { name, ours: ours.us, yardstick: yardstick.us, unit: 'µs', target: TARGET },
      {
        name: 'processor time of the hub for it',
        ...{ ours: ours.usedUs, yardstick: yardstick.usedUs, unit: 'µs', target: null },
      },
    ];
  } finally {
    await world.close();
  }
}

/** Microseconds per status: of time, and of the processor by whoever hears it. */
async function spoken(
  { fleet, names }: SimulatedFleet,
  used: () => number,
): Promise<{ us: number; usedUs: number }> {
  const [us, usedUs]: [number[], number[]] = [[], []];
  const all = names.length * STATUSES;
  for (let round = 0; round < ROUNDS; round++) {
    const [beganNs, before] = [nowNs(), used()];
    await fleet.ask({ ask: 'speak', times: STATUSES });
    us.push((nowNs() - beganNs) / NS_PER_US / all);
    usedUs.push((used() - before) / all);
  }
  return { us: median(us), usedUs: median(usedUs) };
}

function usedHereUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** All its threads, in ticks of 10 ms (proc(5), stat). */
function usedByUs(pid: number): number {
  const [, rest = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
  const fields = rest.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

/** In the hub's place, until what it gives is called. */
async function confirmAll(world: SimulatedFleet): Promise<() => Promise<void>> {
  const hub = world.hub();
  const { fleet } = hub.root.document;
  const topics = topicsOf(fleet);
  const keys = await world.fleet.keys();
  const client = await bareClient(hub, world.mqttPort);
  client.on('message', (topic, payload) => {
    const address = topics.parse(topic);
    const node = address !== null && 'node' in address ? address.node : '';
    const opened = openNodeDocument('status', payload, {
      ...{ fleet, node, identityKey: keys[node] ?? '' },
    });
    if (!opened.ok) throw new Error(`a status of ${node}: ${opened.refusal.detail}`);
    const { journal, boot, counter } = opened.value.document;
    const said = { node, journal, boot, counter, through: 0 };
    const ack = ackOf({ fleet, reporter: said, assignment: null, row: 0, pods: [] });
    const sealed = sealPacked('ack', ack, [hub.hubSigner]);
    client.publish(topics.node(node, 'ack'), sealed, { qos: 1 });
  });
  await client.subscribeAsync(topics.everyNode('status'), { qos: 1 });
  return () => client.endAsync(true);
}
