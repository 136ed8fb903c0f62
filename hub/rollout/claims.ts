/**
 * What a bundle takes of each node that runs it, and nobody else can have there: the names of its pods, and ports of the node. Which other
 * bundle takes the same, and on which nodes. As the node itself judges when both come to it (agent/intake/decide.ts). Pure.
 */
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import {
  describeHostPort,
  hostPortsOf,
  portsClash,
  type HostPort,
} from '../../protocol/host-ports.js';
import type { ValidPod } from '../../protocol/pod.js';
import { matches, parseSelector } from '../selectors.js';

export interface Claimant {
  readonly namespace: string;
  readonly name: string;
  readonly nodeSelector: string;
  readonly manifests: readonly BundleManifest[];
}

export interface Clash {
  /** `default/shop`. */
  readonly other: string;
  /** The same thing has the same words, whichever nodes it is about. */
  readonly text: string;
}

export interface Conflict extends Clash {
  /** That both bundles select, sorted. */
  readonly nodes: readonly string[];
}

export interface ClaimedNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

const bundleOf = ({ namespace, name }: Pick<Claimant, 'namespace' | 'name'>) =>
  `${namespace}/${name}`;

function podsOf({ manifests }: Claimant): readonly ValidPod[] {
  return manifests.filter(isPod);
}

interface ClaimedPort {
  readonly port: HostPort;
  readonly pod: string;
}

function portsOf(claimant: Claimant): ClaimedPort[] {
  return podsOf(claimant).flatMap(pod =>
    hostPortsOf(pod).map(port => ({ port, pod: pod.metadata.name })),
  );
}

/** What both would take on a node that runs both; each port once. */
export function clashesBetween(own: Claimant, others: Claimant): Clash[] {
  const other = bundleOf(others);
  if (other === bundleOf(own)) return [];
  const isOfOneNamespace = own.namespace === others.namespace;
  const names = new Set(podsOf(others).map(({ metadata }) => metadata.name));
  const pods = podsOf(own).flatMap(({ metadata: { name } }) =>
    isOfOneNamespace && names.has(name)
      ? [{ other, text: `pod "${name}" is also one of bundle ${other}` }]
      : [],
  );
  const taken = portsOf(others);
  const ports = portsOf(own).flatMap(({ port, pod }) => {
    const found = taken.find(one => portsClash(port, one.port));
    if (found === undefined) return [];
    const what = `host port ${describeHostPort(port)} of pod "${pod}" (${port.path})`;
    const spelt = describeHostPort(found.port);
    const as = spelt === describeHostPort(port) ? '' : ` as ${spelt}`;
    return [{ other, text: `${what} is also taken${as} by pod "${found.pod}" of bundle ${other}` }];
  });
  return [...pods, ...ports];
}

/** Those of `nodes` that run both. */
export function conflictsOf(
  own: Claimant,
  others: readonly Claimant[],
  nodes: readonly ClaimedNode[],
): Conflict[] {
  const mine = parseSelector(own.nodeSelector);
  return others.flatMap(one => {
    const clashes = clashesBetween(own, one);
    if (clashes.length === 0) return [];
    const theirs = parseSelector(one.nodeSelector);
    const both = nodes
      .filter(({ labels }) => matches(mine, labels) && matches(theirs, labels))
      .map(({ name }) => name)
      .sort();
    return both.length === 0 ? [] : clashes.map(clash => ({ ...clash, nodes: both }));
  });
}

/** Whoever one of them selects the other selects too: no node does now, and the first one that comes will be in conflict. */
export function laterConflicts(
  own: Claimant,
  others: readonly Claimant[],
  nodes: readonly ClaimedNode[],
): Clash[] {
  const [mine, now] = [own.nodeSelector.trim(), conflictsOf(own, others, nodes)];
  return others.flatMap(one => {
    const theirs = one.nodeSelector.trim();
    const meet = mine === '' || theirs === '' || mine === theirs;
    if (!meet || now.some(({ other }) => other === bundleOf(one))) return [];
    return clashesBetween(own, one);
  });
}

/** Conflicts on nodes where what stood before had none: those are an apply's own doing. */
export function newConflicts(
  after: readonly Conflict[],
  before: readonly Conflict[],
): readonly Conflict[] {
  return after.flatMap(conflict => {
    const former = before.find(one => one.other === conflict.other && one.text === conflict.text);
    const nodes = conflict.nodes.filter(node => former?.nodes.includes(node) !== true);
    return nodes.length === 0 ? [] : [{ ...conflict, nodes }];
  });
}

const NAMED_MAX = 5;

/** `… on 7 nodes: edge-1, edge-2, … and 2 more`. */
export function conflictText({ text, nodes }: Conflict): string {
  const named = nodes.slice(0, NAMED_MAX).join(', ');
  const more = nodes.length > NAMED_MAX ? ` and ${nodes.length - NAMED_MAX} more` : '';
  return `${text}, on ${nodes.length === 1 ? 'node' : `${nodes.length} nodes:`} ${named}${more}`;
}

export const CONFLICT_HINT =
  'a node runs one of the two: give one another pod name or host port, or select nodes that do not run both';
