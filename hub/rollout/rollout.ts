/**
 * Which bundle revisions a node is to run, and how far they are. Pure: the fleet comes in as values, decisions go out.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { BundleObject, BundleObjectStatus, NodeObject } from '../objects.js';
import type { Limit } from './reach.js';
import { matches, parseSelector, type Requirement } from '../selectors.js';

/** A bundle with what its newest revision is called in assignments. */
export interface Candidate {
  readonly namespace: string;
  readonly name: string;
  readonly requirements: readonly Requirement[];
  readonly revision: number;
  readonly digest: string;
  readonly size: number;
  /** On the number of its nodes; null: none. */
  readonly limit: Limit | null;
}

export function candidateOf(
  bundle: BundleObject,
  { size, limit }: Pick<Candidate, 'size' | 'limit'>,
): Candidate {
  return {
    namespace: bundle.metadata.namespace,
    name: bundle.metadata.name,
    requirements: parseSelector(bundle.spec.nodeSelector),
    revision: bundle.status.revision,
    digest: bundle.status.digest,
    size,
    limit,
  };
}

/** What the root withdrew is assigned to nobody: a node would refuse all of the assignment. */
export function isAllowed(
  { namespace, name, revision, digest }: Candidate,
  root: Pick<RootDocument, 'denied' | 'floors'>,
): boolean {
  return !root.denied.includes(digest) && revision >= (root.floors[`${namespace}/${name}`] ?? 0);
}

/**
 * The newest revision of every bundle whose selector matches, ordered by namespace and name. A bundle that the node
 * has at the same digest keeps its `attempt`.
 */
export function decide(
  candidates: readonly Candidate[],
  node: {
    readonly labels: Readonly<Record<string, string>>;
    readonly assigned: readonly AssignedBundle[];
    /** Asked about each bundle that is meant for the node: whether there is a place for it. */
    readonly hasPlace?: (candidate: Candidate) => boolean;
  },
): AssignedBundle[] {
  return candidates
    .filter(candidate => matches(candidate.requirements, node.labels))
    .filter(candidate => candidate.limit === null || (node.hasPlace?.(candidate) ?? true))
    .map(({ namespace, name, revision, digest, size }) => {
      const before = node.assigned.find(b => b.namespace === namespace && b.name === name);
      const attempt = before?.digest === digest ? before.attempt : 0;
      return { namespace, name, revision, digest, size, attempt };
    })
    .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

/** Its agent is connected; whether its engine answers is another question. */
function isOnline(node: NodeObject): boolean {
  return node.status.conditions?.some(c => c.type === 'Ready' && c.status !== 'Unknown') ?? false;
}

/** Counted by what the nodes themselves say of exactly the newest revision. */
export function rollUp(bundle: BundleObject, nodes: readonly NodeObject[]): BundleObjectStatus {
  const requirements = parseSelector(bundle.spec.nodeSelector);
  const { revision, digest } = bundle.status;
  const selected = nodes.filter(node => matches(requirements, node.metadata.labels));
  const said = selected.flatMap(
    node =>
      node.status.flotilla.bundles.find(
        b => b.namespace === bundle.metadata.namespace && b.name === bundle.metadata.name,
      ) ?? [],
  );
  const states = said.filter(b => b.digest === digest).map(b => b.state);
  return {
    revision,
    digest,
    nodes: {
      desired: selected.length,
      updated: said.filter(b => b.active === digest).length,
      healthy: states.filter(state => state === 'healthy').length,
      failed: states.filter(state => state === 'failed' || state === 'rolledBack').length,
      offline: selected.filter(node => !isOnline(node)).length,
    },
  };
}
