/** How a rollout stands once the waves passed that may, and those began that then could. Pure. */
import { gateOf, isQuiet, onlyFailures, tooManyFailures } from './gate.js';
import { opensAt, opensText } from './hours.js';
import { memberOf, type Member } from './member.js';
import { membersOf } from './membership.js';
import type { PhaseReason, RolloutNode, RolloutObject, RolloutStatus } from './rollout-object.js';
import { isReachable, type FleetNode } from './stand.js';

type Rollout = Pick<RolloutObject, 'spec' | 'status'>;

interface Look {
  readonly fleet: readonly FleetNode[];
  /** Gets the rows of nodes whose wave begins. */
  readonly rows: Map<string, RolloutNode>;
  readonly now: number;
  readonly isWithdrawn: boolean;
}

/** How the rollout stands once the waves passed that may, and those began that then could. */
export function statusNow({ spec, status: before }: Rollout, look: Look): RolloutStatus {
  const { fleet, rows, now, isWithdrawn } = look;
  const at = new Date(now).toISOString();
  let status = before;
  const becomes = (to: Pick<RolloutStatus, 'phase' | 'reason' | 'message'>): RolloutStatus => ({
    ...status,
    ...to,
    since: status.phase === to.phase ? status.since : at,
  });
  if (before.phase === 'completed' || before.phase === 'aborted') return before;
  if (spec.aborted) return becomes({ phase: 'aborted', reason: 'Person', message: '' });
  if (isWithdrawn) {
    const message = 'the root withdraws it: nobody begins with it; apply another revision';
    return becomes({ phase: 'paused', reason: 'Withdrawn', message });
  }
  if (before.phase === 'paused') return before;
  if (spec.paused) return becomes({ phase: 'paused', reason: 'Person', message: '' });
  for (;;) {
    const wave = status.waves.length - 1;
    const current = { spec, status };
    const members = fleet.map(node => memberOf(current, node, { row: rows.get(node.name), now }));
    const fails = (message: string) => {
      const phase = spec.plan.onMaxFailures === 'pause' ? 'paused' : 'aborted';
      return becomes({ phase, reason: 'TooManyFailures', message });
    };
    const failure = tooManyFailures(current, members);
    if (failure !== null) return fails(failure);
    const under = status.waves[wave];
    if (under !== undefined) {
      const settledAt = isQuiet(current, members) ? (under.settledAt ?? at) : null;
      const gate = gateOf(current, members, { now, settledAt: Date.parse(settledAt ?? at) });
      const opens = gate.isOpen ? opensNext(current, now) : now;
      const passedAt = gate.isOpen && opens === now ? at : null;
      const waves = [...status.waves.slice(0, -1), { ...under, settledAt, passedAt }];
      status = { ...status, waves };
      if (opens !== now) return becomes(waits(spec, wave + 1, opens));
      const reason: PhaseReason = gate.isOpen ? 'Nodes' : gate.reason;
      const message = gate.isOpen ? '' : (gate.message ?? '');
      status = becomes({ phase: 'progressing', reason, message });
      const only = reason === 'NotProven' ? onlyFailures(members) : null;
      if (only !== null) return fails(only);
      const shut = gate.isOpen ? null : shutOut(current, members, now);
      if (shut !== null) return becomes(waits(spec, shut.wave, shut.opens));
      if (!gate.isOpen) return status;
    } else {
      const opens = opensNext(current, now);
      if (opens !== now) return becomes(waits(spec, 0, opens));
    }
    const next = spec.plan.waves[wave + 1];
    if (next === undefined) return becomes({ phase: 'completed', reason: 'Done', message: '' });
    begin(next, { look, spec, wave: wave + 1 });
    const began = { startedAt: at, settledAt: null, passedAt: null };
    status = { ...status, waves: [...status.waves, began] };
  }
}

/** After the last wave there is none to wait for. */
function opensNext({ spec, status }: Rollout, now: number): number | null {
  return opensAt(spec, status.waves.length, now);
}

function waits(spec: Rollout['spec'], wave: number, opens: number | null) {
  const message = opensText(spec, wave, opens);
  return { phase: 'progressing', reason: 'Window', message } as const;
}

/** Where whoever is waited for is to be told, and waits for a window of a wave: the first wave that takes nodes again. */
function shutOut(
  { spec }: Rollout,
  members: readonly Member[],
  now: number,
): { readonly wave: number; readonly opens: number | null } | null {
  const waited = members.filter(({ wave, waitedUntil }) => wave !== null && waitedUntil !== null);
  if (!waited.every(({ node, stand }) => stand === 'waiting' && isReachable(node))) return null;
  const waves = [...new Set(waited.flatMap(({ wave }) => wave ?? []))];
  const shut = waves.map(wave => ({ wave, opens: opensAt(spec, wave, now) }));
  if (shut.some(({ opens }) => opens === now)) return null;
  return shut.sort((a, b) => (a.opens ?? Infinity) - (b.opens ?? Infinity))[0] ?? null;
}

/** The last wave's members are all that are in no other. */
function begin(
  wave: Rollout['spec']['plan']['waves'][number],
  { look, spec, wave: index }: { look: Look; spec: Rollout['spec']; wave: number },
): void {
  if (index === spec.plan.waves.length - 1) return;
  const { fleet, rows } = look;
  const taken = new Set(
    fleet.map(({ name }) => name).filter(name => (rows.get(name)?.wave ?? -1) >= 0),
  );
  for (const node of membersOf(wave, fleet, { taken, digest: spec.to.digest })) {
    const {
      isReleased = false,
      toldAt = null,
      isBack = false,
      obstacle = null,
    } = rows.get(node) ?? {};
    rows.set(node, { node, wave: index, toldAt, isBack, isExcused: false, isReleased, obstacle });
  }
}
