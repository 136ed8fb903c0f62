/**
 * What takes Secrets away: the Secret and what was sealed of it, for one transaction. Their versions stay, and which devices could open them.
 */
import { topicsOf } from '../../protocol/topics.js';
import type { SealedSecretObject, SecretObject } from '../objects.js';
import type { Mutation, Store } from '../store/store.js';
import { traceMutations, tracedOf } from './traces.js';

/** Without `secret`: all of the bundle. */
export async function withoutSecrets(
  store: Store,
  of: {
    readonly fleet: string;
    readonly namespace: string;
    readonly bundle: string;
    readonly secret?: string;
  },
): Promise<Mutation[]> {
  const { fleet, namespace, bundle, secret } = of;
  const isMeant = ({ spec }: SecretObject | SealedSecretObject) =>
    spec.bundle === bundle && (secret === undefined || spec.secret === secret);
  const mutations: Mutation[] = [];
  const [secrets, all] = await Promise.all([
    store.list('Secret', { namespace }),
    store.list('SealedSecret', { namespace }),
  ]);
  const sealed = (all.items as readonly SealedSecretObject[]).filter(isMeant);
  for (const { kind, metadata } of [
    ...(secrets.items as readonly SecretObject[]).filter(isMeant),
    ...sealed,
  ]) {
    mutations.push({ type: 'delete', kind, namespace, name: metadata.name });
  }
  // At once: who has the node's keys, and its place at the broker, could fetch it as long as it lies there.
  const topics = topicsOf(fleet);
  for (const { spec } of sealed) {
    mutations.push({ type: 'publish', topic: topics.blob(spec.digest), payload: null });
  }
  return [...mutations, ...(await traceMutations(store, sealed.map(tracedOf)))];
}
