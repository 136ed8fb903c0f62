/**
 * What happens next in a rollout, and why, for every node: membership, gate, budget and pace together. Pure, and asked again at every
 * change: the same values give the same answer, so that a restart, a duplicate or a late word repeats and skips nothing.
 */
import { statusNow } from './advance.js';
import { budgetOf, isDisturbed } from './budget.js';
import { gateOf } from './gate.js';
import { opensAt } from './hours.js';
import { memberOf, type Member } from './member.js';
import { paceOf } from './pace.js';
import type { RevisionName, RolloutNode, RolloutObject, RolloutStatus } from './rollout-object.js';
import { reasonFor, type Turn } from './reasons.js';
import { hasInPlace, isReachable, type FleetNode } from './stand.js';

export type Rollout = Pick<RolloutObject, 'spec' | 'status'>;

export interface Decision {
  readonly member: Member;
  /** `tell`: it is given the revision now; `back`: the former one again; `keep`: nothing changes for it. */
  readonly action: 'tell' | 'back' | 'keep';
  /** What its assignment is to name; null: nothing of this bundle. */
  readonly offer: RevisionName | null;
  readonly reason: string;
}

export interface Outcome {
  readonly status: RolloutStatus;
  /** Of every node that the bundle selects, in the order of the fleet. */
  readonly decisions: readonly Decision[];
  /** To be written. */
  readonly rows: readonly RolloutNode[];
  /** Instead, where what was decided of the node could not be written: its membership alone. */
  readonly rowsUnacted: readonly RolloutNode[];
  /** When time alone may change the answer, milliseconds since 1970; null: it does not. */
  readonly wakeAt: number | null;
}

export interface Seen {
  readonly fleet: readonly FleetNode[];
  /** What was done with the nodes so far, by name. */
  readonly rows: Rows;
  /** The root withdraws the revision: whoever runs it may keep it, nobody begins with it. */
  readonly isWithdrawn: boolean;
}

/** `now`: milliseconds since 1970. */
export function decide(rollout: Rollout, { fleet, rows, isWithdrawn }: Seen, now: number): Outcome {
  const known = new Map(rows);
  const status = statusNow(rollout, { fleet, rows: known, now, isWithdrawn });
  const current = { spec: rollout.spec, status };
  const members = fleet.map(node => memberOf(current, node, { row: known.get(node.name), now }));
  const turns =
    status.phase === 'aborted'
      ? backwards(current, members, now)
      : isWithdrawn
        ? withdrawn(members)
        : forwards(current, { members, rows: known, now });
  for (const { stand, row } of members) {
    // What was forgiven is over: the next failure counts.
    if (row?.isExcused === true && stand !== 'failed') {
      known.set(row.node, { ...row, isExcused: false });
    }
  }
  const decisions = members.map((member): Decision => {
    const turn = turns.of.get(member.node.name) ?? 'none';
    const action = turn === 'tell' || turn === 'back' ? turn : 'keep';
    return {
      member,
      action,
      offer: offerOf(current, member, action),
      reason: reasonFor(current, member, turn),
    };
  });
  const rowsUnacted = [...known.values()].filter(row => rows.get(row.node) !== row);
  for (const { member, action } of decisions) {
    if (action !== 'keep')
      known.set(
        member.node.name,
        rowAfter(current, { ...member, row: known.get(member.node.name) }, { action, now }),
      );
  }
  const changed = [...known.values()].filter(row => rows.get(row.node) !== row);
  return { status, decisions, rows: changed, rowsUnacted, wakeAt: turns.wakeAt };
}

type Rows = ReadonlyMap<string, RolloutNode>;

interface Turns {
  readonly of: ReadonlyMap<string, Turn>;
  readonly wakeAt: number | null;
}

/** Whose turn it is: those of earlier waves first, then by name. What could not be told is tried again when nobody else is left. */
function forwards(
  current: Rollout,
  of: { readonly members: readonly Member[]; readonly rows: Rows; readonly now: number },
): Turns {
  const { spec, status } = current;
  const { members, rows, now } = of;
  const turns = new Map<string, Turn>();
  if (status.phase === 'completed') {
    for (const { node, stand } of members)
      if (stand === 'waiting' && node.isCordoned !== true) turns.set(node.name, 'tell');
    return { of: turns, wakeAt: null };
  }
  if (status.phase === 'paused') return { of: turns, wakeAt: null };
  const { plan } = spec;
  const free = { now, deadlineMs: plan.offlineDeadlineSeconds * 1000 };
  const pace = paceOf(rows.values(), { nodesPerMinute: plan.nodesPerMinute, now });
  let budget = budgetOf(members, { plan, now });
  let room = pace.room;
  const waiting = members
    .filter(({ node, wave, stand }) => wave !== null && stand === 'waiting' && isReachable(node))
    .filter(member => !member.needsPerson)
    .sort((a, b) => {
      const isLater = Number(a.obstacle !== null) - Number(b.obstacle !== null);
      return isLater || (a.wave ?? 0) - (b.wave ?? 0) || (a.node.name < b.node.name ? -1 : 1);
    });
  const openings = new Map<number, number | null>();
  const opensFor = (wave: number) => {
    const at = openings.has(wave) ? (openings.get(wave) ?? null) : opensAt(spec, wave, now);
    openings.set(wave, at);
    return at;
  };
  for (const member of waiting) {
    const opens = opensFor(member.wave ?? 0);
    if (opens !== now) {
      turns.set(member.node.name, { opensAt: opens });
      continue;
    }
    // Who is on the way anyway is disturbed already.
    const cost = isDisturbed(member, free) ? 0 : 1;
    if (budget < cost) turns.set(member.node.name, 'budget');
    else if (room < 1) turns.set(member.node.name, 'pace');
    else {
      turns.set(member.node.name, 'tell');
      budget -= cost;
      room--;
    }
  }
  const gate = gateOf(current, members, {
    now,
    settledAt: Date.parse(status.waves[status.waves.length - 1]?.settledAt ?? spec.begun.at),
  });
  const isPaced = [...turns.values()].includes('pace');
  if (gate.isOpen || status.waves.length === 0) opensFor(status.waves.length);
  const times = [
    gate.isOpen ? null : gate.at,
    ...[...openings.values()].filter(at => at !== now),
    isPaced ? (pace.nextAt ?? now + 60_000) : null,
    ...deadlines(members, free),
  ];
  return { of: turns, wakeAt: earliest(times) };
}

/** In whose directory it does not lie gets the former one again; who runs it keeps it (S19). */
function withdrawn(members: readonly Member[]): Turns {
  const back = members.filter(({ node, stand }) => {
    return stand !== 'waiting' && node.assigned !== null && !hasInPlace(node, node.assigned.digest);
  });
  return { of: new Map(back.map(({ node }) => [node.name, 'back'])), wakeAt: null };
}

/**
 * Whoever has not shown it to be healthy goes back at once, so that nobody begins with it; where it runs well the way back is one more
 * disturbance, and takes its turn.
 */
function backwards({ spec }: Rollout, members: readonly Member[], now: number): Turns {
  const { plan } = spec;
  const of = { now, deadlineMs: plan.offlineDeadlineSeconds * 1000 };
  let budget = budgetOf(members, { plan, now });
  const turns = new Map<string, Turn>();
  for (const { node, stand } of members) {
    if (stand === 'waiting') continue;
    const runsThere = (stand === 'healthy' || stand === 'unknown') && isReachable(node);
    if (runsThere && budget < 1) turns.set(node.name, 'budget');
    else {
      turns.set(node.name, 'back');
      if (runsThere) budget--;
    }
  }
  return { of: turns, wakeAt: earliest(deadlines(members, of)) };
}

/** When silent nodes are believed to be on their way no more. */
function deadlines(
  members: readonly Member[],
  of: { readonly now: number; readonly deadlineMs: number },
): (number | null)[] {
  return members.map(member => {
    const { node, row, stand, waitedUntil } = member;
    if (waitedUntil !== null && Number.isFinite(waitedUntil)) return waitedUntil;
    const isBack = stand === 'waiting' && !isReachable(node) && isDisturbed(member, of);
    return isBack && row?.toldAt ? Date.parse(row.toldAt) + of.deadlineMs : null;
  });
}

function earliest(times: readonly (number | null)[]): number | null {
  return times.reduce((a, b) => (a === null ? b : b === null ? a : Math.min(a, b)), null);
}

function offerOf(
  { spec, status }: Rollout,
  { node, stand }: Member,
  action: Decision['action'],
): RevisionName | null {
  if (action === 'back') return spec.base;
  if (action === 'tell' || status.phase === 'completed') return spec.to;
  return stand === 'waiting' ? heldBack(spec, node) : spec.to;
}

/**
 * What a node has whose turn has not come: what runs there, else the last revision that completed. What never completed is not begun
 * with, and who is away finds the completed one.
 */
export function heldBack(
  { base, unproven }: Pick<Rollout['spec'], 'base' | 'unproven'>,
  node: FleetNode,
): RevisionName | null {
  const { assigned } = node;
  if (assigned === null || assigned.digest === base?.digest) return base;
  const isUnproven = unproven.includes(assigned.digest);
  if (hasInPlace(node, assigned.digest)) return isUnproven || isReachable(node) ? assigned : base;
  return isUnproven || !isReachable(node) ? base : assigned;
}

/** Who could not be reached was away anyway: that it comes back to something else disturbs nobody. */
function rowAfter(
  { spec }: Rollout,
  { node, row, wave }: Member,
  { action, now }: { readonly action: Decision['action']; readonly now: number },
): RolloutNode {
  return {
    node: node.name,
    wave: wave ?? spec.plan.waves.length - 1,
    toldAt: isReachable(node) ? new Date(now).toISOString() : null,
    isBack: action === 'back',
    isExcused: row?.isExcused ?? false,
    isReleased: row?.isReleased ?? false,
    obstacle: null,
  };
}
