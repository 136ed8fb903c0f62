/** Whether a wave may pass, by what its nodes themselves say; and whether so many failed that the rollout ends. Pure. */
import { counted } from '../../../protocol/counted.js';
import { matches, parseSelector } from '../../selectors.js';
import type { Member } from './member.js';
import type { Wave } from './plan.js';
import type { PhaseReason, RolloutObject } from './rollout-object.js';
import { isReachable } from './stand.js';
import { sharedDown, sharedUp, type Share } from './share.js';

type Rollout = Pick<RolloutObject, 'spec' | 'status'>;

/** A sentence where more nodes failed than the plan lets; null: not so many. A failure that was known at a resume is forgiven. */
export function tooManyFailures({ spec }: Rollout, members: readonly Member[]): string | null {
  const begun = members.filter(({ wave }) => wave !== null);
  const failed = failedOf(begun);
  const { maxFailures } = spec.plan;
  const limit = sharedDown(maxFailures, begun.length);
  if (failed.length <= limit) return null;
  const of = typeof maxFailures === 'string' ? ` (${maxFailures} of ${begun.length})` : '';
  const first = failed.map(({ node }) => node.name).sort()[0] ?? '';
  return `${failed.length} failed, ${limit}${of} may: first of them ${first}`;
}

/** The same where nobody is left to show that the revision is healthy anywhere, and some failed; null: none did. */
export function onlyFailures(members: readonly Member[]): string | null {
  const failed = failedOf(members);
  return failed.length === 0 ? null : `${failed.length} failed, and it is healthy nowhere`;
}

function failedOf(members: readonly Member[]): Member[] {
  return members.filter(({ stand, row }) => stand === 'failed' && row?.isExcused !== true);
}

export type Gate =
  | { readonly isOpen: true }
  | {
      readonly isOpen: false;
      readonly reason: Extract<
        PhaseReason,
        'Nodes' | 'NoSuchNode' | 'NotProven' | 'Away' | 'Sample' | 'OnDelete' | 'Bake' | 'Promotion'
      >;
      /** A sentence; left out: the reason says all. */
      readonly message?: string;
      /** When time alone may change it, milliseconds since 1970; null: it does not. */
      readonly at: number | null;
    };

const OPEN: Gate = { isOpen: true };

/**
 * Of the wave under way. The last looks at the nodes of all: with it the revision is complete. A wave whose nodes were all in waves before
 * it is open; one whose selector no node of the fleet matches is a mistyped label until a person promotes it. One of whose own nodes none, or
 * fewer than the plan's sample, have shown anything stays shut, whatever those before it showed: else a cut of the hub's own line, when
 * everybody is away, would let all waves pass, and all nodes begin at once when it ends. Cordoned nodes are passed over, once the revision is
 * healthy somewhere. `settledAt`: since when nobody is waited for.
 */
export function gateOf(
  { spec, status }: Rollout,
  all: readonly Member[],
  { now, settledAt }: { readonly now: number; readonly settledAt: number },
): Gate {
  const wave = status.waves.length - 1;
  const members = all.filter(({ node, stand }) => !node.isCordoned || stand !== 'waiting');
  if (wave < spec.forced) {
    // Whom it could tell and did not yet is not skipped.
    const isToBeTold = ({ wave: own, stand, node, obstacle }: Member) =>
      own === wave && stand === 'waiting' && isReachable(node) && obstacle === null;
    return members.some(isToBeTold) ? { isOpen: false, reason: 'Nodes', at: null } : OPEN;
  }
  const isLast = wave === spec.plan.waves.length - 1;
  const isOfWave = (member: Member) => (isLast ? member.wave !== null : member.wave === wave);
  const own = members.filter(isOfWave);
  if (own.length === 0) {
    const isPromoted = wave < spec.promoted;
    const isProven = members.some(member => isProof(member, spec.plan.allowUnknown));
    if (all.some(isOfWave) && !isProven) return { isOpen: false, reason: 'NotProven', at: null };
    if (isLast || isPromoted || !isUnknownSelector(spec.plan.waves[wave], all)) return OPEN;
    return { isOpen: false, reason: 'NoSuchNode', at: null };
  }
  const until = waitedUntil(own);
  if (until !== null) return { isOpen: false, reason: 'Nodes', at: finite(until) };
  if (own.some(({ needsPerson }) => needsPerson)) {
    return { isOpen: false, reason: 'OnDelete', at: null };
  }
  if (!members.some(member => isProof(member, spec.plan.allowUnknown))) {
    return { isOpen: false, reason: 'NotProven', at: null };
  }
  const sample = members.filter(member => member.wave === wave);
  const verdicts = sample.filter(member => hasVerdict(member, spec.plan.allowUnknown)).length;
  if (sample.length > 0 && verdicts === 0) return { isOpen: false, reason: 'Away', at: null };
  const needed = isLast ? 0 : sampleOf(spec.plan.minSample, sample.length);
  if (verdicts < needed) {
    const message = `${verdicts} of ${counted(sample.length, 'node')} showed how it is there, ${needed} must`;
    return { isOpen: false, reason: 'Sample', at: null, message };
  }
  if (isLast) return OPEN;
  const bakedAt = settledAt + spec.plan.bakeSeconds * 1000;
  if (now < bakedAt) return { isOpen: false, reason: 'Bake', at: bakedAt };
  if (spec.plan.promotion === 'manual' && wave >= spec.promoted) {
    return { isOpen: false, reason: 'Promotion', at: null };
  }
  return OPEN;
}

function isUnknownSelector(wave: Wave | undefined, members: readonly Member[]): boolean {
  if (wave === undefined || !('selector' in wave)) return false;
  const requirements = parseSelector(wave.selector);
  return !members.some(({ node }) => matches(requirements, node.labels));
}

/** The wave under way waits for nobody; by this its bake time begins. */
export function isQuiet({ spec, status }: Rollout, members: readonly Member[]): boolean {
  const wave = status.waves.length - 1;
  const isLast = wave === spec.plan.waves.length - 1;
  return waitedUntil(members.filter(member => isLast || member.wave === wave)) === null;
}

function hasVerdict(member: Member, allowUnknown: boolean): boolean {
  return member.stand === 'failed' || member.stand === 'aside' || isProof(member, allowUnknown);
}

/** So many of a small wave are a majority; of a large one more show no more, and a fleet that mostly sleeps could not give a share. */
const AUTO_SAMPLE = 3;

/** How many of the wave's nodes must have a verdict. */
export function sampleOf(minSample: Share = 'auto', nodes: number): number {
  if (minSample === 'auto') return Math.min(AUTO_SAMPLE, Math.ceil(nodes / 2));
  return Math.min(sharedUp(minSample, nodes), nodes);
}

function isProof({ stand }: Member, allowUnknown: boolean): boolean {
  return stand === 'healthy' || (allowUnknown && stand === 'unknown');
}

/** The first time at which one of them is waited for no more; null: none is. */
function waitedUntil(members: readonly Member[]): number | null {
  const times = members.flatMap(({ waitedUntil: until }) => until ?? []);
  return times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b));
}

function finite(at: number): number | null {
  return Number.isFinite(at) ? at : null;
}
