/** What takes Secrets away: the Secret and what was sealed of it, for one transaction. Their versions stay. */
import type { SealedSecretObject, SecretObject } from '../objects.js';
import type { Mutation, Store } from '../store/store.js';

/** Without `secret`: all of the bundle. */
export async function withoutSecrets(
  store: Store,
  of: { readonly namespace: string; readonly bundle: string; readonly secret?: string },
): Promise<Mutation[]> {
  const { namespace, bundle, secret } = of;
  const isMeant = ({ spec }: SecretObject | SealedSecretObject) =>
    spec.bundle === bundle && (secret === undefined || spec.secret === secret);
  const mutations: Mutation[] = [];
  for (const kind of ['Secret', 'SealedSecret'] as const) {
    const { items } = await store.list(kind, { namespace });
    for (const one of (items as readonly (SecretObject | SealedSecretObject)[]).filter(isMeant)) {
      mutations.push({ type: 'delete', kind, namespace, name: one.metadata.name });
    }
  }
  return mutations;
}
