/** Reads the fleet for the question how far a bundle may reach; reach.ts answers it. */
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import type { ReleaseScope, RootDocument } from '../../protocol/documents/root.js';
import type { ValidPod } from '../../protocol/pod.js';
import { releaseRoleOf, scopesOf } from '../../protocol/verify-bundle.js';
import type { BundleObject } from '../objects.js';
import { RequestError } from '../ports.js';
import { matches, parseSelector } from '../selectors.js';
import type { Mutation, RevisionRecord, Store } from '../store/store.js';
import { limitOf, reachFault, type Limit, type ReachedNode } from './reach.js';

export interface ReachQuestion {
  readonly namespace: string;
  readonly name: string;
  readonly nodeSelector: string;
  readonly manifests: readonly BundleManifest[];
  /** Of the revision that is about to be made; empty: none is, `digest` is what goes out. */
  readonly mutations: readonly Mutation[];
  readonly digest: string;
}

/** The one that these writes make; null: none. */
export function madeRevision(mutations: readonly Mutation[]): RevisionRecord | null {
  const made = mutations.find(({ type }) => type === 'revision') as
    { readonly record: RevisionRecord } | undefined;
  return made?.record ?? null;
}

/** Throws `Forbidden` with the number of nodes and what would let the bundle reach them. */
export async function refuseReach(
  store: Store,
  root: RootDocument,
  asked: ReachQuestion,
): Promise<void> {
  const role = releaseRoleOf(root, asked);
  const record = madeRevision(asked.mutations) ?? (await store.revisionByDigest(asked.digest));
  if (!role || !record) return;
  const scopes = signedScopes(record, root, asked);
  const pods = asked.manifests.filter(isPod) as readonly ValidPod[];
  const nodes = await reachedNodes(store, asked.nodeSelector);
  const fault = reachFault({ pods, scopes }, nodes, role);
  if (fault === null) return;
  throw new RequestError('Forbidden', `bundle "${asked.name}" is not published: ${fault}`);
}

/** What this root's keys did not sign nobody takes: that is said elsewhere. */
function signedScopes(
  { envelope }: RevisionRecord,
  root: RootDocument,
  bundle: { readonly namespace: string; readonly name: string },
): readonly ReleaseScope[] {
  const scopes = scopesOf(envelope, root, bundle);
  return scopes.ok ? scopes.value : [];
}

async function reachedNodes(store: Store, nodeSelector: string): Promise<ReachedNode[]> {
  const requirements = parseSelector(nodeSelector);
  const [{ items }, identities] = await Promise.all([store.list('Node'), store.identities()]);
  const labels = new Map(items.map(({ metadata }) => [metadata.name, metadata.labels]));
  return identities
    .filter(
      ({ node, state }) => state === 'active' && matches(requirements, labels.get(node) ?? {}),
    )
    .map(identity => ({ name: identity.node, labels: identity.labels }));
}

/** Null: the newest revision of the bundle may reach any number of nodes. */
export function limitOfBundle(
  bundle: BundleObject,
  record: RevisionRecord,
  root: RootDocument,
): Limit | null {
  const scopes = signedScopes(record, root, bundle.metadata);
  const pods = bundle.spec.manifests.filter(isPod) as readonly ValidPod[];
  return limitOf({ pods, scopes });
}
