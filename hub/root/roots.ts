/**
 * The way of a new root through the hub: the step is checked as a node checks it, then stored and published in one transaction with
 * every node's assignment signed anew under it. A crash leaves all of it or nothing; the same root again changes nothing.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot } from '../../protocol/verify-root.js';
import type { BundleObject, NodeObject } from '../objects.js';
import {
  RequestError,
  type Rotation,
  type RotationRequest,
  type RootObject,
  type RootWriter,
} from '../ports.js';
import type { Controller } from '../rollout/controller.js';
import { signaturesUnder } from '../secrets/signatures.js';
import { dropKeys, heldKeys, uselessKeys } from '../setup/held-keys.js';
import type { LoadedHub } from '../setup/load.js';
import { settleTls } from '../setup/next-tls.js';
import type { RandomBytes } from '../setup/pki.js';
import { SetupError } from '../setup/setup-error.js';
import { retried } from '../store/retry.js';
import type { Actor, Store } from '../store/store.js';
import type { LiveHub } from './live-hub.js';
import { rootWrites } from './root-writes.js';
import { rootStatusOf } from './root-status.js';
import { rotateKey } from './rotate.js';
import { refuseUnreadyBroker } from './rotate-tls.js';
import { tlsChangeOf } from './tls-change.js';

export interface RootParts {
  readonly store: Store;
  readonly live: LiveHub;
  readonly controller: Pick<Controller, 'assignmentsUnder' | 'look'>;
  /** Keys of the hub or its authority changed: who announced the former ones must say it anew. */
  readonly onKeysChanged: () => void;
  /** Why a broker of one's own is not ready for certificates of the next, or the current, authority; null: it is. */
  readonly brokerFault: (which: 'next' | 'current') => Promise<string | null>;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly log: Log;
}

export class Roots implements RootWriter {
  readonly #parts: RootParts;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: RootParts) {
    this.#parts = parts;
  }

  async current(): Promise<RootObject> {
    return this.#object(this.#parts.live.root());
  }

  /** Throws `Invalid` with the refusal's code, `Conflict` when this hub could not go on under it. */
  async publish(
    actor: Actor,
    envelope: Uint8Array,
    { dryRun }: { readonly dryRun: boolean },
  ): Promise<RootObject> {
    return this.exclusively(async () => {
      const { live } = this.#parts;
      const opened = openNextRoot(envelope, live.root());
      if (!opened.ok) {
        const { code, detail } = opened.refusal;
        throw new RequestError('Invalid', `${code}: ${detail}`);
      }
      const next = opened.value;
      if (next.digest === live.root().digest) return this.#object(live.root());
      const hub = this.#under(next);
      const isNextPinned = hub.nextTls !== null && hub.issuer === hub.nextTls.authority;
      if (isNextPinned && hub.authorities !== live.now().authorities)
        await refuseUnreadyBroker(this.#parts);
      if (dryRun) return this.#object(next);
      await this.take(actor, hub);
      return this.#object(next);
    });
  }

  rotate(actor: Actor, request: RotationRequest): Promise<Rotation> {
    return rotateKey({ ...this.#parts, roots: this }, actor, request);
  }

  /** One root after another. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** To be called with the turn: `hub` is this one under a root whose step was checked. */
  async take(actor: Actor, hub: LoadedHub): Promise<void> {
    const { store, live, log, onKeysChanged, controller } = this.#parts;
    const former = live.now();
    const written = await this.#commit(actor, hub, store);
    live.adopt(hub);
    settleTls(hub);
    controller.look();
    const listed = former.root.document.roles.hub.keys;
    const gone = uselessKeys(heldKeys(hub.dataDir), hub.root.document);
    dropKeys(gone.filter(({ role, id }) => role === 'hub' && listed.includes(id)));
    const { version, epoch } = hub.root.document;
    log.info('root published', { version, epoch, assignments: written, by: actor.name });
    const isSame =
      former.hubSigner.publicKey === hub.hubSigner.publicKey &&
      former.root.document.epoch === epoch &&
      former.authorities === hub.authorities;
    if (!isSame) onKeysChanged();
  }

  async #commit(actor: Actor, hub: LoadedHub, store: Store): Promise<number> {
    return retried(async () => {
      const assignments = await this.#parts.controller.assignmentsUnder(hub.root, hub.hubSigner);
      const now = new Date(this.#parts.clock.now()).toISOString();
      const writes = rootWrites(hub.root, { by: actor.name, now });
      const signatures = await signaturesUnder(store, hub);
      await store.commit(actor, [...writes, ...signatures, ...assignments.mutations]);
      return assignments.written;
    });
  }

  #under(root: TrustedRoot): LoadedHub {
    try {
      return this.#parts.live.under(root);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      const why = `this hub could not go on under root ${root.document.version}: ${error.message}`;
      throw new RequestError('Conflict', why);
    }
  }

  async #object(root: TrustedRoot): Promise<RootObject> {
    const { store, live, clock } = this.#parts;
    const { dataDir } = live.now();
    const held = heldKeys(dataDir);
    const [nodes, bundles] = await Promise.all([store.list('Node'), store.list('Bundle')]);
    const withRevisions = await Promise.all(
      (bundles.items as readonly BundleObject[]).map(async object => ({
        object,
        revisions: await store.revisions(object.metadata.namespace, object.metadata.name),
      })),
    );
    const status = rootStatusOf({
      root,
      held,
      useless: uselessKeys(held, root.document),
      nodes: nodes.items as readonly NodeObject[],
      bundles: withRevisions,
      tls: tlsChangeOf(live.now(), await store.identities()),
      dataDir,
      now: clock.now(),
    });
    return { spec: root.document, status };
  }
}
