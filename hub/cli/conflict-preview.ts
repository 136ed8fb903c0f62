/** Whether the hub would refuse what is applied for a pod name or host port of another bundle: asked without sending it anything. */
import { CliError } from '../../protocol/cli-error.js';
import {
  CONFLICT_HINT,
  conflictsOf,
  conflictText,
  newConflicts,
  type Claimant,
} from '../rollout/claims.js';
import type { BundleApiObject } from './bundle-write.js';
import type { ApiList } from './client.js';
import type { Connected } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { nodeViewOf } from './rollout-progress.js';

/** Throws `CliError` (refused). */
export async function refuseConflict(
  { client }: Pick<Connected, 'client'>,
  asked: Claimant,
  current: BundleApiObject | null,
): Promise<void> {
  const bundles = await client.call<ApiList>({ path: pathOf(resourceOf('bundles'), null) });
  const others = (bundles.items as BundleApiObject[]).map(claimantOf);
  const { items } = await client.call<ApiList>({ path: pathOf(resourceOf('nodes'), null) });
  const nodes = items.map(nodeViewOf).filter(({ member }) => member);
  const former = current === null ? [] : conflictsOf(claimantOf(current), others, nodes);
  const conflicts = newConflicts(conflictsOf(asked, others, nodes), former);
  if (conflicts.length === 0) return;
  throw new CliError('refused', conflicts.map(conflictText).join('\n'), CONFLICT_HINT);
}

function claimantOf({ metadata, spec }: BundleApiObject): Claimant {
  const { name, namespace = 'default' } = metadata;
  return { namespace, name, nodeSelector: spec.nodeSelector, manifests: spec.manifests };
}
