/** `flotilla diff bundle/NAME`: what differs between two revisions, or between what a node runs and a revision. */
import { CliError } from '../../protocol/cli-error.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { NodeExtra } from '../objects.js';
import { bundleOf, revisionIn } from './bundle-target.js';
import type { ApiObject } from './client.js';
import type { Connected } from './context.js';
import { pinLines } from './pin-images.js';
import { pathOf, resourceOf } from './resources.js';
import {
  revisionOf,
  revisionsOf,
  type RevisionApiObject,
  type WholeRevision,
} from './revisions.js';

export interface RevisionDiffOptions {
  readonly revision?: string;
  readonly toRevision?: string;
  readonly node?: string;
}

/** Empty: both are the same. Throws `CliError`. */
export async function revisionDiff(
  hub: Connected,
  target: string,
  options: RevisionDiffOptions,
): Promise<string> {
  const name = bundleOf(target);
  const { items } = await revisionsOf(hub, name);
  const numbers = sidesOf(options, items);
  const from =
    options.node === undefined
      ? numbers.from
      : await runningOn(hub, name, { node: options.node, items });
  const before = from === null ? null : await revisionOf(hub, name, from);
  const after = await revisionOf(hub, name, numbers.to);
  const { renderDiff, renderStrategyDiff } = await import('./bundle-diff.js');
  const old = before?.spec;
  return [
    renderDiff(old?.manifests ?? [], after.spec.manifests),
    old === undefined ? '' : renderStrategyDiff(old.strategy, after.spec.strategy),
    ...pinLines(boundIn(before), boundIn(after)).map(line => `${line}\n`),
  ].join('');
}

/** Those whose references do not say it themselves. */
function boundIn(revision: WholeRevision | null) {
  return (revision?.spec.images ?? []).filter(({ digests }) => digests.length > 0);
}

interface Sides {
  /** Null: the node says. */
  readonly from: number | null;
  readonly to: number;
}

/** To the newest, from the one before it, unless the options say otherwise. Pure. Throws `CliError`. */
export function sidesOf(
  { revision, toRevision, node }: RevisionDiffOptions,
  items: readonly Pick<RevisionApiObject, 'spec' | 'status'>[],
): Sides {
  const newest = items.find(({ status }) => status.isNewest) ?? items[items.length - 1];
  const last = newest?.spec.revision ?? 0;
  const to = toRevision === undefined ? last : revisionIn('--to-revision', toRevision);
  if (node !== undefined) {
    if (revision === undefined) return { from: null, to };
    throw new CliError('refused', 'either --node or --revision: both say what to compare from');
  }
  if (revision !== undefined) return { from: revisionIn('--revision', revision), to };
  const earlier = items.map(({ spec }) => spec.revision).filter(one => one < to);
  const from = earlier[earlier.length - 1];
  if (from !== undefined) return { from, to };
  throw new CliError('refused', `there is no revision before ${to}; say which: --revision N`);
}

/** Null: nothing of the bundle lies in its directory. */
async function runningOn(
  hub: Connected,
  name: string,
  of: { readonly node: string; readonly items: readonly RevisionApiObject[] },
): Promise<number | null> {
  const path = pathOf(resourceOf('nodes'), null, of.node);
  const { status } = await hub.client.call<ApiObject>({ path });
  const { flotilla } = (status ?? {}) as { flotilla?: Partial<NodeExtra> };
  const said = flotilla?.bundles?.find(b => b.namespace === hub.namespace && b.name === name);
  return revisionRunning(said, of);
}

/** The revision whose manifests lie in the node's directory, as it said last. Pure. Throws `CliError` for one that is not known here. */
export function revisionRunning(
  said: Pick<BundleStatus, 'active'> | undefined,
  {
    node,
    items,
  }: { readonly node: string; readonly items: readonly Pick<RevisionApiObject, 'spec'>[] },
): number | null {
  const digest = said?.active ?? null;
  if (digest === null) return null;
  const found = items.find(({ spec }) => spec.digest === digest);
  if (found !== undefined) return found.spec.revision;
  throw new CliError(
    'refused',
    `node ${node} runs a revision that this hub does not have (${digest}): it was made after the backup that the hub was restored from`,
  );
}
