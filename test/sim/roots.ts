/**
 * The keys of a simulated fleet and the roots that say which of them count. People who keep the root keys sign the next root; the hub
 * takes it as `hub/root/roots.ts` does: stored and published in one transaction with all that it signs anew.
 */
import type { RootDocument } from '../../protocol/documents/root.js';
import { seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot } from '../../protocol/verify-root.js';
import { rootWrites } from '../../hub/root/root-writes.js';
import type { Controller } from '../../hub/rollout/controller.js';
import { signaturesUnder } from '../../hub/secrets/signatures.js';
import { retried } from '../../hub/store/retry.js';
import type { Actor, Store } from '../../hub/store/store.js';
import { HUB, idOf, RELEASE, releaseRole, ROOT, signer, trustedRoot } from '../support/fleet.js';

/** What the next root changes. */
export type RootChange = 'root' | 'release' | 'hub' | 'epoch';
export const ROOT_CHANGES: readonly RootChange[] = ['root', 'release', 'hub', 'epoch'];

interface Holders {
  readonly root: Signer;
  readonly release: Signer;
  readonly hub: Signer;
}

/** All keys that were ever made, with the roots that name them: on paper, so that nobody loses one. */
export class KeyRing {
  /** By version. */
  readonly roots: TrustedRoot[] = [trustedRoot()];
  readonly #holders: Holders[] = [{ root: ROOT, release: RELEASE, hub: HUB }];

  newest(): TrustedRoot {
    return this.roots.at(-1) as TrustedRoot;
  }

  holders({ document: { version } }: TrustedRoot): Holders {
    return this.#holders[version - 1] as Holders;
  }

  /** Signed; in force nowhere yet. Asked again before that, it is another one. */
  next(change: RootChange): { readonly root: TrustedRoot; readonly holders: Holders } {
    const { document: former } = this.newest();
    const before = this.holders(this.newest());
    const version = former.version + 1;
    const made = signer(`simulated ${change} ${version}`);
    const holders = change === 'epoch' ? before : { ...before, [change]: made };
    const all = [holders.root, holders.release, holders.hub];
    const document: RootDocument = {
      ...former,
      version,
      epoch: former.epoch + (change === 'epoch' ? 1 : 0),
      keys: Object.fromEntries(all.map(one => [idOf(one), one.publicKey])),
      roles: {
        ...former.roles,
        root: { threshold: 1, keys: [idOf(holders.root)] },
        release: [releaseRole([holders.release])],
        hub: { threshold: 1, keys: [idOf(holders.hub)] },
      },
    };
    const isNew = holders.root !== before.root;
    const signers = isNew ? [before.root, holders.root] : [before.root];
    const opened = openNextRoot(seal('root', document, signers), this.newest());
    if (!opened.ok) throw new Error(opened.refusal.detail);
    return { root: opened.value, holders };
  }

  keep({ root, holders }: { readonly root: TrustedRoot; readonly holders: Holders }): void {
    this.roots.push(root);
    this.#holders.push(holders);
  }
}

/** The root and the keys that a running hub goes by. */
export class HubKeys {
  readonly #ring: KeyRing;
  #root: TrustedRoot;

  constructor(ring: KeyRing) {
    this.#ring = ring;
    this.#root = ring.roots[0] as TrustedRoot;
  }

  root(): TrustedRoot {
    return this.#root;
  }

  /** Signs with the key in force. */
  hubSigner(): Signer {
    const now = () => this.#ring.holders(this.#root).hub;
    return {
      get publicKey() {
        return now().publicKey;
      },
      sign: message => now().sign(message),
    };
  }

  releaseSigner(): Signer {
    return this.#ring.holders(this.#root).release;
  }

  /** The newest of the store: it may be ahead of who died. */
  async catchUp(store: Pick<Store, 'root'>): Promise<void> {
    for (const root of this.#ring.roots) {
      const { version } = root.document;
      if (version > this.#root.document.version && (await store.root(version))) this.#root = root;
    }
  }

  /** Nothing when it was taken already. Whether who announced the former keys has to say it anew. */
  async take(
    actor: Actor,
    root: TrustedRoot,
    { store, controller, now }: { store: Store; controller: Controller; now: number },
  ): Promise<boolean> {
    const former = this.#root;
    if (root.document.version !== former.document.version + 1) return false;
    const { hub: hubSigner } = this.#ring.holders(root);
    await retried(async () => {
      const assignments = await controller.assignmentsUnder(root, hubSigner);
      const told = { by: actor.name, now: new Date(now).toISOString() };
      const writes = rootWrites(root, told);
      const signatures = await signaturesUnder(store, { root, hubSigner });
      await store.commit(actor, [...writes, ...signatures, ...assignments.mutations]);
    });
    this.#root = root;
    controller.look();
    const isSame =
      this.#ring.holders(former).hub === hubSigner && former.document.epoch === root.document.epoch;
    return !isSame;
  }
}
