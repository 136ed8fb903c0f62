/** Who uses a Secret that is to be deleted: said before, and asked about. */
import { isPod } from '../../protocol/bundle-manifest.js';
import { secretUses } from '../../protocol/pod-secrets.js';
import type { BundleSpec } from '../objects.js';
import { ApiError, type ApiObject } from './client.js';
import type { Connected, Context } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { agree } from './root-agree.js';
import { sealingOf } from './seal-secrets.js';

const NODES_NAMED = 20;
const PLACES_NAMED = 3;

/** `edge-1, edge-2 and 7 more`. Pure. */
export function namedUpTo(names: readonly string[], most: number): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** A sentence; null for a Secret that is not there, or that nothing uses. `name`: `<bundle>.<secret>`. */
async function useOf(hub: Connected, name: string): Promise<string | null> {
  const { namespace } = hub;
  const [bundle = '', ...rest] = name.split('.');
  const secret = rest.join('.');
  try {
    const path = pathOf(resourceOf('bundles'), namespace, bundle);
    const { manifests } = (await hub.client.call<ApiObject & { spec: BundleSpec }>({ path })).spec;
    const places = manifests.filter(isPod).flatMap(pod =>
      secretUses(pod)
        .filter(use => use.secret === secret)
        .map(({ path: field }) => `pod ${pod.metadata.name}: ${field}`),
    );
    const sealing = await sealingOf(hub, { namespace, bundle, nodeSelector: null });
    const nodes = sealing.nodes.map(({ node }) => node);
    const isThere = sealing.secrets.some(one => one.secret === secret);
    if (!isThere || places.length === 0 || nodes.length === 0) return null;
    return (
      `secret/${secret} is in use by bundle/${bundle} (${namedUpTo(places, PLACES_NAMED)}) ` +
      `on ${namedUpTo(nodes, NODES_NAMED)}`
    );
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'NotFound') return null;
    throw error;
  }
}

/**
 * Says who uses them and asks, unless `yes`. False: nobody does, and nothing was said. Throws `CliError` for a no, and where nobody is there to be asked.
 */
export async function agreeToUnsettle(
  context: Context,
  hub: Connected,
  { names, yes }: { readonly names: readonly string[]; readonly yes: boolean },
): Promise<boolean> {
  const uses = (await Promise.all(names.map(name => useOf(hub, name)))).filter(use => use !== null);
  if (uses.length === 0) return false;
  for (const use of uses) context.terminal.warn(use);
  context.terminal.warn(
    'Pods that run keep their files; one that begins anew (an edit, a reboot) waits until the Secret is sealed again.',
  );
  await agree(context, `Delete ${names.join(', ')} all the same?`, yes);
  return true;
}
