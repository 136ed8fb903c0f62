/** What an apply writes of rollouts, in its own transaction: a new revision takes the place of the one before. */
import type { TrustedRoot } from '../../protocol/verified.js';
import type { Actor, Mutation, RevisionRecord, Store } from '../store/store.js';
import { readRollout } from './read-rollout.js';
import { beginRollout, carriedRows } from './waves/begin.js';
import type { RolloutPlan } from './waves/plan.js';
import type { RevisionName, RolloutObject } from './waves/rollout-object.js';

export interface BeginWrite {
  readonly namespace: string;
  readonly name: string;
  /** Null: the revision goes to all nodes at once. */
  readonly plan: RolloutPlan | null;
  /** The new revision. */
  readonly made: RevisionRecord;
  /** The newest until now; null: the bundle is new. */
  readonly known: RevisionRecord | null;
  readonly actor: Actor;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export async function rolloutWrites(
  parts: { readonly store: Store; readonly root: () => TrustedRoot },
  { namespace, name, plan, made, known, actor, now }: BeginWrite,
): Promise<Mutation[]> {
  const existing = (await parts.store.get('Rollout', namespace, name)) as RolloutObject | null;
  if (plan === null) return existing ? rolloutRemoval({ namespace, name }) : [];
  const former = await readRollout(parts, { namespace, name });
  const object = beginRollout({
    ...{ namespace, name, plan },
    to: nameOf(made),
    former: known ? nameOf(known) : null,
    rollout: existing,
    by: actor.name,
    at: new Date(now).toISOString(),
  });
  const carried = former ? carriedRows(former.object, { ...former, now }) : [];
  const expect = existing
    ? { resourceVersion: existing.metadata.resourceVersion }
    : ('absent' as const);
  return [
    { type: 'put', object, expect },
    { type: 'dropRolloutNodes', namespace, bundle: name },
    ...carried.map((record): Mutation => ({
      type: 'rolloutNode',
      namespace,
      bundle: name,
      record,
    })),
  ];
}

/** Of a bundle that has one. */
export function rolloutRemoval({
  namespace,
  name,
}: Pick<BeginWrite, 'namespace' | 'name'>): Mutation[] {
  return [
    { type: 'delete', kind: 'Rollout', namespace, name },
    { type: 'dropRolloutNodes', namespace, bundle: name },
  ];
}

function nameOf({ revision, digest, size }: RevisionRecord): RevisionName {
  return { revision, digest, size };
}
