/**
 * How far a bundle may reach with the signatures that it bears: on which nodes the scopes of its
 * keys hold, and on how many together. Nodes judge the first again and cannot see the second, so
 * that is the hub's to keep: at apply, and whenever a node would become one more. Pure.
 */
import { counted } from '../../protocol/counted.js';
import type { ReleaseRole, ReleaseScope } from '../../protocol/documents/root.js';
import type { ValidPod } from '../../protocol/pod.js';
import { grantsOn, holdsOn, labelText, outOfScope } from '../../protocol/release-scope.js';

type Labels = Readonly<Record<string, string>>;

export interface ReachedNode {
  readonly name: string;
  /** Of its enrolment. */
  readonly labels: Labels;
}

export interface Signed {
  readonly pods: readonly ValidPod[];
  /** Those that the signatures of the bundle are enough for. */
  readonly scopes: readonly ReleaseScope[];
}

const NAMES_SHOWN = 5;

/** Why the bundle must not reach these nodes, with what would let it; null: it may. */
export function reachFault(
  { pods, scopes }: Signed,
  nodes: readonly ReachedNode[],
  role: Pick<ReleaseRole, 'scopes'>,
): string | null {
  if (scopes.length === 0) return null;
  const count = nodes.length;
  const wide = scopes.filter(scope => reaches(scope, count));
  if (wide.length === 0) {
    const most = Math.max(...scopes.map(({ maxNodes }) => maxNodes ?? 0));
    return (
      `it would reach ${counted(count, 'node')}, and the release keys that sign it reach at most ${most}: ` +
      `select fewer nodes, or ${widerOf(role, scopes, count)}`
    );
  }
  const outside: string[] = [];
  let first = '';
  for (const { name, labels } of nodes) {
    const fault = faultOn(pods, wide, labels);
    if (fault === null) continue;
    if (outside.length === 0) first = fault;
    outside.push(name);
  }
  if (outside.length === 0) return null;
  const shown = outside.slice(0, NAMES_SHOWN).join(', ');
  const more = outside.length > NAMES_SHOWN ? ` and ${outside.length - NAMES_SHOWN} more` : '';
  return (
    `${outside.length} of the ${count} nodes that it would reach would refuse it (${shown}${more}): ` +
    `${first}; select other nodes, or ${widerOf(role, scopes, count)}`
  );
}

function reaches({ maxNodes }: ReleaseScope, count: number): boolean {
  return maxNodes === null || maxNodes >= count;
}

function faultOn(
  pods: readonly ValidPod[],
  scopes: readonly ReleaseScope[],
  labels: Labels,
): string | null {
  const holding = grantsOn(scopes, labels);
  if (!holding.ok) return holding.refusal.detail.replaceAll('this node', 'the node');
  for (const pod of pods) {
    const beyond = outOfScope(pod, holding.value);
    if (beyond !== null) return `pod ${pod.metadata.name}: ${beyond}`;
  }
  return null;
}

/** Which scopes of the role would let it reach so many nodes. */
function widerOf(
  { scopes }: Pick<ReleaseRole, 'scopes'>,
  own: readonly ReleaseScope[],
  count: number,
): string {
  const wider = scopes.filter(scope => !own.includes(scope) && reaches(scope, count));
  if (wider.length === 0) return 'give its keys a wider scope in the root';
  const said = wider.map(({ threshold, keys, nodeLabels, maxNodes }) => {
    const many = maxNodes === null ? 'any number of nodes' : counted(maxNodes, 'node');
    const where = labelText(nodeLabels);
    const names = keys.map(key => key.slice(0, 8)).join(', ');
    return `${many}${where === '' ? '' : ` with ${where}`} (${threshold} of the keys ${names})`;
  });
  return `have it signed for a scope that reaches ${said.join(' or ')}`;
}

/** What a limit on the number of nodes leaves of a bundle's rollout. */
export interface Limit {
  /** How many nodes with these enrolled labels and all others together; null: any number. */
  mostFor(labels: Labels): number | null;
}

/** Null: no scope of the bundle counts nodes. */
export function limitOf({ pods, scopes }: Signed): Limit | null {
  if (scopes.every(({ maxNodes }) => maxNodes === null)) return null;
  const covering = pods.map(pod => scopes.filter(scope => outOfScope(pod, [scope]) === null));
  return {
    mostFor: labels => {
      let most: number | null = null;
      for (const grants of covering) {
        const here = grants.filter(grant => holdsOn(grant, labels));
        // None holds: the node refuses it, and says so itself.
        if (here.length === 0 || here.some(({ maxNodes }) => maxNodes === null)) continue;
        const limit = Math.max(...here.map(({ maxNodes }) => maxNodes ?? 0));
        most = most === null ? limit : Math.min(most, limit);
      }
      return most;
    },
  };
}

/** The nodes that have a bundle whose number of nodes is limited: who has it keeps it, first come first served. */
export class Places {
  readonly #limit: Limit;
  readonly #holders: Set<string>;
  readonly #refused = new Set<string>();

  constructor(limit: Limit, holders: Iterable<string>) {
    this.#limit = limit;
    this.#holders = new Set(holders);
  }

  /** Takes a place for the node, unless it has one. */
  take(node: string, labels: Labels): boolean {
    if (this.#holders.has(node)) return true;
    const most = this.#limit.mostFor(labels);
    if (most !== null && this.#holders.size >= most) {
      this.#refused.add(node);
      return false;
    }
    this.#holders.add(node);
    return true;
  }

  /** Nodes that were selected in vain. */
  refused(): readonly string[] {
    return [...this.#refused];
  }
}
