/**
 * What a person probably meant by a name that the hub does not have: pods are named with their node, Secrets with their bundle, and
 * either may lie in another namespace.
 */
import { namedUpTo } from './counted-names.js';
import { CliError } from '../../protocol/cli-error.js';
import { ApiError, type ApiList, type ApiObject } from './client.js';
import type { Connected } from './context.js';
import { pathOf, type Resource } from './resources.js';
import {
  isUnsealedNamed,
  unsealedHint,
  unsealedLine,
  unsealedSecrets,
} from './unsealed-secrets.js';

const SHOWN = 5;

interface Named {
  readonly resource: Resource;
  readonly name: string;
}

/** Whether the object may be called so by somebody. Pure. */
export function isCalled({ kind }: Resource, object: ApiObject, name: string): boolean {
  if (object.metadata.name === name) return true;
  const spec = (object.spec ?? {}) as { nodeName?: string; secret?: string };
  if (kind === 'Pod')
    return object.metadata.name === `${name}-${spec.nodeName ?? ''}`.toLowerCase();
  return kind === 'Secret' && spec.secret === name;
}

/** Pure. Null: nobody is called so. */
export function nearHint(
  { resource, name }: Named,
  objects: readonly ApiObject[],
  namespace: string,
): string | null {
  const called = objects.filter(object => isCalled(resource, object, name));
  const here = called.filter(object => object.metadata.namespace === namespace);
  const meant = (here.length > 0 ? here : called).map(({ metadata }) =>
    here.length > 0 ? metadata.name : `${metadata.name} -n ${metadata.namespace ?? ''}`,
  );
  if (meant.length === 0) return null;
  const why =
    here.length === 0
      ? 'in another namespace'
      : resource.kind === 'Pod'
        ? "a pod's name ends in its node's"
        : 'named BUNDLE.SECRET';
  return `did you mean (${why}): ${namedUpTo(meant, SHOWN)}`;
}

/** Asks about one object; when there is none of that name, the refusal says which there are. Throws `ApiError`, `CliError`. */
export async function named<T>(hub: Connected, of: Named, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'NotFound' || !of.resource.namespaced) {
      throw error;
    }
    const wanted = of.resource.kind === 'Secret' ? await unsealedSecrets(hub, hub.namespace) : [];
    const unsealed = wanted.find(one => isUnsealedNamed(one, of.name));
    if (unsealed) {
      throw new CliError('refused', unsealedLine(unsealed), unsealedHint(unsealed, hub.namespace));
    }
    const { items } = await hub.client.call<ApiList>({ path: pathOf(of.resource, null) });
    const hint = nearHint(of, items, hub.namespace);
    throw hint === null ? error : new CliError('refused', error.message, hint);
  }
}
