/** One life of a hub on its store, put together as `hub/main.ts` does it, without API, enrolment and broker. */
import { createEnrolment } from '../../hub/enrolment/enrolment.js';
import { startIngest } from '../../hub/ingest/ingest.js';
import type { Ingest } from '../../hub/ingest/ingest-parts.js';
import { startHubLink } from '../../hub/link/link.js';
import type { BundleObject } from '../../hub/objects.js';
import type { BundleWriter, Enrolment, SecretWriter } from '../../hub/ports.js';
import { activateBundleNow } from '../../hub/rollout/activate-now.js';
import { bundleWriter } from '../../hub/rollout/apply.js';
import { signSecretsAnew } from '../../hub/secrets/signatures.js';
import { secretWriter } from '../../hub/secrets/secret-writer.js';
import { startController, type Controller } from '../../hub/rollout/controller.js';
import { republisher } from '../../hub/rollout/republish.js';
import { retryBundle } from '../../hub/rollout/retry.js';
import { manifestsOf } from '../../hub/rollout/revision-document.js';
import type { LoadedHub } from '../../hub/setup/load.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Actor as User, Store } from '../../hub/store/store.js';
import type { Signer } from '../../protocol/keys.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import { FLEET, trustedRoot } from '../support/fleet.js';
import { HubKeys, type KeyRing } from './roots.js';

export const ADMIN: User = { kind: 'user', name: 'admin' };

export interface HubParts {
  /** The store's file. */
  readonly path: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly ring: KeyRing;
  /** A bundle's revision is about to be written down. */
  readonly onRevision: (revision: { readonly bundle: string; readonly digest: string }) => void;
}

export interface HubLife {
  /** The newest root of the ring counts from now on. */
  takeRoot(): Promise<void>;
  readonly store: Store;
  readonly bundles: BundleWriter;
  readonly secrets: SecretWriter;
  readonly controller: Controller;
  readonly ingest: Ingest;
  readonly enrolment: Pick<Enrolment, 'nonce' | 'rotate'>;
  /** Signs with the key in force. */
  readonly hubSigner: Signer;
  retry(bundle: { namespace: string; name: string }): Promise<readonly string[]>;
  activate(bundle: { namespace: string; name: string }): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What `hub init` leaves in the store. */
export async function initHub(store: Store): Promise<void> {
  const topics = topicsOf(FLEET);
  const { digest, envelope, document } = trustedRoot();
  const { version } = document;
  await store.commit({ kind: 'hub', name: 'init' }, [
    { type: 'root', record: { version, digest, envelope } },
    { type: 'publish', topic: topics.root(), payload: envelope },
    { type: 'publish', topic: topics.root(version), payload: envelope },
  ]);
}

export async function startHub(parts: HubParts): Promise<HubLife> {
  const { path, clock, random, log, ring } = parts;
  const bytes = (size: number) =>
    Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
  const keys = new HubKeys(ring);
  const root = () => keys.root();
  const hubSigner = keys.hubSigner();
  const store = await openSqliteStore({ path, clock });
  watchRevisions(store, parts.onRevision);
  if ((await store.root()) === null) await initHub(store);
  await keys.catchUp(store);
  await signSecretsAnew(store, { root: root(), hubSigner });
  const controller = startController({ store, root, hubSigner, clock, log });
  const link = startHubLink({
    url: 'mqtt://broker:1883',
    tls: null,
    root,
    hubSigner,
    sealingKey: '11'.repeat(32),
    ...{ store, clock, log },
    random: bytes,
    brokerIsFresh: false,
    onMessage: message => ingest.receive(message),
    onUp: () => ingest.linkUp(),
    onDown: () => ingest.linkDown(),
  });
  const again = republisher({ store, fleet: FLEET, clock });
  const ingest = startIngest({
    ...{ store, root, clock, log },
    messenger: link.messenger,
    freshAssignment: (node, nonce) => controller.freshAssignment(node, nonce),
    republish: digests => again.blobs(digests),
    republishRoot: version => again.root(version),
    manifestsOf: bundle => manifestsOf(store, bundle),
  });
  // Of the hub's own files a change of keys needs no more than this.
  const hub = {
    ...{ hubSigner, authorities: '', ownKeys: new Set<string>() },
    config: { advertise: { brokers: ['mqtts://broker:8883'] } },
    get root() {
      return root();
    },
  } as unknown as LoadedHub;
  const enrolment = createEnrolment({
    ...{ hub, store, clock, random: bytes, log, sessionsLive: false },
    firstAssignment: joining => controller.firstAssignment(joining),
    disconnect: () => undefined,
  });
  return {
    ...{ store, controller, ingest, hubSigner, enrolment },
    bundles: bundleWriter({
      ...{ store, root, clock },
      get releaseSigner() {
        return keys.releaseSigner();
      },
    }),
    takeRoot: async () => {
      const isOther = await keys.take(ADMIN, ring.newest(), {
        store,
        controller,
        now: clock.now(),
      });
      if (isOther) link.renew();
    },
    secrets: secretWriter({ store, root, hubSigner }),
    retry: bundle =>
      retryBundle({ store, root, hubSigner, clock }, ADMIN, { ...bundle, nodes: [] }),
    activate: bundle => {
      const wish = { ...bundle, nodes: [], reason: 'it is urgent' };
      return activateBundleNow({ store, root, hubSigner, clock }, ADMIN, wish).then(
        ({ nodes }) => nodes,
      );
    },
    close: async () => {
      await ingest.close();
      await link.close();
      await controller.close();
      await store.close();
    },
  };
}

/** As close to the moment as one can be: who dies with a commit may have made it, and nobody hears of it. */
function watchRevisions(store: Store, onRevision: HubParts['onRevision']): void {
  const commit = store.commit.bind(store);
  store.commit = (actor, mutations) => {
    for (const mutation of mutations) {
      if (mutation.type !== 'put' || mutation.object.kind !== 'Bundle') continue;
      const { metadata, status } = mutation.object as BundleObject;
      onRevision({ bundle: metadata.name, digest: status.digest });
    }
    return commit(actor, mutations);
  };
}
