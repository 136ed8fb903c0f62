/** What an apply came to, for a person: what changed, and what is not as somebody may think. */
import { HELD_ANNOTATION } from '../recovery/held-annotation.js';
import type { BundleApiObject } from './bundle-write.js';
import type { Table } from './client.js';
import type { Connected } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { nowhereText } from './rollout-progress.js';

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
    before.status?.digest === after.status?.digest
  );
}

/** Nothing of it is a failure: a selector may wait for nodes to come. */
export async function outcomeWarnings(
  { client }: Pick<Connected, 'client'>,
  { metadata, spec, status }: BundleApiObject,
): Promise<string[]> {
  const { name } = metadata;
  const withdrawn = status?.conditions?.find(({ type }) => type === 'Withdrawn');
  const labelSelector = spec.nodeSelector === '' ? undefined : spec.nodeSelector;
  const call = {
    path: pathOf(resourceOf('nodes'), null),
    query: { labelSelector, includeObject: 'None' },
  };
  // What was applied is applied, whether or not this is answered.
  const nodes = await client.call<Table>({ ...call, table: true }).catch(() => null);
  return [
    ...(nodes?.rows.length === 0 ? [nowhereText(name, spec.nodeSelector)] : []),
    ...(withdrawn === undefined
      ? []
      : [`warning: bundle/${name}: no node begins with it: ${withdrawn.message}`]),
  ];
}
