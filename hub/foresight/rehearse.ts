/** A rollout rehearsed many times: what came of it, and how far the runs lie apart. The same seed and basis give the same answer. Pure. */
import { sha256Hex } from '../../protocol/canonical.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { readWindows } from '../../protocol/maintenance-window.js';
import { beginRollout, carriedRows } from '../rollout/waves/begin.js';
import type { Rollout } from '../rollout/waves/decide.js';
import { waveText, type RolloutPlan } from '../rollout/waves/plan.js';
import type { RevisionName, RolloutNode } from '../rollout/waves/rollout-object.js';
import type { ConnectionChange } from '../store/experience-records.js';
import type { BasisNode, RehearsalBasis } from './basis.js';
import { borrowed, replayOf, unchanging } from './replay.js';
import { seeded, type Random } from './random.js';
import { run, type RunResult } from './run.js';
import { experienceOf, temperOf, type Experience } from './temper.js';

export interface RehearsalQuestion {
  /** Of a next revision; null: what is under way goes on. */
  readonly plan: RolloutPlan | null;
  readonly strategy: BundleStrategy;
  readonly runs: number;
  readonly seed: number;
  readonly horizonMs: number;
  readonly promoteAfterMs: number;
  /** Instead of what was recorded; null: that. */
  readonly failureRate: number | null;
}

/** Over runs, in milliseconds. */
export interface Spread {
  /** Runs that got there; the rest is about these. */
  readonly runs: number;
  readonly median: number | null;
  /** A tenth of them was faster, a tenth slower. */
  readonly low: number | null;
  readonly high: number | null;
}

export interface WaveRehearsal {
  /** As in the plan. */
  readonly of: string;
  readonly nodes: Spread;
  /** From now. */
  readonly passes: Spread;
  /** Why it did not, in how many runs, with a sentence of one of them; most frequent first. */
  readonly stands: readonly {
    readonly reason: string;
    readonly message: string;
    readonly runs: number;
  }[];
}

export interface Rehearsal {
  readonly runs: number;
  readonly seed: number;
  readonly horizonMs: number;
  readonly nodes: number;
  /** Until so many of a hundred of all nodes said that it is healthy. */
  readonly healthy: readonly { readonly percent: number; readonly after: Spread }[];
  /** Nodes that gave no verdict within the horizon in at least half of the runs, by name. */
  readonly never: readonly string[];
  /** How many those are in a run. */
  readonly unreached: Spread;
  readonly failed: Spread;
  readonly waves: readonly WaveRehearsal[];
  readonly ends: Readonly<Record<'completed' | 'paused' | 'aborted' | 'progressing', number>>;
  readonly completes: Spread;
  /** Times that a person was taken to promote, at most. */
  readonly promoted: number;
  readonly history: {
    /** Of the nodes with a record; milliseconds that the longest spans. */
    readonly nodes: number;
    readonly spanMs: number;
    readonly passages: number;
    readonly failures: number;
    readonly seconds: number;
    /** The bundle has none of its own: those of others stand in. */
    readonly isOfOthers: boolean;
  };
}

const PERCENTS = [50, 90, 99] as const;
const SEEN_MS = 200;
/** Of large fleets the controller's own look takes as long. */
const LOOK_MS_PER_NODE = 6;

export function rehearse(
  basis: RehearsalBasis,
  asked: RehearsalQuestion,
  /** After each run. */
  onRun: (done: number) => void = () => undefined,
): Rehearsal {
  const fleet = fleetExperience(basis);
  const results: RunResult[] = [];
  const plan = asked.plan ?? basis.rollout?.spec.plan;
  if (plan === undefined) throw new Error('nothing to rehearse');
  for (let i = 0; i < asked.runs; i++) {
    results.push(oneRun(basis, { ...asked, plan, isNext: asked.plan !== null }, { fleet, at: i }));
    onRun(i + 1);
  }
  return summaryOf(basis, { asked, plan, fleet, results });
}

interface FleetExperience extends Experience {
  readonly isOfOthers: boolean;
  readonly records: readonly (readonly ConnectionChange[])[];
}

export function changesOf({ changes, cameFirst }: BasisNode): ConnectionChange[] {
  return changes.map((seconds, i) => ({ at: seconds * 1000, online: cameFirst === (i % 2 === 0) }));
}

function fleetExperience({ nodes }: RehearsalBasis): FleetExperience {
  const own = nodes.flatMap(({ passages }) => passages);
  const isOfOthers = own.length === 0;
  const records = nodes.map(changesOf).filter(changes => changes.length > 0);
  const passages = isOfOthers ? nodes.flatMap(({ others }) => others) : own;
  return { ...experienceOf(passages), isOfOthers, records };
}

function oneRun(
  basis: RehearsalBasis,
  asked: RehearsalQuestion & { readonly plan: RolloutPlan; readonly isNext: boolean },
  of: { readonly fleet: FleetExperience; readonly at: number },
): RunResult {
  const { now, nodes } = basis;
  // Each run is its own, however many there are.
  const random = seeded(Number.parseInt(sha256Hex(`${asked.seed} ${of.at}`).slice(0, 8), 16));
  const chance = random();
  const started = startOf(basis, asked, random);
  const { minReadySeconds, maintenanceWindows = [] } = asked.strategy;
  return run({
    ...started,
    isWithdrawn: !asked.isNext && basis.isWithdrawn,
    nodes: nodes.map(node => {
      const { isHeld, passages } = node;
      const known = changesOf(node);
      const changes = known.length > 0 ? known : borrowed(of.fleet.records, random);
      const replay =
        changes.length === 0
          ? unchanging(node.isOnline, now)
          : replayOf(changes, { isOnlineNow: node.isOnline, now, chance });
      const own = of.fleet.isOfOthers ? node.others : passages;
      const { fleet } = of;
      const { failureRate } = asked;
      const temper = temperOf(own, { fleet, random, minReadySeconds, failureRate });
      return { node, isHeld, replay, temper };
    }),
    windows: readWindows(maintenanceWindows),
    now,
    horizonMs: asked.horizonMs,
    promoteAfterMs: asked.promoteAfterMs,
    stepMs: Math.max(SEEN_MS, nodes.length * LOOK_MS_PER_NODE),
  });
}

/** A next revision begins as an apply begins it; who goes first chance says, as its digest will. */
function startOf(
  { now, newest, rollout, rows, nodes }: RehearsalBasis,
  { plan, isNext }: { readonly plan: RolloutPlan; readonly isNext: boolean },
  random: Random,
): { readonly rollout: Rollout; readonly rows: readonly RolloutNode[] } {
  if (!isNext && rollout !== null) return { rollout, rows };
  const to: RevisionName = {
    revision: (newest?.revision ?? 0) + 1,
    digest: sha256Hex(String(random())),
    size: 1,
  };
  const at = new Date(now).toISOString();
  const names = { namespace: '', name: '', by: '', at };
  const begun = beginRollout({ ...names, plan, to, former: newest, rollout });
  const known = new Map(rows.map(row => [row.node, row]));
  const carried = rollout === null ? [] : carriedRows(rollout, { fleet: nodes, rows: known, now });
  return { rollout: { spec: begun.spec, status: begun.status }, rows: carried };
}

function summaryOf(
  { now, nodes }: RehearsalBasis,
  of: {
    readonly asked: RehearsalQuestion;
    readonly plan: RolloutPlan;
    readonly fleet: FleetExperience;
    readonly results: readonly RunResult[];
  },
): Rehearsal {
  const { asked, plan, fleet, results } = of;
  const { runs, seed, horizonMs } = asked;
  const ends = { completed: 0, paused: 0, aborted: 0, progressing: 0 };
  for (const { status } of results) ends[status.phase]++;
  const missed = (name: string) => results.filter(({ verdicts }) => !verdicts.has(name)).length;
  const healthyIn = ({ verdicts }: RunResult) =>
    [...verdicts.values()]
      .filter(one => one.isHealthy)
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
  return {
    ...{ runs, seed, horizonMs, nodes: nodes.length },
    healthy: PERCENTS.map(percent => {
      const needed = Math.max(1, Math.ceil((percent * nodes.length) / 100));
      return { percent, after: spreadOf(results.map(one => healthyIn(one)[needed - 1] ?? null)) };
    }),
    never: nodes.map(({ name }) => name).filter(name => missed(name) * 2 >= runs),
    unreached: spreadOf(results.map(({ verdicts }) => nodes.length - verdicts.size)),
    failed: spreadOf(
      results.map(({ verdicts }) => [...verdicts.values()].filter(one => !one.isHealthy).length),
    ),
    waves: plan.waves.map((wave, i) => waveOf(results, { of: waveText(wave), wave: i, now })),
    ends,
    completes: spreadOf(
      results.map(({ status, endedMs }) => (status.phase === 'completed' ? endedMs : null)),
    ),
    promoted: Math.max(0, ...results.map(({ promoted }) => promoted)),
    history: {
      nodes: fleet.records.length,
      spanMs: Math.max(0, ...fleet.records.map(([first]) => now - (first?.at ?? now))),
      passages: fleet.passages.length,
      failures: fleet.failures,
      seconds: fleet.seconds.length,
      isOfOthers: fleet.isOfOthers && fleet.passages.length > 0,
    },
  };
}

function waveOf(
  results: readonly RunResult[],
  { of, wave, now }: { readonly of: string; readonly wave: number; readonly now: number },
): WaveRehearsal {
  const stands = new Map<string, { reason: string; message: string; runs: number }>();
  for (const { status, stood } of results) {
    const isOver = status.phase === 'completed' || (status.waves[wave]?.passedAt ?? null) !== null;
    const isHere = Math.max(0, status.waves.length - 1) === wave;
    if (isOver || !isHere) continue;
    const { reason } = status;
    const known = stands.get(reason) ?? { reason, message: '', runs: 0 };
    const message = known.message || (stood[wave]?.get(reason) ?? '');
    stands.set(reason, { reason, message, runs: known.runs + 1 });
  }
  const passed = ({ status }: RunResult) => {
    const at = status.waves[wave]?.passedAt ?? null;
    return at === null ? null : Math.max(0, Date.parse(at) - now);
  };
  const taken = ({ waveOf: waves, status }: RunResult) =>
    status.waves.length > wave ? [...waves.values()].filter(one => one === wave).length : null;
  return {
    of,
    nodes: spreadOf(results.map(taken)),
    passes: spreadOf(results.map(passed)),
    stands: [...stands.values()].sort((a, b) => b.runs - a.runs),
  };
}

/** Null: that run did not get there. */
export function spreadOf(values: readonly (number | null)[]): Spread {
  const known = values.flatMap(value => value ?? []).sort((a, b) => a - b);
  const at = (share: number) => known[Math.floor(share * (known.length - 1))] ?? null;
  return { runs: known.length, median: at(0.5), low: at(0.1), high: at(0.9) };
}
