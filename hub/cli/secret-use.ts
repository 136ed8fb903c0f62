/** Who uses a Secret that is to be deleted. */
import { isPod } from '../../protocol/bundle-manifest.js';
import { secretUses } from '../../protocol/pod-secrets.js';
import type { BundleSpec } from '../objects.js';
import { namedUpTo } from './counted-names.js';
import { ApiError, type ApiObject } from './client.js';
import type { Connected, Context } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { sealingOf } from './seal-secrets.js';

const NODES_NAMED = 20;
const PLACES_NAMED = 3;

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

/** To stand before the question whether they shall go. */
export async function warnOfUse(
  { terminal }: Context,
  hub: Connected,
  names: readonly string[],
): Promise<void> {
  const uses = (await Promise.all(names.map(name => useOf(hub, name)))).filter(use => use !== null);
  if (uses.length === 0) return;
  for (const use of uses) terminal.warn(use);
  terminal.warn(
    'Pods that run keep their files; one that begins anew (an edit, a reboot) waits until the Secret is sealed again.',
  );
}
