/** Writes into each Secret which nodes have it and which lack it. Decides nothing by itself. */
import { canonicalJson } from '../../protocol/canonical.js';
import type { BundleObject, NodeObject, SealedSecretObject, SecretObject } from '../objects.js';
import type { Actor, Store } from '../store/store.js';
import { indexSealed, statusOfSecret } from './needs.js';

/** Throws `StoreError` when one was changed meanwhile: look again. */
export async function rollUpSecrets(
  store: Store,
  actor: Actor,
  fleet: { readonly bundles: readonly BundleObject[]; readonly nodes: readonly NodeObject[] },
): Promise<void> {
  const secrets = (await store.list('Secret')).items as readonly SecretObject[];
  if (secrets.length === 0) return;
  const identities = await store.identities();
  const all = (await store.list('SealedSecret')).items as readonly SealedSecretObject[];
  const sealed = indexSealed(all);
  for (const secret of secrets) {
    const status = statusOfSecret(secret, { ...fleet, identities, sealed });
    if (canonicalJson(status) === canonicalJson(secret.status)) continue;
    const { kind, spec } = secret;
    const { namespace, name, labels, annotations, resourceVersion } = secret.metadata;
    const object = { kind, metadata: { namespace, name, labels, annotations }, spec, status };
    await store.commit(actor, [{ type: 'put', object, expect: { resourceVersion } }]);
  }
}
