/**
 * A person's wish about one bundle on some nodes becomes their next signed assignments: so it reaches a node whenever that comes back,
 * and no sooner or later than the revision that it is about. One transaction for each node.
 */
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { Signer } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { RequestError } from '../ports.js';
import { retried } from '../store/retry.js';
import type { Actor, Mutation, Store } from '../store/store.js';
import { assignmentOf, compose, signAssignment } from './director.js';

export interface ReassignParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly hubSigner: Signer;
  readonly clock: Clock;
}

export interface BundleWish {
  readonly namespace: string;
  readonly name: string;
  /** Only these; empty: every node that it may concern. */
  readonly nodes: readonly string[];
}

/** The newest revision's digest, and the nodes that are meant. Throws `RequestError` NotFound for a bundle or a node that is not there. */
export async function wishedFor(
  store: Store,
  { namespace, name, nodes }: BundleWish,
): Promise<{ readonly digest: string; readonly nodes: readonly NodeObject[] }> {
  const bundle = (await store.get('Bundle', namespace, name)) as BundleObject | null;
  if (!bundle) throw new RequestError('NotFound', `bundles.flotilla.dev "${name}" not found`);
  const all = (await store.list('Node')).items as readonly NodeObject[];
  const known = new Set(all.map(({ metadata }) => metadata.name));
  const unknown = nodes.find(node => !known.has(node));
  if (unknown !== undefined) throw new RequestError('NotFound', `nodes "${unknown}" not found`);
  const meant = all.filter(({ metadata }) => nodes.length === 0 || nodes.includes(metadata.name));
  return { digest: bundle.status.digest, nodes: meant };
}

export interface Reassigning {
  readonly namespace: string;
  readonly name: string;
  readonly digest: string;
  readonly nodes: readonly string[];
  /** The same object: nothing is to change. */
  readonly change: (bundle: AssignedBundle) => AssignedBundle;
  /** What was said, in words, for the audit log. */
  readonly wish: string;
  /** Committed with it. */
  readonly beside?: (node: NodeObject, changed: AssignedBundle) => Mutation;
}

/** Names of the nodes whose assignments say something new, sorted. */
export async function reassign(
  parts: ReassignParts,
  actor: Actor,
  of: Reassigning,
): Promise<string[]> {
  const changed: string[] = [];
  for (const node of of.nodes) {
    if (await retried(() => reassignOne(parts, actor, { ...of, node }))) changed.push(node);
  }
  return changed.sort();
}

/** False where the node's assignment does not name that revision, or says so already. */
async function reassignOne(
  { store, root, hubSigner, clock }: ReassignParts,
  actor: Actor,
  of: Reassigning & { readonly node: string },
): Promise<boolean> {
  const record = await store.assignment(of.node);
  const object = (await store.get('Node', '', of.node)) as NodeObject | null;
  if (!record || !object) return false;
  const current = assignmentOf(record);
  const bundles = current.bundles.map(bundle =>
    bundle.namespace === of.namespace && bundle.name === of.name && bundle.digest === of.digest
      ? of.change(bundle)
      : bundle,
  );
  const { fleet, epoch, version } = root().document;
  const changed = bundles.find((bundle, i) => bundle !== current.bundles[i]);
  if (changed === undefined) return false;
  const document: AssignmentDocument | null = compose({
    ...{ fleet, epoch, rootVersion: version, node: of.node, nodeKey: current.nodeKey },
    ...{ bundles, secrets: current.secrets, current },
    generationFloor: record.generation,
    nonce: null,
    now: clock.now(),
  });
  if (document === null) return false;
  const { mutations } = signAssignment(document, hubSigner, topicsOf(fleet));
  const beside = of.beside === undefined ? [] : [of.beside(object, changed)];
  const said = mutations.map(one => (one.type === 'assignment' ? { ...one, wish: of.wish } : one));
  await store.commit(actor, [...said, ...beside]);
  return true;
}
