/**
 * What an apply or a removal writes of rollouts, in its own transaction: a new revision takes the place of the one before, which becomes
 * history, or one that was held goes on.
 */
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject } from '../objects.js';
import type { Actor, Mutation, RevisionRecord, Store } from '../store/store.js';
import { pastOf, type Ending } from './history.js';
import { readRollout } from './read-rollout.js';
import { isHeld } from './rollout.js';
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
  /** As it is until now; null: it is new. */
  readonly bundle: BundleObject | null;
  readonly actor: Actor;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export async function rolloutWrites(
  parts: { readonly store: Store; readonly root: () => TrustedRoot },
  { namespace, name, plan, made, known, bundle, actor, now }: BeginWrite,
): Promise<Mutation[]> {
  const existing = (await parts.store.get('Rollout', namespace, name)) as RolloutObject | null;
  const at = new Date(now).toISOString();
  const past =
    bundle === null || bundle.status.digest === made.digest
      ? []
      : pastWrites(bundle, {
          ...{ record: known, rollout: existing, by: actor.name, at },
          next: made.revision,
        });
  if (plan === null) return [...past, ...(existing ? rolloutRemoval(existing) : [])];
  const former = await readRollout(parts, { namespace, name });
  const object = beginRollout({
    ...{ namespace, name, plan },
    to: nameOf(made),
    former: known ? nameOf(known) : null,
    rollout: existing,
    by: actor.name,
    at,
  });
  const carried = former ? carriedRows(former.object, { ...former, now }) : [];
  const expect = existing
    ? { resourceVersion: existing.metadata.resourceVersion }
    : ('absent' as const);
  return [
    ...past,
    { type: 'put', object, expect, wish: `revision ${made.revision}` },
    { type: 'dropRolloutNodes', namespace, bundle: name },
    ...carried.map((record): Mutation => ({
      type: 'rolloutNode',
      namespace,
      bundle: name,
      record,
    })),
  ];
}

/**
 * What a bundle that a restore held goes on with: a revision that this hub learned from its fleet was on its way, how far nobody knows
 * any more. Null for any other bundle, and for one whose rollout the backup brought.
 */
export async function released(
  store: Store,
  current: BundleObject | null,
  newest: RevisionRecord | null,
): Promise<Pick<BeginWrite, 'made' | 'known'> | null> {
  if (!current || !newest || !isHeld(current)) return null;
  const { namespace, name } = current.metadata;
  const rollout = (await store.get('Rollout', namespace, name)) as RolloutObject | null;
  if (rollout?.spec.to.digest === newest.digest) return null;
  const older = (await store.revisions(namespace, name)).filter(
    ({ revision }) => revision < newest.revision,
  );
  const known = older.reduce<RevisionRecord | null>(
    (best, one) => (best === null || one.revision > best.revision ? one : best),
    null,
  );
  return { made: newest, known };
}

function pastWrites(bundle: BundleObject, of: Omit<Ending, 'bundle'>): Mutation[] {
  const record = pastOf({ bundle, ...of });
  const { namespace, name } = bundle.metadata;
  return record === null ? [] : [{ type: 'pastRollout', namespace, bundle: name, record }];
}

/** Of a bundle that is deleted. */
export async function rolloutsEnd(
  store: Store,
  bundle: BundleObject,
  { actor, now }: Pick<BeginWrite, 'actor' | 'now'>,
): Promise<Mutation[]> {
  const { namespace, name } = bundle.metadata;
  const rollout = (await store.get('Rollout', namespace, name)) as RolloutObject | null;
  const record = await store.revisionByDigest(bundle.status.digest);
  const ending = { record, rollout, by: actor.name, at: new Date(now).toISOString(), next: null };
  const removal = rollout ? rolloutRemoval(rollout) : [];
  const passages: Mutation = { type: 'dropPassages', namespace, bundle: name };
  return [...pastWrites(bundle, ending), ...removal, passages];
}

function rolloutRemoval({ metadata }: RolloutObject): Mutation[] {
  const { namespace, name, resourceVersion } = metadata;
  return [
    { type: 'delete', kind: 'Rollout', namespace, name, expect: { resourceVersion } },
    { type: 'dropRolloutNodes', namespace, bundle: name },
  ];
}

function nameOf({ revision, digest, size }: RevisionRecord): RevisionName {
  return { revision, digest, size };
}
