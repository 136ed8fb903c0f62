/**
 * One history: a fleet comes to rest, is rolled out to while it is troubled, and once the trouble is over has to come to
 * rest again within a stated time. Everything follows from the seed.
 */
import { tmpdir } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { befall, beginTrouble, mendAll } from './faults.js';
import { judgeEnd, unsettled } from './judge.js';
import { act, first, joinAll, releaseAll, signAll } from './operator.js';
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

export interface HistoryOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly onTrace?: (line: string) => void;
}

export interface Told {
  readonly broken: readonly string[];
  /** SHA-256 of everything that was traced. */
  readonly digest: string;
  /** From the last fault to rest. */
  readonly convergedMs: number | null;
  readonly events: number;
}

export async function runHistory(options: HistoryOptions): Promise<Told> {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = join(memory, `flotilla-sim-${process.pid}`);
  const fleet = new SimulatedFleet({ ...options, folder });
  const bug = (reason: unknown) => {
    if (fleet.scheduler.actor?.isDead === true) return;
    fleet.breaks(`a bug: ${reason instanceof Error ? reason.stack : String(reason)}`);
  };
  fleet.scheduler.onError = bug;
  process.on('unhandledRejection', bug);
  process.on('uncaughtException', bug);
  try {
    const convergedMs = await live(fleet);
    const { events } = fleet.scheduler;
    return { broken: fleet.broken, digest: fleet.digest(), convergedMs, events };
  } finally {
    await fleet.close();
    process.off('unhandledRejection', bug);
    process.off('uncaughtException', bug);
  }
}

async function live(fleet: SimulatedFleet): Promise<number | null> {
  const { scheduler } = fleet;
  await fleet.begin();
  beginTrouble(fleet);
  await first(fleet);
  for (let turn = 0; turn < TURNS; turn++) {
    await pass(fleet, Math.floor(fleet.random() * TURN_MS));
    if (fleet.random() < 0.3) fleet.broker.save();
    if (fleet.random() < 0.6) await act(fleet);
    // Most of what can go wrong does so while a rollout is on its way.
    if (fleet.random() < 0.5) await pass(fleet, Math.floor(fleet.random() * SOON_MS));
    if (fleet.random() < 0.7) befall(fleet);
  }
  await pass(fleet, Math.floor(fleet.random() * TURN_MS));
  mendAll(fleet);
  const since = scheduler.now;
  // Whoever was begun anew has to be there to be spoken to.
  await pass(fleet, 40_000);
  for (const device of fleet.devices) releaseAll(fleet, device);
  await joinAll(fleet);
  await signAll(fleet);
  await sealAll(fleet);
  let left: readonly string[] = [];
  const boundMs = CONVERGES_MS + (fleet.hasWindows() ? OPENS_WITHIN_MS : 0);
  while (scheduler.now - since < boundMs) {
    await pass(fleet, Math.max(LOOK_MS, (scheduler.now - since) / 10));
    left = await unsettled(fleet);
    if (left.length > 0) continue;
    const convergedMs = scheduler.now - since;
    await judgeEnd(fleet);
    return convergedMs;
  }
  for (const one of left) fleet.breaks(`never at rest: ${one}`);
  return null;
}

async function pass(fleet: SimulatedFleet, ms: number): Promise<void> {
  const { scheduler } = fleet;
  await scheduler.run(scheduler.now + ms);
  for (const device of fleet.devices) device.look();
}
