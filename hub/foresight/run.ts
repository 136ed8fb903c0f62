/**
 * One rehearsal of a rollout: the controller's own `decide` over nodes that come and go, take their time and fail as chance has it. Time
 * jumps from one thing that happens to the next. Pure.
 */
import type { Window } from '../../protocol/maintenance-window.js';
import { decide, type Rollout } from '../rollout/waves/decide.js';
import type { RolloutNode, RolloutStatus } from '../rollout/waves/rollout-object.js';
import type { FleetNode } from '../rollout/waves/stand.js';
import { Actor, type Temper } from './actor.js';
import type { Replay } from './replay.js';

export interface RunInput {
  readonly rollout: Rollout;
  readonly rows: readonly RolloutNode[];
  readonly isWithdrawn: boolean;
  readonly nodes: readonly {
    readonly node: FleetNode;
    readonly isHeld: boolean;
    readonly replay: Replay;
    readonly temper: Temper;
  }[];
  /** Of the revision, judged by nodes; empty: none. */
  readonly windows: readonly Window[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly horizonMs: number;
  /** After so long a person promotes what waits for one. */
  readonly promoteAfterMs: number;
  /** Between two looks, as the controller's own. */
  readonly stepMs: number;
}

export interface RunResult {
  readonly status: RolloutStatus;
  /** When the rollout ended, milliseconds from now; null: not within the horizon. */
  readonly endedMs: number | null;
  /** By node: milliseconds from now until the hub heard its verdict, and whether it is healthy. Left out: it gave none. */
  readonly verdicts: ReadonlyMap<string, { readonly ms: number; readonly isHealthy: boolean }>;
  /** By node: counted from 0. */
  readonly waveOf: ReadonlyMap<string, number>;
  /** By wave, each reason for which it stood, with the sentence that was last said. */
  readonly stood: readonly ReadonlyMap<string, string>[];
  /** Waves that a person was taken to promote. */
  readonly promoted: number;
}

export function run(input: RunInput): RunResult {
  const { now, horizonMs, windows, promoteAfterMs } = input;
  const end = now + horizonMs;
  const digest = input.rollout.spec.to.digest;
  const actors = input.nodes.map(one => new Actor({ ...one, windows, digest, now }));
  const rows = new Map(input.rows.map(row => [row.node, row]));
  const obstructed = new Set(input.rows.flatMap(one => (one.obstacle === null ? [] : [one.node])));
  const stood: Map<string, string>[] = [];
  let { rollout } = input;
  let promoted = 0;
  let waitsSince: number | null = null;
  let at = now;
  for (;;) {
    for (const actor of actors) actor.live(at);
    const fleet = actors.map(actor => actor.seen());
    const outcome = decide(rollout, { fleet, rows, isWithdrawn: input.isWithdrawn }, at);
    const { status } = outcome;
    rollout = { ...rollout, status };
    // What an assignment does not hold today it does not hold then.
    const isLost = ({ node }: RolloutNode) => obstructed.has(node);
    for (const row of outcome.rows) {
      const was = rows.get(row.node);
      rows.set(row.node, isLost(row) && was ? { ...was, wave: row.wave } : row);
    }
    outcome.decisions.forEach(({ offer, member }, i) => {
      const isTold = offer?.digest !== member.node.assigned?.digest;
      if (isTold && !obstructed.has(member.node.name)) actors[i]?.assign(offer, at);
    });
    const wave = Math.max(0, status.waves.length - 1);
    for (let i = stood.length; i <= wave; i++) stood.push(new Map());
    stood[wave]?.set(status.reason, status.message);
    if (status.phase !== 'progressing') break;
    const isForPerson = status.reason === 'Promotion' || status.reason === 'OnDelete';
    waitsSince = isForPerson ? (waitsSince ?? at) : null;
    if (waitsSince !== null && at >= waitsSince + promoteAfterMs) {
      rollout = { ...rollout, spec: { ...rollout.spec, promoted: wave + 1 } };
      promoted++;
      waitsSince = null;
      continue;
    }
    const person = waitsSince === null ? Infinity : waitsSince + promoteAfterMs;
    const isAwaited = (name: string) => {
      const row = rows.get(name);
      return status.waves.length === rollout.spec.plan.waves.length || (row?.wave ?? -1) >= 0;
    };
    const next = actors.reduce(
      (first, actor) => Math.min(first, actor.nextAt(at, isAwaited(actor.name))),
      Math.min(outcome.wakeAt ?? Infinity, person),
    );
    if (next > end) break;
    at = Math.max(next, at + input.stepMs);
  }
  const { phase } = rollout.status;
  if (phase === 'completed') for (const actor of actors) actor.liveUntil(end);
  const verdicts = actors.flatMap(actor => {
    const { verdict } = actor;
    return verdict === null || verdict.at > end
      ? []
      : [[actor.name, { ms: verdict.at - now, isHealthy: verdict.isHealthy }] as const];
  });
  return {
    ...{ status: rollout.status, stood, promoted },
    endedMs: phase === 'progressing' ? null : at - now,
    verdicts: new Map(verdicts),
    waveOf: new Map(
      [...rows.values()].filter(row => row.wave >= 0).map(row => [row.node, row.wave]),
    ),
  };
}
