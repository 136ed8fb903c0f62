/** What an apply came to, for a person: what changed, and what is not as somebody may think. */
import { isMember } from '../enrolment/standing-conditions.js';
import type { NodeObject } from '../objects.js';
import { HELD_ANNOTATION } from '../recovery/held-annotation.js';
import { canonicalJson } from '../../protocol/canonical.js';
import { CHANGE_CAUSE } from '../rollout/change-cause.js';
import { isRetried } from '../rollout/retried.js';
import type { BundleApiObject } from './bundle-write.js';
import type { ApiList, Table } from './client.js';
import type { Connected } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import type { RolloutView } from './rollout-view.js';
import { nowhereText, retryHint } from './rollout-progress.js';
import { namedUpTo } from './counted-names.js';

/** Pure. `before`: null for a bundle that was not there. */
export function outcomeLine(
  before: BundleApiObject | null,
  after: BundleApiObject,
  dryRun: boolean,
): string {
  const revision = after.status?.revision ?? 0;
  const notes = [`revision ${revision}`];
  let verb = 'configured';
  if (before === null) verb = 'created';
  else if (isSame(before, after)) {
    verb = 'unchanged';
    const [had, has] = [before.status?.signedBy, after.status?.signedBy];
    const added = has?.filter(id => had?.includes(id) === false) ?? [];
    if (added.length > 0) {
      verb = 'signed anew';
      notes.push(
        `content unchanged, new signatures: ${added.map(id => id.slice(0, 16)).join(', ')}`,
      );
    }
  }
  const was = before?.metadata.annotations ?? {};
  if (Object.hasOwn(was, HELD_ANNOTATION)) {
    if (verb === 'unchanged') verb = 'released';
    notes.push('it was held since the hub was restored');
  }
  if (dryRun) notes.push('server dry run');
  return `bundle/${after.metadata.name} ${verb} (${notes.join(', ')})`;
}

function isSame(before: BundleApiObject, after: BundleApiObject): boolean {
  return (
    before.metadata.generation === after.metadata.generation &&
    before.status?.digest === after.status?.digest &&
    saidOf(before) === saidOf(after)
  );
}

/** Labels and annotations, but for what a revision has and what the hub writes. Pure. */
export function saidOf({ metadata }: Pick<BundleApiObject, 'metadata'>): string {
  const { labels = {}, annotations = {} } = metadata;
  const { [HELD_ANNOTATION]: _held, [CHANGE_CAUSE]: _cause, ...own } = annotations;
  return canonicalJson([labels, own]);
}

/** Nothing of it is a failure: a selector may wait for nodes to come. */
export async function outcomeWarnings(
  { client }: Pick<Connected, 'client'>,
  { metadata, spec, status }: BundleApiObject,
): Promise<string[]> {
  const { name, namespace = 'default' } = metadata;
  const withdrawn = status?.conditions?.find(({ type }) => type === 'Withdrawn');
  const labelSelector = spec.nodeSelector === '' ? undefined : spec.nodeSelector;
  const call = { path: pathOf(resourceOf('nodes'), null), query: { labelSelector } };
  const brief = { ...call, query: { ...call.query, includeObject: 'None' }, table: true };
  // What was applied is applied, whether or not this is answered.
  const nodes = await client.call<Table>(brief).catch(() => null);
  const path = `${pathOf(resourceOf('bundles'), namespace, name)}/rollout`;
  const rollout = await client.get<RolloutView>(path).catch(() => null);
  const isFailing = (status?.nodes.failed ?? 0) > 0;
  const whole = isFailing ? await client.call<ApiList>(call).catch(() => null) : null;
  const gaveUp = namesOfFailed((whole?.items ?? []) as unknown as NodeObject[], {
    ...{ namespace, name, digest: status?.digest ?? '' },
  });
  return [
    ...(nodes?.rows.length === 0 ? [nowhereText(name, spec.nodeSelector)] : []),
    ...(withdrawn === undefined
      ? []
      : [`warning: bundle/${name}: no node begins with it: ${withdrawn.message}`]),
    ...(rollout?.status.phase === 'aborted'
      ? [
          `warning: bundle/${name} revision ${rollout.spec.to.revision} was aborted and is not rolled out again: apply another`,
        ]
      : []),
    ...(gaveUp === null ||
    withdrawn !== undefined ||
    (rollout !== null && rollout.status.phase !== 'completed')
      ? []
      : [
          `warning: bundle/${name} revision ${status?.revision ?? 0} was given up on ${gaveUp}: ${retryHint(name, namespace)}`,
        ]),
  ];
}

const NODES_SHOWN = 5;

/** The nodes that gave exactly this revision up and were not told to try again; null: none. Pure. */
function namesOfFailed(
  nodes: readonly NodeObject[],
  {
    digest,
    ...bundle
  }: { readonly namespace: string; readonly name: string; readonly digest: string },
): string | null {
  const names = nodes
    .filter(
      ({ status: { conditions, flotilla } }) =>
        isMember(conditions) &&
        !isRetried(flotilla.retried, { ...bundle, digest }) &&
        flotilla.bundles.some(
          b => b.namespace === bundle.namespace && b.name === bundle.name && b.failed === digest,
        ),
    )
    .map(({ metadata }) => metadata.name);
  return names.length === 0 ? null : namedUpTo(names, NODES_SHOWN);
}
