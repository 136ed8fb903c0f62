/**
 * Histories that are aimed at one promise each, which chance alone seldom puts to the test: who is in it, and what is done to it at which
 * moment. Everything else about them, faults and rest and what must hold, is as in all histories.
 */
import { BUNDLES, type Fate } from './content.js';
import type { Device } from './device.js';
import { strike } from './faults.js';
import {
  deleteMember,
  first,
  holdAt,
  joinAll,
  otherKeys,
  releaseAll,
  type Having,
} from './operator.js';
import { judgeQuiet } from './quiet.js';
import type { SimulatedFleet } from './simulated-fleet.js';

export interface Scene {
  /** How many bundles, and nodes, have maintenance windows, from 0 to 1. */
  readonly windowShare: number;
  readonly live: (fleet: SimulatedFleet) => Promise<void>;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function drawn<T>(fleet: SimulatedFleet, from: readonly T[]): T {
  return from[Math.floor(fleet.random() * from.length)] as T;
}

function isDrawn(fleet: SimulatedFleet, share: number): boolean {
  return fleet.random() < share;
}

/** Up to this long. */
async function wait(fleet: SimulatedFleet, mostMs: number): Promise<void> {
  await fleet.pass(Math.floor(fleet.random() * mostMs));
}

const someFate = (fleet: SimulatedFleet): Fate =>
  isDrawn(fleet, 0.8) ? 'good' : drawn(fleet, ['crash', 'never', 'gone'] as const);

/** Something good runs; of those that have it one. */
async function begin(fleet: SimulatedFleet, having: Having = {}): Promise<Device> {
  await first(fleet, 'good', { nodeSelector: '', ...having });
  await fleet.pass(MINUTE_MS);
  return drawn(fleet, fleet.devices);
}

/** It says something, and dies with it or right after it; sometimes its journal goes then, and not what lies beside it. */
async function told(fleet: SimulatedFleet): Promise<void> {
  await first(fleet);
  for (let i = 0; i < 4; i++) {
    const device = drawn(fleet, fleet.devices);
    const { words } = device;
    await fleet.scheduler.run(fleet.scheduler.now + MINUTE_MS, () => device.words > words);
    if (isDrawn(fleet, 0.5)) await wait(fleet, 400);
    strike(fleet, drawn(fleet, ['agentDies', 'machineRestarts', 'journalIsLost']), device);
    if (isDrawn(fleet, 0.6)) await first(fleet, someFate(fleet));
    await wait(fleet, 20_000);
  }
}

/** Nothing but files reaches it, with faults at first, then without: what the newest of them says is so without a line. */
async function stick(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet);
  fleet.broker.cut(device.name, false);
  for (let i = 0; i < 3; i++) {
    await first(fleet, someFate(fleet));
    if (isDrawn(fleet, 0.15)) await fleet.rotate(drawn(fleet, ['root', 'hub', 'epoch'] as const));
    await fleet.sticks.export(isDrawn(fleet, 0.7) ? null : [drawn(fleet, fleet.devices).name]);
    if (isDrawn(fleet, 0.3)) strike(fleet, 'diskIsFull', device);
    else if (isDrawn(fleet, 0.3)) strike(fleet, 'agentDiesAtStep', device);
    fleet.sticks.import(device, { isNewest: isDrawn(fleet, 0.8), isTorn: isDrawn(fleet, 0.1) });
    await wait(fleet, 90_000);
    if (isDrawn(fleet, 0.3)) device.kill();
  }
  device.isDiskFull = false;
  if (device.actor) device.actor.diesAt = null;
  await fleet.pass(2 * MINUTE_MS);
  await first(fleet, 'good');
  await fleet.sticks.export(null);
  await fleet.sticks.bringsAll(device);
}

/** Pods ask for time while what replaces them comes; and the agent begins anew meanwhile. */
async function lock(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet, { hasLock: true });
  for (let i = 0; i < 3; i++) {
    device.locks.touch();
    await wait(fleet, 15_000);
    await first(fleet, someFate(fleet), { hasLock: true });
    await wait(fleet, 30_000);
    if (isDrawn(fleet, 0.4)) device.kill();
    else if (isDrawn(fleet, 0.2)) strike(fleet, 'agentRestarts', device);
    await wait(fleet, MINUTE_MS);
    device.locks.clear();
    await wait(fleet, 40_000);
  }
}

/** Its keys change, and it dies on the way; what was sealed before is read by pods that begin after it. */
async function keys(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet, { hasSecret: true });
  for (let i = 0; i < 3; i++) {
    otherKeys(fleet, device);
    await wait(fleet, 400);
    if (isDrawn(fleet, 0.3)) strike(fleet, 'agentDiesAtStep', device);
    else if (isDrawn(fleet, 0.3)) device.kill();
    else if (isDrawn(fleet, 0.2)) strike(fleet, 'hubDies', device);
    await fleet.pass(20_000);
    // Its pods' memory is gone: what they read has to be opened anew.
    if (isDrawn(fleet, 0.4)) device.reboot();
    if (isDrawn(fleet, 0.3)) await first(fleet, 'good', { hasSecret: true });
    await wait(fleet, 2 * MINUTE_MS);
  }
}

/** A node is no member for a while, runs on, is not heard, and joins again. */
async function rejoin(fleet: SimulatedFleet): Promise<void> {
  await begin(fleet);
  for (let i = 0; i < 2; i++) {
    await deleteMember(fleet);
    await wait(fleet, MINUTE_MS);
    if (isDrawn(fleet, 0.4)) strike(fleet, 'agentRestarts', drawn(fleet, fleet.devices));
    if (isDrawn(fleet, 0.5)) await first(fleet, someFate(fleet));
    await fleet.pass(10_000);
    await joinAll(fleet);
    await wait(fleet, MINUTE_MS);
  }
}

/** Something waits for a window at a node that begins anew with a clock that is wrong, and no hub tells it the time. */
async function time(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet);
  for (let i = 0; i < 3; i++) {
    await first(fleet, 'good');
    await fleet.pass(15_000);
    fleet.broker.cut(device.name, isDrawn(fleet, 0.3));
    if (isDrawn(fleet, 0.5)) strike(fleet, 'machineRestarts', device);
    else {
      strike(fleet, 'clockJumps', device);
      // Possible, and most of the time not so.
      if (isDrawn(fleet, 0.7)) device.clockOffMs = Math.floor(fleet.random() * 300 * DAY_MS);
      device.kill();
    }
    await fleet.pass(8 * MINUTE_MS);
    if (isDrawn(fleet, 0.6)) fleet.broker.mend(device.name);
    await wait(fleet, MINUTE_MS);
  }
}

/** Nobody confirms what it says: it has no line and does nothing about it, or words of the hub are lost. */
async function silence(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet);
  await fleet.pass(MINUTE_MS);
  fleet.hubActor?.die();
  strike(fleet, 'containerEnds', device);
  await wait(fleet, 10_000);
  if (isDrawn(fleet, 0.5)) {
    fleet.broker.cut(device.name, false);
    await fleet.pass(3 * MINUTE_MS);
    await judgeQuiet(fleet, device);
    return;
  }
  fleet.broker.trouble = { lost: 0.7, twice: 0, late: 0 };
  for (let i = 0; i < 3; i++) {
    await wait(fleet, MINUTE_MS);
    strike(fleet, 'containerEnds', device);
  }
  await wait(fleet, MINUTE_MS);
}

/** The hub dies at a step of what it is told to do: what it wrote down it does, and of the rest nothing. */
async function heard(fleet: SimulatedFleet): Promise<void> {
  await begin(fleet);
  for (let i = 0; i < 4; i++) {
    const { hubActor } = fleet;
    if (hubActor) hubActor.diesAt = hubActor.steps + 1 + Math.floor(fleet.random() * 8) / 2;
    await first(fleet, someFate(fleet), { hasSecret: false });
    await wait(fleet, MINUTE_MS);
  }
}

/** Somebody at the device holds what runs, and something else is rolled out; the agent begins anew meanwhile, or its journal does. */
async function hold(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet);
  for (let i = 0; i < 3; i++) {
    holdAt(fleet, device, isDrawn(fleet, 0.5) ? null : BUNDLES[0]);
    await wait(fleet, 5_000);
    await first(fleet, someFate(fleet));
    await wait(fleet, 15_000);
    const faults = ['agentDies', 'agentDiesAtStep', 'machineRestarts', 'journalIsLost'] as const;
    if (isDrawn(fleet, 0.7)) strike(fleet, drawn(fleet, faults), device);
    await fleet.pass(MINUTE_MS);
    if (isDrawn(fleet, 0.7)) releaseAll(fleet, device);
    await wait(fleet, MINUTE_MS);
  }
}

/** What was said once comes again: a broker that begins with what it kept some time ago, a stick that lay in the drawer; the hub is away. */
async function stale(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet);
  for (let i = 0; i < 3; i++) {
    fleet.broker.save();
    await fleet.sticks.export(null);
    await first(fleet, someFate(fleet));
    await wait(fleet, MINUTE_MS);
    fleet.broker.cut('flotilla-hub', false);
    fleet.broker.stop({ forgets: 'unsaved' });
    await wait(fleet, 10_000);
    fleet.broker.start();
    if (isDrawn(fleet, 0.5)) fleet.sticks.import(device, { isNewest: false, isTorn: false });
    if (isDrawn(fleet, 0.4)) device.kill();
    await wait(fleet, MINUTE_MS);
    if (isDrawn(fleet, 0.7)) fleet.broker.mend('flotilla-hub');
    await wait(fleet, MINUTE_MS);
  }
}

/** The agent dies in the middle of a switch: whoever begins next has what was before, or ends what was begun. */
async function half(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet);
  for (let i = 0; i < 3; i++) {
    device.diesAfterSwitch = 1 + Math.floor(fleet.random() * 24) / 2;
    await first(fleet, someFate(fleet), { nodeSelector: '' });
    await fleet.pass(20_000);
    if (isDrawn(fleet, 0.3)) strike(fleet, drawn(fleet, ['diskIsFull', 'journalIsLost']), device);
    await wait(fleet, 2 * MINUTE_MS);
  }
}

const generationOf = ({ life }: Device) => life?.journal.accepted()?.generation;

/** The disk is full while there is something to tell, and to write; and well again. */
async function full(fleet: SimulatedFleet): Promise<void> {
  const device = await begin(fleet);
  for (let i = 0; i < 3; i++) {
    const before = generationOf(device);
    if (isDrawn(fleet, 0.7)) await first(fleet, someFate(fleet), { nodeSelector: '' });
    // Often in the moment in which it accepted what is new, and nothing follows from that yet.
    const isNew = () => generationOf(device) !== before;
    if (isDrawn(fleet, 0.6)) await fleet.scheduler.run(fleet.scheduler.now + 20_000, isNew);
    else await wait(fleet, 3_000);
    strike(fleet, 'diskIsFull', device);
    if (isDrawn(fleet, 0.7)) strike(fleet, 'containerEnds', device);
    await wait(fleet, 5_000);
    if (isDrawn(fleet, 0.5)) await first(fleet, someFate(fleet));
    if (isDrawn(fleet, 0.2)) device.kill();
    await wait(fleet, 2 * MINUTE_MS);
  }
}

export const SCENES: Readonly<Record<string, Scene>> = {
  told: { windowShare: 0, live: told },
  stick: { windowShare: 0, live: stick },
  lock: { windowShare: 0, live: lock },
  keys: { windowShare: 0, live: keys },
  rejoin: { windowShare: 0, live: rejoin },
  time: { windowShare: 1, live: time },
  silence: { windowShare: 0, live: silence },
  heard: { windowShare: 0, live: heard },
  hold: { windowShare: 0, live: hold },
  stale: { windowShare: 0, live: stale },
  half: { windowShare: 0, live: half },
  full: { windowShare: 0, live: full },
};
