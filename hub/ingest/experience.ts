/**
 * What a node's turn adds to what was lived through with it: that it came or went, and its verdicts on revisions. For the transaction that
 * records the turn, so that it costs no other. Reads what it needs; `passagesIn` is pure.
 */
import type { BundleStatus } from '../../protocol/documents/node.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { assignmentOf } from '../rollout/director.js';
import { fateOf } from '../rollout/fate.js';
import type { Passage } from '../store/experience-records.js';
import type { Mutation, Store } from '../store/store.js';
import type { NodeState } from './node-state.js';

/** What took longer waited for something else. */
const LONGEST_S = 86_400;

export interface Experienced {
  readonly before: NodeObject;
  readonly state: NodeState;
  readonly isOnline: boolean;
  /** RFC 3339, the hub's clock. */
  readonly now: string;
}

export async function experienceWrites(store: Store, of: Experienced): Promise<Mutation[]> {
  const { before, state, isOnline, now } = of;
  const node = before.metadata.name;
  const at = Date.parse(now);
  const change: Mutation = { type: 'connection', node, change: { at, online: isOnline } };
  const verdicts = verdictsIn(before.status.flotilla.bundles, state.status?.bundles ?? []);
  if (verdicts.length === 0) return [change];
  const record = await store.assignment(node);
  const assignment = record ? assignmentOf(record) : null;
  const ready = before.status.conditions?.find(({ type }) => type === 'Ready');
  const connectedAt =
    ready?.status === 'Unknown' ? at : Date.parse(String(ready?.lastTransitionTime));
  const writes: Mutation[] = [change];
  for (const verdict of verdicts) {
    const { namespace, name } = verdict;
    const bundle = (await store.get('Bundle', namespace, name)) as BundleObject | null;
    if (bundle === null) continue;
    const isNow = assignment?.bundles.some(
      one => one.digest === verdict.digest && one.attempt === verdict.attempt,
    );
    const toldAt = isNow ? Date.parse(assignment?.issued ?? '') : Number.NaN;
    const { minReadySeconds } = bundle.spec.strategy ?? DEFAULT_STRATEGY;
    const passage = passageOf(verdict, { at, toldAt, connectedAt, minReadySeconds });
    writes.push({ type: 'passage', namespace, bundle: name, node, record: passage });
  }
  return writes;
}

/** Those that the node did not give before. A person's word at the device is none. */
export function verdictsIn(
  before: readonly BundleStatus[],
  now: readonly BundleStatus[],
): BundleStatus[] {
  const isVerdict = (status: BundleStatus) => ['healthy', 'failed'].includes(fateOf(status));
  return now.filter(one => {
    const was = before.find(b => b.namespace === one.namespace && b.name === one.name);
    const isSame = was?.digest === one.digest && was.attempt === one.attempt;
    return isVerdict(one) && !(was !== undefined && isSame && isVerdict(was));
  });
}

/** From when it was told, or came back later, by the hub's clock: the node's own may be wrong. */
export function passageOf(
  verdict: BundleStatus,
  of: {
    /** Milliseconds since 1970; not a number: unknown. */
    readonly at: number;
    readonly toldAt: number;
    readonly connectedAt: number;
    readonly minReadySeconds: number;
  },
): Passage {
  const isHealthy = fateOf(verdict) === 'healthy';
  const began = Math.max(of.toldAt, of.connectedAt);
  const took = Math.round((of.at - began) / 1000) - (isHealthy ? of.minReadySeconds : 0);
  const isKnown = Number.isFinite(took) && took <= LONGEST_S;
  return { at: of.at, isHealthy, seconds: isKnown ? Math.max(0, took) : null };
}
