/** Reads the fleet for the question whether a bundle would take what another has on some node; claims.ts answers it. */
import type { BundleObject } from '../objects.js';
import { RequestError } from '../ports.js';
import type { Store } from '../store/store.js';
import {
  CONFLICT_HINT,
  clashesBetween,
  conflictsOf,
  conflictText,
  laterConflicts,
  newConflicts,
  type Claimant,
  type ClaimedNode,
} from './claims.js';
import { manifestsOf } from './revision-document.js';
import type { RolloutObject } from './waves/rollout-object.js';

/** More in one message help nobody. */
const SHOWN_MAX = 16;

/** Throws `Invalid` with every conflict that this apply would bring about. `current`: null for a new bundle. */
export async function refuseConflicts(
  store: Store,
  asked: Claimant,
  current: BundleObject | null,
): Promise<void> {
  const others = await clashing(store, asked);
  if (others.length === 0) return;
  const nodes = await members(store);
  const former = current === null ? [] : conflictsOf(claimantOf(current), others, nodes);
  const conflicts = newConflicts(conflictsOf(asked, others, nodes), former);
  if (conflicts.length === 0) return;
  const causes = conflicts
    .slice(0, SHOWN_MAX)
    .map(one => ({ field: 'spec.manifests', message: conflictText(one) }));
  const rest = conflicts.length - causes.length;
  const lines = causes.map(({ message }) => message).concat(rest > 0 ? [`and ${rest} more`] : []);
  const message = `bundle "${asked.name}" conflicts with another: ${lines.join('; ')}. ${CONFLICT_HINT}`;
  throw new RequestError('Invalid', message, causes);
}

/** Of a bundle as it is: conflicts that nodes which joined later brought about, and those that the first node to come will have. */
export async function conflictWarnings(store: Store, bundle: BundleObject): Promise<string[]> {
  const own = claimantOf(bundle);
  const others = await clashing(store, own);
  if (others.length === 0) return [];
  const nodes = await members(store);
  const now = conflictsOf(own, others, nodes).map(
    one => `${conflictText(one)}: what came there first stays, the other waits; ${CONFLICT_HINT}`,
  );
  const later = laterConflicts(own, others, nodes).map(
    ({ text }) => `${text}: no node is selected by both now, but one may come; ${CONFLICT_HINT}`,
  );
  return [...now, ...later].slice(0, SHOWN_MAX).map(text => `bundle/${own.name}: ${text}`);
}

function claimantOf({ metadata, spec }: BundleObject): Claimant {
  const { namespace, name } = metadata;
  return { namespace, name, nodeSelector: spec.nodeSelector, manifests: spec.manifests };
}

/** Bundles that take something of the same, as they are meant to be: one that was aborted, as its last completed revision is. */
async function clashing(store: Store, own: Claimant): Promise<Claimant[]> {
  const [bundles, rollouts] = await Promise.all([store.list('Bundle'), store.list('Rollout')]);
  const found: Claimant[] = [];
  for (const bundle of bundles.items as readonly BundleObject[]) {
    const { namespace, name } = bundle.metadata;
    const rollout = (rollouts.items as readonly RolloutObject[]).find(
      ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
    );
    const standing = await standingOf(store, bundle, rollout);
    if (clashesBetween(own, standing).length > 0) found.push(standing);
  }
  return found;
}

async function standingOf(
  store: Store,
  bundle: BundleObject,
  rollout: RolloutObject | undefined,
): Promise<Claimant> {
  const claimant = claimantOf(bundle);
  const isAborted =
    rollout?.status.phase === 'aborted' && rollout.spec.to.digest === bundle.status.digest;
  if (!isAborted) return claimant;
  const { base } = rollout.spec;
  const { namespace, name } = claimant;
  const manifests = base && (await manifestsOf(store, { namespace, name, ...base }));
  return { ...claimant, manifests: manifests ?? [] };
}

async function members(store: Store): Promise<ClaimedNode[]> {
  const [{ items }, identities] = await Promise.all([store.list('Node'), store.identities()]);
  const active = new Set(identities.filter(i => i.state === 'active').map(({ node }) => node));
  return items
    .filter(({ metadata }) => active.has(metadata.name))
    .map(({ metadata }) => ({ name: metadata.name, labels: metadata.labels }));
}
