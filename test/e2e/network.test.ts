/**
 * A share of `npm run test:network`, and what people complain of most about others (docs/tested.md has the table, with
 * those that other tests show), as a story on real parts: hub, Mosquitto, an agent behind a wire that a test can spoil;
 * its engine keeps containers in memory and outlives it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SCENARIOS } from '../network/scenarios.js';
import { noNamespaces } from '../network/wire.js';
import { NetworkWorld } from '../network/world.js';
import { fakedClock, hurriedClock, noFakedClock } from '../support/faked-clock.js';
import { freePort } from '../support/ports.js';
import { filesOf } from '../support/files.js';
import { Playground } from '../support/programs.js';
import { commitsIn } from '../support/sqlite-log.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
/** A day in nine seconds. */
const SPEED = 10_000;
/** After a start, until nothing more follows from it. */
const SETTLED_MS = 3_000;
/** Ten minutes after the machine's clock began. */
const EPOCH = 600_000;
const PODS = ['stays', 'changes'];
/** Nobody is to start it. */
const BAD = 'evil:1';
const DIGEST = `sha256:${'d'.repeat(64)}`;

interface Said {
  readonly hub: {
    readonly connected: boolean;
    readonly bundles: readonly { revision: number; state: string; reason: string }[];
  } | null;
}

describe('on a network as networks are', { skip: noNamespaces() || noFakedClock() }, async () => {
  const clocks = new Playground();
  const agentClock = fakedClock(clocks.path('agent'), null);
  const hubClock = fakedClock(clocks.path('hub'), null);
  const registry = await freePort();
  const bound = (here: string) => `${here}:${registry}/app@${DIGEST}`;
  const imageAt = (name: string) => `${world.wire.here}:${registry}/${name}:1`;
  const world = new NetworkWorld({
    nodes: [NODE],
    images: here => [BAD, bound(here)],
    env: { agent: agentClock.env, hub: hubClock.env },
  });
  const { play } = world;
  const engine = () => world.engine(NODE);
  const status = async () => (await world.asked(NODE)) as unknown as Said;
  const isThere = async () => (await status()).hub?.connected === true;
  const connects = () => eventually('it is connected', isThere);
  const isAway = async () => !(await isThere());
  const isRunning = () => PODS.every(pod => world.containers(NODE, pod).length === 1);
  const runsAll = () => eventually('all pods run', isRunning);
  const starts = () => engine().starts.length;
  const reads = (what: string, state: string, reason: string) =>
    eventually(what, async () => {
      const told = (await status()).hub?.bundles[0];
      if (told?.state === state && told.reason === reason) return true;
      throw new Error(JSON.stringify(told));
    });
  const device = async (...args: string[]) => {
    const { code, stderr } = await play.agent(...args, '--data-dir', play.path(NODE));
    assert.equal(code, 0, stderr);
  };
  const cut = async () => {
    world.wire.resets(true);
    await eventually('it is cut off', isAway);
  };
  /** The power is cut, and comes back to an engine that was left like that. */
  const powerCycle = async (left: () => void) => {
    await play.kill(NODE, 'SIGKILL');
    left();
    world.startAgent(NODE);
  };

  before(() => world.begin());
  after(async () => {
    await world.close();
    await clocks.close();
  });

  for (const { name, run } of SCENARIOS.filter(({ isQuick }) => isQuick === true)) {
    test(`a rollout, and what is said of it: ${name}`, () => run(world));
  }

  for (const [when, time] of [
    ['at 1970', EPOCH],
    ['right, a year later', Date.now() + YEAR_MS],
  ] as const) {
    test(`complaint 1: power on with no network and the clock ${when}: all pods of the journal run`, async () => {
      await play.kill(NODE, 'SIGKILL');
      world.wire.unplug();
      agentClock.set(time);
      engine().forget();
      const before = starts();
      world.startAgent(NODE);
      await runsAll();
      assert.equal(starts() - before, PODS.length);
      assert.equal(await isThere(), false);
      const year = String(new Date(time).getUTCFullYear());
      assert.ok(play.log(NODE).includes(`${year}-`), 'it takes that for the time');
      await play.kill(NODE, 'SIGKILL');
      agentClock.set(null);
      world.wire.plugIn();
      world.startAgent(NODE);
      await connects();
      assert.equal(starts() - before, PODS.length, 'nor is a container touched afterwards');
    });
  }

  test('complaint 2: with 80 % loss pods start before the first successful connection', async () => {
    await world.wire.become({ loss: 0.8 });
    const connections = () => play.log(NODE).split('connected to the broker').length;
    const before = connections();
    await powerCycle(() => engine().forget());
    await runsAll();
    assert.equal(connections(), before);
    await world.wire.become();
    await connects();
  });

  test('complaint 3: registry unreachable, image here by digest: no registry request at all', async () => {
    const { requests, server } = await countRequests(world.wire.here, registry);
    await world.apply(bound(world.wire.here));
    await world.arrived();
    await powerCycle(() => engine().forget());
    await runsAll();
    await world.apply();
    await world.arrived();
    assert.deepEqual(requests, []);
    assert.deepEqual(engine().pulls, []);
    await world.apply(imageAt('absent'));
    await eventually('for one that is not here it is asked', () => requests.length > 0);
    await world.apply();
    await world.arrived();
    server.close();
  });

  test('complaint 5: a revision never finishes downloading: an old pod that crashes is started again', async () => {
    const [old = ''] = world.containers(NODE, 'changes');
    await world.apply(imageAt('endless'));
    await reads('it pulls', 'waiting', 'PullingImage');
    engine().crash('changes');
    await eventually('it runs again', () => {
      const [now] = world.containers(NODE, 'changes');
      return now !== undefined && now !== old;
    });
  });

  test('complaint 6: that revision is stuck: the next takes over, without a restart of the agent', async () => {
    const pid = play.pid(NODE);
    const before = world.before(NODE);
    await world.apply();
    await world.arrived();
    world.untouched(NODE, before);
    assert.equal(play.pid(NODE), pid);
    assert.ok(play.isRunning(NODE));
  });

  test('complaint 4: containers that a power cut left half removed are made again from the local image', async () => {
    const [before, pulls] = [starts(), engine().pulls.length];
    await powerCycle(() => engine().halfRemove());
    await runsAll();
    assert.equal(starts() - before, PODS.length);
    assert.equal(engine().pulls.length, pulls);
    assert.deepEqual(engine().twice, []);
  });

  for (const whose of ['of all', 'of the hub alone'] as const) {
    test(`complaint 7: a month later, by the clocks ${whose}, with the same head: no container is touched`, async () => {
      const before = starts();
      const ids = PODS.flatMap(pod => world.containers(NODE, pod));
      await cut();
      hubClock.set(Date.now() + 31 * DAY_MS);
      if (whose === 'of all') agentClock.set(Date.now() + 31 * DAY_MS);
      world.wire.resets(false);
      await connects();
      await world.eventsArrived();
      assert.equal(starts(), before);
      assert.deepEqual(
        PODS.flatMap(pod => world.containers(NODE, pod)),
        ids,
      );
      hubClock.set(null);
      agentClock.set(null);
    });
  }

  test('complaint 8: cut off in the middle of a rollout that is taken back meanwhile: the node never starts it', async () => {
    await device('hold', 'shop');
    const good = await world.apply();
    await world.apply(BAD);
    await reads('all of it is there', 'waiting', 'Held');
    await cut();
    await world.apply(good);
    world.wire.resets(false);
    await connects();
    await eventually('it knows the newest', async () => {
      return (await status()).hub?.bundles[0]?.revision === world.revision;
    });
    await device('release', 'shop');
    await world.arrived();
    assert.ok(!engine().starts.some(one => one.endsWith(BAD)));
  });

  test('complaint 10: an idle day without a network: at most one transaction, and no other file changes', async () => {
    await world.eventsArrived();
    await play.kill(NODE, 'SIGTERM');
    world.wire.unplug();
    world.startAgent(NODE, hurriedClock(SPEED));
    await eventually('the agent is up', () => status());
    await delay(SETTLED_MS);
    const wal = play.path(NODE, 'journal.db-wal');
    const [before, commits] = [filesOf(play.path(NODE)), commitsIn(wal)];
    await delay(DAY_MS / SPEED);
    const after = filesOf(play.path(NODE));
    assert.ok(commitsIn(wal) - commits <= 1);
    const changed = [...after.keys()].filter(name => after.get(name) !== before.get(name));
    assert.deepEqual(
      changed.filter(name => !name.startsWith('journal.')),
      [],
    );
  });
});

/** Whoever connects from the node, by its address. */
async function countRequests(
  host: string,
  port: number,
): Promise<{ requests: string[]; server: Server }> {
  const requests: string[] = [];
  const server = createServer(socket => {
    const from = socket.remoteAddress ?? '';
    if (from !== host) requests.push(from);
    socket.destroy();
  });
  server.listen(port, host);
  await once(server, 'listening');
  return { requests, server };
}
