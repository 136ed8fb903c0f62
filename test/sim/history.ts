/**
 * One history: a fleet comes to rest, is rolled out to while it is troubled, and once the trouble is over has to come to
 * rest again within a stated time. Everything follows from the seed.
 */
import { tmpdir } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FATES, type Fate } from './content.js';
import type { Device } from './device.js';
import { befall, beginTrouble, FAULT_NAMES, mendAll, strike } from './faults.js';
import { judgeEnd, unsettled } from './judge.js';
import { planOf, type Aim, type Phase, type Plan } from './mix.js';
import { act, first, joinAll, releaseAll, retryUnlucky, signAll } from './operator.js';
import { SCENES, type Scene } from './scenes.js';
import { sealAll } from './sealing.js';
import { SimulatedFleet } from './simulated-fleet.js';
import { OPENS_WITHIN_MS } from './windows.js';

/**
 * Once faults stop, every node is where it belongs within this time. What a broker acknowledged and lost is noticed with
 * the next status, and where nothing happens that is said hourly; all else takes minutes. A window has to open first.
 */
export const CONVERGES_MS = 75 * 60_000;
const LOOK_MS = 5_000;
const TURNS = 6;
const TURN_MS = 60_000;
const SOON_MS = 4_000;
/** As long as a fault may last; most of the time much less. */
const SHORT_TURN_MS = 200_000;
/** A moment that does not come in this time is not waited for. */
const REACHED_MS = 120_000;

export interface HistoryOptions {
  readonly seed: number;
  /** Null: as the seed says, and the kind of the history too. */
  readonly nodes: number | null;
  /** Aimed at this promise; left out: as the seed says. */
  readonly scene?: string | null;
  readonly onTrace?: (line: string) => void;
}

export interface Told {
  readonly broken: readonly string[];
  /** SHA-256 of everything that was traced. */
  readonly digest: string;
  /** From the last fault to rest. */
  readonly convergedMs: number | null;
  readonly events: number;
  /** Faults, each with how far the node was that it befell. */
  readonly reached: readonly string[];
}

export async function runHistory(options: HistoryOptions): Promise<Told> {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = join(memory, `flotilla-sim-${process.pid}`);
  const scenes = Object.keys(SCENES);
  const plan = planOf(options.seed, { ...options, faults: FAULT_NAMES, scenes });
  const scene = plan.scene === null ? null : (SCENES[plan.scene] ?? null);
  const { windowShare } = scene ?? plan;
  const fleet = new SimulatedFleet({ ...options, ...plan, windowShare, folder });
  const bug = (reason: unknown) => {
    if (fleet.scheduler.actor?.isDead === true) return;
    fleet.breaks(`a bug: ${reason instanceof Error ? reason.stack : String(reason)}`);
  };
  fleet.scheduler.onError = bug;
  process.on('unhandledRejection', bug);
  process.on('uncaughtException', bug);
  try {
    const convergedMs = await live(fleet, { ...plan, live: scene?.live ?? null });
    const { events } = fleet.scheduler;
    const { broken, reached } = fleet;
    return { broken, digest: fleet.digest(), convergedMs, events, reached };
  } finally {
    await fleet.close();
    process.off('unhandledRejection', bug);
    process.off('uncaughtException', bug);
  }
}

type Lived = Pick<Plan, 'aims'> & { readonly live: Scene['live'] | null };

async function live(fleet: SimulatedFleet, { aims, live: scene }: Lived): Promise<number | null> {
  await fleet.begin();
  if (scene !== null) await scene(fleet);
  else if (aims === null) await trouble(fleet);
  else await troubleAt(fleet, aims);
  mendAll(fleet);
  return rest(fleet);
}

/** For minutes, whatever comes. */
async function trouble(fleet: SimulatedFleet): Promise<void> {
  beginTrouble(fleet);
  await first(fleet);
  for (let turn = 0; turn < TURNS; turn++) {
    await fleet.pass(Math.floor(fleet.random() * TURN_MS));
    if (fleet.random() < 0.3) fleet.broker.save();
    if (fleet.random() < 0.6) await act(fleet);
    // Most of what can go wrong does so while a rollout is on its way.
    if (fleet.random() < 0.5) await fleet.pass(Math.floor(fleet.random() * SOON_MS));
    if (fleet.random() < 0.7) befall(fleet);
  }
  await fleet.pass(Math.floor(fleet.random() * TURN_MS));
}

/** A rollout, and what befalls it at these moments. */
async function troubleAt(fleet: SimulatedFleet, aims: readonly Aim[]): Promise<void> {
  beginTrouble(fleet, 0.2);
  for (const [i, { fault, phase }] of aims.entries()) {
    const isFirst = i === 0;
    // Some of what is rolled out takes the place of what was there.
    if (isFirst && phase !== 'beginning' && fleet.random() < 0.35) {
      await first(fleet);
      await reach(fleet, 'healthy');
    }
    if (fleet.random() < 0.3) fleet.broker.save();
    if (isFirst || fleet.random() < 0.4) await first(fleet, fateFor(fleet, phase));
    const device = await reach(fleet, phase);
    strike(fleet, fault, device);
    if (fleet.random() < 0.5) await fleet.pass(Math.floor(fleet.random() * SOON_MS));
    if (fleet.random() < 0.3) await act(fleet);
  }
  await fleet.pass(Math.floor(fleet.random() ** 2 * SHORT_TURN_MS));
}

function fateFor({ random }: SimulatedFleet, phase: Phase): Fate {
  if (phase === 'given up') return FATES[1 + Math.floor(random() * (FATES.length - 1))] ?? 'crash';
  return random() < 0.75 ? 'good' : (FATES[Math.floor(random() * FATES.length)] ?? 'good');
}

/** The first node that is so far; any one when none is in time. */
async function reach(fleet: SimulatedFleet, phase: Phase): Promise<Device> {
  const { scheduler, devices } = fleet;
  const any = devices[Math.floor(fleet.random() * devices.length)] as Device;
  if (phase === 'away') {
    any.kill();
    return any;
  }
  let found: Device | undefined;
  const look = () => {
    found = devices.find(device => fleet.phaseOf(device) === phase);
    return found !== undefined;
  };
  if (!look()) await scheduler.run(scheduler.now + REACHED_MS, look);
  return found ?? any;
}

/** Once faults are over: how long it takes until all is where it belongs; null: it never is. */
async function rest(fleet: SimulatedFleet): Promise<number | null> {
  const { scheduler } = fleet;
  const since = scheduler.now;
  // Whoever was begun anew has to be there to be spoken to.
  await fleet.pass(40_000);
  for (const device of fleet.devices) releaseAll(fleet, device);
  await joinAll(fleet);
  await signAll(fleet);
  await sealAll(fleet);
  await retryUnlucky(fleet);
  let left: readonly string[] = [];
  const boundMs = CONVERGES_MS + (fleet.hasWindows() ? OPENS_WITHIN_MS : 0);
  while (scheduler.now - since < boundMs) {
    await fleet.pass(Math.max(LOOK_MS, (scheduler.now - since) / 10));
    left = await unsettled(fleet);
    if (left.length > 0) continue;
    const convergedMs = scheduler.now - since;
    await judgeEnd(fleet);
    return convergedMs;
  }
  for (const one of left) fleet.breaks(`never at rest: ${one}`);
  return null;
}
