/** What an apply takes from nodes: manifests that the input lacks, and nodes that the selector no longer finds. Said, then asked. */
import { counted } from '../../protocol/counted.js';
import { matches, parseSelector } from '../selectors.js';
import type { BundleApiObject } from './bundle-write.js';
import type { ApiList } from './client.js';
import { agree } from './consent.js';
import type { Connected, Context } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { nodeViewOf, type NodeView } from './rollout-progress.js';
import { namedUpTo } from './counted-names.js';

export interface Removal {
  /** `pod/web`, `configmap/settings`. */
  readonly manifests: readonly string[];
  /** Names of nodes. */
  readonly nodes: readonly string[];
}

const NODES_NAMED = 20;

/** Members that the selector found and finds no longer. Pure. */
export function nodesLeft(
  nodes: readonly NodeView[],
  { before, after }: { readonly before: string; readonly after: string },
): string[] {
  const [had, has] = [parseSelector(before), parseSelector(after)];
  return nodes
    .filter(({ member, labels }) => member && matches(had, labels) && !matches(has, labels))
    .map(({ name }) => name);
}

/** `current`: null for a bundle that is new. */
export async function removalOf(
  { client }: Pick<Connected, 'client'>,
  current: BundleApiObject | null,
  after: { readonly manifests: readonly string[]; readonly selector: string },
): Promise<Removal> {
  const { manifests, selector } = after;
  const before = current?.spec.nodeSelector;
  if (before === undefined || before === selector) return { manifests, nodes: [] };
  const { items } = await client.call<ApiList>({ path: pathOf(resourceOf('nodes'), null) });
  return { manifests, nodes: nodesLeft(items.map(nodeViewOf), { before, after: selector }) };
}

/** Pure. */
export function removalLines({ manifests, nodes }: Removal, isDry: boolean): string[] {
  const [leaves, leave] = isDry ? ['would leave', 'would leave'] : ['leaves', 'leave'];
  return [
    ...manifests.map(name => `${name} is not in the input and ${leaves} the nodes`),
    ...(nodes.length === 0
      ? []
      : [`no longer selected: its pods ${leave} ${namedUpTo(nodes, NODES_NAMED)}`]),
  ];
}

/** Throws `CliError` when nobody said yes: nothing was changed. */
export async function mayRemove(
  context: Context,
  removal: Removal,
  prune: boolean | undefined,
): Promise<void> {
  for (const line of removalLines(removal, false)) context.terminal.print(line);
  const what = countedRemoval(removal);
  if (what === '') return;
  await agree(context, `Let go ${what}?`, {
    given: prune,
    option: '--prune to let them go, or add what is missing to the input',
  });
}

/** `2 pods and 1 ConfigMap from the nodes`; empty for nothing. */
function countedRemoval({ manifests, nodes }: Removal): string {
  const pods = manifests.filter(name => name.startsWith('pod/')).length;
  const count = (n: number, one: string) => (n === 0 ? [] : [counted(n, one)]);
  const gone = [...count(pods, 'pod'), ...count(manifests.length - pods, 'ConfigMap')];
  const left = count(nodes.length, 'node').map(text => `the bundle from ${text}`);
  return [...(gone.length > 0 ? [`${gone.join(' and ')} from the nodes`] : []), ...left].join(', ');
}
