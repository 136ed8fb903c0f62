/**
 * What an operator seals in simulated histories, one Secret for each bundle: sealed on the operator's machine, as `flotilla secret seal` does it.
 */
import { sealFor } from '../../hub/secrets/seal.js';
import { keyId } from '../../protocol/keys.js';
import type { SealedItem } from '../../hub/ports.js';
import { ADMIN } from './hub-life.js';
import { SECRET, SECRET_KEY, valueOf } from './secret-value.js';
import type { SimulatedFleet } from './simulated-fleet.js';

const NAMESPACE = 'default';

export interface Sealed {
  readonly bundle: string;
  /** Null: the bundle's. */
  readonly nodeSelector: string | null;
  /** Only who lacks the newest version: then that one, and none where there never was one. */
  readonly missing: boolean;
}

/** Whether there is something now that was not there before; false too when the hub is away or refuses. */
export async function sealSecret(
  fleet: SimulatedFleet,
  { bundle, nodeSelector, missing }: Sealed,
): Promise<boolean> {
  const of = { namespace: NAMESPACE, bundle, nodeSelector };
  const sealing = await fleet.byHub(({ secrets }) => secrets.sealing(of));
  if (!sealing) return false;
  const known = sealing.secrets.find(({ secret }) => secret === SECRET);
  if (missing && known === undefined) return false;
  const version = missing ? (known?.version ?? 0) : (sealing.versions[SECRET] ?? 0) + 1;
  const nodes = sealing.nodes.filter(({ has }) => has[SECRET] !== version);
  if (nodes.length === 0 && missing) return false;
  const sealed: SealedItem[] = [];
  // Nothing of the simulation goes on meanwhile: what is drawn comes in order.
  for (const { node, sealingKey } of nodes) {
    const context = { ...{ fleet: sealing.fleet, namespace: NAMESPACE }, bundle, node, version };
    const data = new Map([[SECRET_KEY, Buffer.from(valueOf({ bundle, version, node }))]]);
    const content = { type: 'Opaque', data };
    const file = await sealFor(sealingKey, { ...context, name: SECRET }, content);
    sealed.push({ node, recipient: keyId(sealingKey), sealed: file.toString('base64') });
  }
  const done = await fleet.byHub(({ secrets }) =>
    secrets.seal(ADMIN, {
      ...{ namespace: NAMESPACE, bundle, secret: SECRET, version, type: 'Opaque' },
      ...{ immutable: false, keys: [SECRET_KEY], fingerprint: null, sealed },
    }),
  );
  return done !== null;
}

/** For every bundle that is there and wants one, or has one to which a node may go back: nobody lacks anything then. */
export async function sealAll(fleet: SimulatedFleet): Promise<void> {
  for (const { metadata, status } of await fleet.bundles()) {
    const bundle = metadata.name;
    const isWanted = fleet.revisions.get(status.digest)?.hasSecret === true;
    const found = await fleet.byHub(({ store }) =>
      store.get('Secret', NAMESPACE, `${bundle}.${SECRET}`),
    );
    if (found === null && !isWanted) continue;
    await sealSecret(fleet, { bundle, nodeSelector: null, missing: found !== null });
  }
}

export async function deleteSecret(fleet: SimulatedFleet, bundle: string): Promise<void> {
  await fleet.byHub(({ secrets }) =>
    secrets.remove(ADMIN, { namespace: NAMESPACE, name: `${bundle}.${SECRET}`, dryRun: false }),
  );
}
