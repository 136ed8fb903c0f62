/** The roots of the kill test's fleet: the second has other keys of every kind, and denies the first its say. */
import type { RootDocument } from '../../protocol/documents/root.js';
import { seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { HUB, idOf, RELEASE, releaseRole, ROOT, signer } from '../support/fleet.js';

export interface FleetKeys {
  readonly root: Signer;
  readonly release: Signer;
  readonly hub: Signer;
}

/** In force with this version of the root. */
export function keysOf(version: number): FleetKeys {
  if (version === 1) return { root: ROOT, release: RELEASE, hub: HUB };
  return {
    root: signer(`root ${version}`),
    release: signer(`release ${version}`),
    hub: signer(`hub ${version}`),
  };
}

/** By its version, from the first to this one; each signed by the root key before it and by its own. */
export function rootChain(first: RootDocument, version: number): Buffer[] {
  return Array.from({ length: version }, (_, before) => {
    const own = keysOf(before + 1);
    if (before === 0) return seal('root', first, [own.root]);
    const { root, release, hub } = own;
    const document: RootDocument = {
      ...{ ...first, version: before + 1 },
      keys: Object.fromEntries([root, release, hub].map(one => [idOf(one), one.publicKey])),
      roles: {
        ...first.roles,
        root: { threshold: 1, keys: [idOf(root)] },
        release: [releaseRole([release])],
        hub: { threshold: 1, keys: [idOf(hub)] },
      },
    };
    return seal('root', document, [keysOf(before).root, root]);
  });
}
