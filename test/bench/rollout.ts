/**
 * What a rollout to all nodes costs beside the least that could be done: from the word to the hub until the last node has its assignment,
 * and until the hub has recorded that it is healthy everywhere. Engines are stubbed, everything else is real: hub, broker, TLS, signatures.
 * Where the last delivery is waited for, no device looks at what it has before: they share a processor, which true ones do not.
 * The yardstick sends the same bytes over the same connections with as many signatures made and checked, and keeps nothing. Also what it
 * takes until all are back whose power was cut at once.
 */
import { BareHub, type BareLoop } from './bare-hub.js';
import type { Figure } from './figure.js';
import { CONNECTS_AT_ONCE, SimulatedFleet, type BrokerKind } from './simulated-fleet.js';

const NS_PER_MS = 1e6;
const DELIVERY_TARGET = 1.4;
const LOOP_TARGET = 2;
const RECONNECT_TARGET = 3;
const MIB = 1024 * 1024;

interface Measured {
  readonly figures: readonly Figure[];
  readonly reconnectMs: number;
}

export async function rollout(nodes: number): Promise<readonly Figure[]> {
  const mosquitto = await onBroker('mosquitto', nodes);
  const embedded = await onBroker('embedded', nodes);
  const reconnect: Figure = {
    name: `${nodes} nodes reconnect at once, embedded broker beside Mosquitto`,
    ours: embedded.reconnectMs,
    yardstick: mosquitto.reconnectMs,
    ...{ unit: 'ms', target: RECONNECT_TARGET },
  };
  return [...mosquitto.figures, ...embedded.figures, reconnect];
}

async function onBroker(kind: BrokerKind, nodes: number): Promise<Measured> {
  const world = new SimulatedFleet(kind, nodes);
  try {
    const { emptyBytes, fullBytes } = await world.start();
    await world.first();
    const deliveredMs = await world.delivered('two');
    const { beganNs, counts } = await world.another('three');
    const reconnectMs = await world.reconnected();
    await world.withoutHub();
    const perNode = (value: number) => Math.round(value / nodes);
    const heardBack = perNode(counts.received - counts.assignments);
    const loop = {
      assignmentBytes: perNode(counts.assignmentBytes),
      replies: perNode(counts.sent),
      replyBytes: Math.round(counts.sentBytes / counts.sent),
      ackBytes: Math.round(
        (counts.receivedBytes - counts.assignmentBytes) / Math.max(1, nodes * heardBack),
      ),
    };
    const delivery = await bare(world, { ...loop, replies: 0 });
    const whole = await bare(world, loop);
    const on = `${nodes} nodes, ${kind === 'embedded' ? 'embedded broker' : 'Mosquitto'}`;
    const ms = (endNs: number) => (endNs - beganNs) / NS_PER_MS;
    return {
      reconnectMs,
      figures: [
        {
          name: `rollout to ${on}, to the last delivery`,
          ...{ ours: deliveredMs, yardstick: delivery, unit: 'ms' },
          target: DELIVERY_TARGET,
        },
        {
          name: `rollout to ${on}, recorded as healthy everywhere`,
          ...{ ours: ms(counts.lastConfirmedNs), yardstick: whole, unit: 'ms' },
          target: LOOP_TARGET,
        },
        {
          name: `memory of the hub with ${on}, beside the hub without nodes`,
          ...{ ours: fullBytes / MIB, yardstick: emptyBytes / MIB, unit: 'MiB', target: null },
        },
      ],
    };
  } finally {
    await world.close();
  }
}

/** Milliseconds of the yardstick. */
async function bare(
  world: SimulatedFleet,
  loop: Omit<BareLoop, 'nodes'> & { readonly replyBytes: number },
): Promise<number> {
  const hub = world.hub();
  const { fleet } = hub.root.document;
  const publisherKey = hub.hubSigner.publicKey;
  const { replies, replyBytes } = loop;
  const keys = (await world.fleet.ask({
    ...{ ask: 'bare', atOnce: CONNECTS_AT_ONCE },
    ...{ fleet, publisherKey, replies, replyBytes },
  })) as Readonly<Record<string, string>>;
  const bareHub = await BareHub.connect(hub, world.mqttPort);
  const nodes = world.names.map(name => ({ name, publicKey: keys[name] ?? '' }));
  const { beganNs, endedNs } = await bareHub.run({ ...loop, nodes });
  const { lastArrivalNs } = await world.fleet.bareCounts();
  await bareHub.close();
  await world.fleet.ask({ ask: 'bareCut' });
  return ((replies === 0 ? lastArrivalNs : endedNs) - beganNs) / NS_PER_MS;
}
