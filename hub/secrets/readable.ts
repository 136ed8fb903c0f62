/** The list to replace of one node, read from the store, and what takes entries off it. */
import type { SealedSecretObject, SecretObject, SecretTraceObject } from '../objects.js';
import { RequestError, type ReadableSecret, type SecretWriter } from '../ports.js';
import type { Actor, Mutation, Store } from '../store/store.js';
import { secretId } from './needs.js';
import { readableOf } from './traces.js';

async function read(store: Store, node: string) {
  const [identity, secrets, sealed, traces] = await Promise.all([
    store.identity(node),
    store.list('Secret'),
    store.list('SealedSecret'),
    store.list('SecretTrace'),
  ]);
  return {
    ...{ node, identity },
    secrets: secrets.items as readonly SecretObject[],
    sealed: sealed.items as readonly SealedSecretObject[],
    traces: traces.items as readonly SecretTraceObject[],
  };
}

/** Throws NotFound: a name that nobody ever had comforts falsely. */
export async function readableBy(store: Store, node: string): Promise<ReadableSecret[]> {
  const readable = readableOf(await read(store, node));
  if (readable.length > 0 || (await store.get('Node', '', node))) return readable;
  throw new RequestError('NotFound', `nodes "${node}" not found`);
}

/** See `SecretWriter`. */
export async function replaced(
  store: Store,
  actor: Actor,
  { node, namespace, names }: Parameters<SecretWriter['replaced']>[1],
): Promise<ReadableSecret[]> {
  const known = await read(store, node);
  const before = await readableBy(store, node);
  for (const name of names ?? []) {
    const isListed = before.some(
      one => one.namespace === namespace && secretId(one.bundle, one.secret) === name,
    );
    if (isListed) continue;
    throw new RequestError('NotFound', `secret "${name}" is not on the list of node "${node}"`);
  }
  const isMember = (device: string) =>
    known.identity?.joinedAt === device && known.identity.state !== 'revoked';
  const isMeant = ({ metadata, spec }: SealedSecretObject | SecretTraceObject) =>
    spec.node === node &&
    (names === null ||
      (metadata.namespace === namespace && names.includes(secretId(spec.bundle, spec.secret))));
  // What a member has now it goes on having: only the Secret's end, or a shut door, changes that.
  const gone = {
    sealed: known.sealed.filter(one => isMeant(one) && !isMember(one.spec.device)),
    traces: known.traces.filter(isMeant),
  };
  const mutations = [...gone.sealed, ...gone.traces].map(({ kind, metadata }): Mutation => {
    const { namespace: of, name, resourceVersion } = metadata;
    return { type: 'delete', kind, namespace: of, name, expect: { resourceVersion } };
  });
  if (mutations.length > 0) await store.commit(actor, mutations);
  return readableOf({ ...known, ...gone });
}
