/**
 * A new root may say that somebody else signs sealed Secrets. What the hub signed it signs again with the key that it has now: nodes that
 * were away still have to fetch it, and the digest stays. What only people could sign counts as missing until they did.
 */
import { openEnvelope, packed, sealBytes } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { PAYLOAD_BYTES_MAX } from '../../protocol/limits.js';
import { topicsOf } from '../../protocol/topics.js';
import { envelopeBytesMax, type TrustedRoot } from '../../protocol/verified.js';
import { openSecretDocument } from '../../protocol/verify-secret.js';
import type { SealedSecretObject } from '../objects.js';
import type { Actor, Mutation, Store } from '../store/store.js';

const ACTOR: Actor = { kind: 'hub', name: 'secrets' };

interface Signing {
  readonly root: TrustedRoot;
  readonly hubSigner: Signer;
}

/** Nothing where every signature counts. To be committed with the root, or after it; twice is safe. */
export async function signaturesUnder(
  store: Pick<Store, 'list' | 'publication'>,
  { root, hubSigner }: Signing,
): Promise<Mutation[]> {
  const topics = topicsOf(root.document.fleet);
  const { items } = await store.list('SealedSecret');
  const mutations: Mutation[] = [];
  for (const object of items as readonly SealedSecretObject[]) {
    const topic = topics.blob(object.spec.digest);
    const envelope = (await store.publication(topic))?.payload ?? null;
    if (envelope === null) continue;
    const isGood = openSecretDocument(envelope, root).ok;
    if (!isGood && root.document.roles.secrets === null) {
      const opened = openEnvelope(envelope, {
        kind: 'secret',
        bytesMax: envelopeBytesMax(PAYLOAD_BYTES_MAX),
      });
      if (!opened.ok) continue;
      const resealed = sealBytes('secret', opened.value.payload, [hubSigner]);
      const payload = packed('secret', resealed);
      mutations.push({ type: 'publish', topic, payload }, ...marked(object, false));
    } else {
      mutations.push(...marked(object, !isGood));
    }
  }
  return mutations;
}

/** For a hub that starts: its key may be another one, after a recovery for example. */
export async function signSecretsAnew(store: Store, signing: Signing): Promise<void> {
  const mutations = await signaturesUnder(store, signing);
  if (mutations.length > 0) await store.commit(ACTOR, mutations);
}

function marked({ kind, metadata, spec }: SealedSecretObject, isVoid: boolean): Mutation[] {
  if ((spec.isVoid ?? false) === isVoid) return [];
  const { namespace, name, resourceVersion } = metadata;
  const { isVoid: _former, ...others } = spec;
  return [
    {
      type: 'put',
      object: {
        kind,
        metadata: { namespace, name },
        spec: isVoid ? { ...others, isVoid } : others,
        status: null,
      },
      expect: { resourceVersion },
    },
  ];
}
