/** What the wire and the broker do, one thing at a time, and what a rollout makes of it. Each ends with all well again. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/wait.js';
import { Interpreter } from './interpreter.js';
import type { NetworkWorld } from './world.js';
import type { Fault } from './wire.js';

export interface Scenario {
  readonly name: string;
  /** Whose link it is about; left out: the agents'. */
  readonly bad?: 'hub';
  readonly run: (world: NetworkWorld) => Promise<void>;
  /** Short enough for every run of the tests. */
  readonly isQuick?: boolean;
}

const S = 1000;
const MINUTE = 60 * S;
const NO_BROKER = 'no connection to the broker';

/** A rollout and other events while `during` goes on; afterwards all is well. */
async function through(
  world: NetworkWorld,
  during: (rollout: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const before = world.nodes.map(node => world.before(node));
  await during(async () => {
    await world.apply();
    await Promise.all(world.nodes.map(node => world.happen(node)));
  });
  await world.arrived();
  await world.eventsArrived();
  for (const [i, node] of world.nodes.entries()) world.untouched(node, before[i]!);
}

/** The rollout reaches the nodes, and their events the hub, while the wire is like that. */
async function whileItIs(world: NetworkWorld, fault: Fault): Promise<void> {
  await world.wire.become(fault);
  await reconnect(world);
  await through(world, async rollout => {
    await rollout();
    await world.arrived(10 * MINUTE);
    await world.eventsArrived(10 * MINUTE);
  });
  await world.wire.become();
}

/** Handshake and announcement, too, are to get through. */
async function reconnect(world: NetworkWorld): Promise<void> {
  const notices = disconnected(world);
  world.wire.resets(true);
  await notices;
  world.wire.resets(false);
}

/** Until whoever is at the bad end knows. */
async function disconnected(world: NetworkWorld, withinMs = MINUTE): Promise<void> {
  if (world.bad === 'hub') {
    const before = world.hubSaid(NO_BROKER);
    const isSaid = () => world.hubSaid(NO_BROKER) > before;
    await eventually('the hub notices', isSaid, { withinMs });
    return;
  }
  for (const node of world.nodes) {
    const isAway = async () => !(await world.isConnected(node));
    await eventually(`${node} notices`, isAway, { withinMs, everyMs: 100 });
  }
}

async function connected(world: NetworkWorld): Promise<void> {
  for (const node of world.nodes) {
    const isThere = () => world.isConnected(node);
    await eventually(`${node} is back`, isThere, { withinMs: 3 * MINUTE, everyMs: 100 });
  }
}

/** Cut while the rollout begins. */
function cut(
  begin: (world: NetworkWorld) => Promise<void>,
  end: (world: NetworkWorld) => Promise<void>,
) {
  return async (world: NetworkWorld) => {
    await begin(world);
    await through(world, async rollout => {
      await rollout();
      await end(world);
    });
  };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'cut, and every connection is reset',
    isQuick: true,
    run: cut(
      async world => {
        world.wire.resets(true);
        await disconnected(world);
      },
      async world => world.wire.resets(false),
    ),
  },
  {
    name: 'cut for some seconds without a word, connections hang and go on',
    isQuick: true,
    run: cut(
      world => world.wire.become({ isCut: true }),
      world => world.wire.become(),
    ),
  },
  {
    name: 'cut without a word until both ends have given the connection up',
    run: cut(
      async world => {
        await world.wire.become({ isCut: true });
        await disconnected(world, 5 * MINUTE);
      },
      world => world.wire.become(),
    ),
  },
  {
    name: 'the node has no route, and the broker is told nothing',
    run: cut(
      async world => {
        world.wire.unplug();
        await disconnected(world, 5 * MINUTE);
      },
      async world => world.wire.plugIn(),
    ),
  },
  {
    name: 'cut and mended again and again',
    run: async world =>
      through(world, async rollout => {
        const applied = rollout();
        for (let n = 0; n < 12; n++) {
          await world.wire.become(n % 2 === 0 ? { isCut: true } : { loss: 0.2 });
          if (n % 3 === 0) world.wire.resets(true);
          await delay(1.5 * S);
          if (n % 3 === 0) world.wire.resets(false);
        }
        await world.wire.become();
        await applied;
      }),
  },
  { name: 'two seconds there and back', run: world => whileItIs(world, { delayMs: 1 * S }) },
  { name: '30 % of the packets are lost', run: world => whileItIs(world, { loss: 0.3 }) },
  { name: '2 kB/s', run: world => whileItIs(world, { bytesPerS: 2_000 }) },
  {
    name: 'packets come twice and overtake each other',
    run: world => whileItIs(world, { repeat: 0.3, overtake: 0.3 }),
  },
  {
    name: 'all of it at once: half a second late, 10 % lost, 20 % twice, 20 % overtaken, 8 kB/s',
    run: world =>
      whileItIs(world, {
        ...{ delayMs: 250, loss: 0.1, repeat: 0.2, overtake: 0.2, bytesPerS: 8_000 },
      }),
  },
  {
    name: 'messages come twice and overtake each other, in both directions',
    isQuick: true,
    run: async world => {
      const between = await Interpreter.listen(world);
      world.wire.divert(world.mqtt, between.port, true);
      try {
        await reconnect(world);
        await connected(world);
        await through(world, async rollout => {
          await rollout();
          await world.arrived();
          await world.eventsArrived();
        });
      } finally {
        world.wire.divert(world.mqtt, between.port, false);
        await between.close();
      }
      const { repeated, overtaken } = between;
      // Upwards a node says few things at once: none of them may have met another.
      const happened = [repeated.up, repeated.down, overtaken.up + overtaken.down];
      assert.ok(
        happened.every(times => times > 0),
        JSON.stringify({ repeated, overtaken }),
      );
    },
  },
  {
    name: 'the broker dies and has lost all it had, while a rollout begins',
    isQuick: true,
    run: async world =>
      through(world, async rollout => {
        await world.play.kill('mosquitto', 'SIGKILL');
        await rollout();
        world.startBroker();
      }),
  },
  {
    name: 'the broker dies three times in the middle of a rollout, and has lost all each time',
    run: async world =>
      through(world, async rollout => {
        const applied = rollout();
        for (let n = 0; n < 3; n++) {
          await world.play.kill('mosquitto', 'SIGKILL');
          world.startBroker();
          await connected(world);
        }
        await applied;
      }),
  },
  {
    name: 'the hub is cut off without a word until both ends have given the connection up',
    bad: 'hub',
    run: cut(
      async world => {
        await world.wire.become({ isCut: true });
        await disconnected(world, 5 * MINUTE);
      },
      world => world.wire.become(),
    ),
  },
  {
    name: 'the hub is two seconds away, there and back, 10 % is lost, at 8 kB/s',
    bad: 'hub',
    run: world => whileItIs(world, { delayMs: 1 * S, loss: 0.1, bytesPerS: 8_000 }),
  },
  {
    name: '30 % of the hub’s packets are lost',
    bad: 'hub',
    run: world => whileItIs(world, { loss: 0.3 }),
  },
  {
    name: 'the broker dies and has lost all it had, and the hub is two seconds away',
    bad: 'hub',
    run: async world => {
      await world.wire.become({ delayMs: 1 * S });
      await through(world, async rollout => {
        await world.play.kill('mosquitto', 'SIGKILL');
        await rollout();
        world.startBroker();
      });
      await world.wire.become();
    },
  },
];
