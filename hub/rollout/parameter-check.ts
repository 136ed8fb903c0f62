/** Which nodes that a bundle selects lack a value that its pods ask for. Warned of, not refused: values may come, and so may nodes. */
import { isPod } from '../../protocol/bundle-manifest.js';
import {
  declaredParameters,
  givenParameters,
  neededParameters,
  parameterHint,
  type Parameters,
} from '../../protocol/node-parameters.js';
import type { ValidPod } from '../../protocol/pod.js';
import type { BundleObject } from '../objects.js';
import { matches, parseSelector } from '../selectors.js';
import type { Store } from '../store/store.js';
import { assignmentOf } from './director.js';

export interface ParameterizedNode {
  readonly name: string;
  readonly parameters: Parameters;
}

const NAMED_MAX = 5;

/** A line for each key that some node lacks. Pure. */
export function lackingLines(
  bundle: string,
  pods: readonly ValidPod[],
  nodes: readonly ParameterizedNode[],
): string[] {
  const needed = new Map(neededParameters(pods).map(one => [one.key, one.pod]));
  return declaredParameters(pods).flatMap(key => {
    const lacking = nodes
      .filter(({ parameters }) => !Object.hasOwn(parameters, key))
      .map(({ name }) => name)
      .sort();
    const [first] = lacking;
    if (first === undefined) return [];
    const named = lacking.slice(0, NAMED_MAX).join(', ');
    const more = lacking.length > NAMED_MAX ? ` and ${lacking.length - NAMED_MAX} more` : '';
    const who = lacking.length === 1 ? `node ${named} has` : `${lacking.length} nodes have`;
    const which = lacking.length === 1 ? '' : ` (${named}${more})`;
    const pod = needed.get(key);
    const what =
      pod === undefined ? 'its pods begin without it' : `the revision waits there for pod "${pod}"`;
    const line = `${who} no value for the parameter "${key}"${which}: ${what}; ${parameterHint(first, [key])}`;
    return [`bundle/${bundle}: ${line}`];
  });
}

/** Reads assignments only if the bundle declares any. */
export async function parameterWarnings(
  store: Store,
  { metadata, spec }: BundleObject,
): Promise<string[]> {
  const pods: readonly ValidPod[] = spec.manifests.filter(isPod);
  if (declaredParameters(pods).length === 0) return [];
  const requirements = parseSelector(spec.nodeSelector);
  const [{ items }, identities, records] = await Promise.all([
    store.list('Node'),
    store.identities(),
    store.assignments(),
  ]);
  const labels = new Map(items.map(one => [one.metadata.name, one.metadata.labels]));
  const given = new Map(records.map(record => [record.node, assignmentOf(record).parameters]));
  const nodes = identities
    .filter(({ node, state }) => state === 'active' && labels.has(node))
    .filter(({ node }) => matches(requirements, labels.get(node) ?? {}))
    .map(({ node }) => ({ name: node, parameters: givenParameters(given.get(node) ?? {}) }));
  return lackingLines(metadata.name, pods, nodes);
}
