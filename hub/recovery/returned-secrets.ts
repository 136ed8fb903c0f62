/**
 * What a node's standing teaches of sealed Secrets: their versions, which nodes never let fall, and the envelopes that the hub lost
 * or never had. They count with the signature of the role that seals; what they hold stays closed. Writes nothing.
 */
import { packed } from '../../protocol/envelope.js';
import type { AssignedSecret } from '../../protocol/documents/assignment.js';
import type { SecretDocument } from '../../protocol/documents/secret.js';
import type { StandingDocument } from '../../protocol/documents/node.js';
import { PAYLOAD_BYTES_MAX } from '../../protocol/limits.js';
import type { Log } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import { envelopeBytesMax, type TrustedRoot } from '../../protocol/verified.js';
import { openSecretDocument } from '../../protocol/verify-secret.js';
import type { SealedSecretObject, SecretObject } from '../objects.js';
import { secretId } from '../secrets/needs.js';
import { knownVersion, versionMutation } from '../secrets/versions.js';
import { supersededBy, traceMutations, type Traced } from '../secrets/traces.js';
import type { Mutation, Store } from '../store/store.js';
import { PLAUSIBLE_MAX } from './lessons.js';
import type { Questions } from './questions.js';

export interface ReturnedSecret {
  readonly assigned: AssignedSecret;
  readonly document: SecretDocument;
  readonly envelope: Buffer;
}

interface NodeSecrets {
  readonly node: string;
  /** Of the accepted assignment. */
  readonly assigned: readonly AssignedSecret[];
  /** The newest that was ever kept there; `fetchSecrets` asks for those that are assigned. */
  readonly kept: readonly AssignedSecret[];
}

interface Sources {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly questions: Pick<Questions, 'ask'>;
  readonly log: Log;
}

/** As kubectl says it. */
const UNKNOWN_TYPE = '<unknown>';

const nameOf = ({ bundle, name }: AssignedSecret) => secretId(bundle, name);
const keyOf = (secret: AssignedSecret) => `${secret.namespace}/${nameOf(secret)}`;

/** Null for bytes that are not that Secret of that node, signed by the role that seals. */
export function returnedSecret(
  envelope: Buffer,
  assigned: AssignedSecret,
  { node, root }: { readonly node: string; readonly root: TrustedRoot },
): ReturnedSecret | null {
  const opened = openSecretDocument(envelope, root);
  if (!opened.ok || opened.value.digest !== assigned.digest) return null;
  const { document } = opened.value;
  const isNamed =
    document.node === node &&
    document.namespace === assigned.namespace &&
    document.bundle === assigned.bundle &&
    document.name === assigned.name &&
    document.version === assigned.version;
  return isNamed ? { assigned, document, envelope } : null;
}

/** Those that the node has in a later version than the hub sealed for it. Rejects when asking ends. */
export async function fetchSecrets(
  { node, assigned, kept }: NodeSecrets,
  { store, root, questions, log }: Sources,
): Promise<ReturnedSecret[]> {
  const listed = new Set(assigned.map(keyOf));
  const returned: ReturnedSecret[] = [];
  for (const secret of kept.filter(one => listed.has(keyOf(one)))) {
    const { namespace, digest, version } = secret;
    const own = await store.get('SealedSecret', namespace, `${nameOf(secret)}.${node}`);
    if (own && (own as SealedSecretObject).spec.version >= version) continue;
    const bytesMax = envelopeBytesMax(PAYLOAD_BYTES_MAX);
    const bytes = await questions.ask({ want: 'secret', digest, bytesMax });
    const found = bytes && returnedSecret(bytes, secret, { node, root: root() });
    if (found) returned.push(found);
    else log.warn('a node cannot give a sealed secret back', { node, secret: keyOf(secret) });
  }
  return returned;
}

/** Versions that only rise, and what came back. `adopted`: what this lesson makes of bundles. */
export async function secretMutations(
  store: Store,
  lesson: {
    readonly node: string;
    readonly fleet: string;
    readonly standing: Pick<StandingDocument, 'secrets'>;
    readonly said: { readonly document: { readonly secrets: readonly AssignedSecret[] } } | null;
    readonly secrets: readonly ReturnedSecret[];
    readonly adopted: readonly Mutation[];
  },
): Promise<Mutation[]> {
  const { node, standing, said, secrets, adopted } = lesson;
  const device = (await store.identity(node))?.joinedAt ?? '';
  const highest = new Map<string, AssignedSecret>();
  for (const secret of [...standing.secrets, ...(said?.document.secrets ?? [])]) {
    const known = highest.get(keyOf(secret));
    if (secret.version > PLAUSIBLE_MAX) continue;
    if (!known || known.version < secret.version) highest.set(keyOf(secret), secret);
  }
  const mutations: Mutation[] = [];
  for (const secret of highest.values()) {
    const { namespace, version } = secret;
    if (version <= (await knownVersion(store, namespace, nameOf(secret)))) continue;
    mutations.push(versionMutation(namespace, nameOf(secret), version));
  }
  const isAdopted = (namespace: string, name: string) =>
    adopted.some(one => {
      if (one.type !== 'put' || one.object.kind !== 'Bundle') return false;
      const { metadata } = one.object;
      return metadata.namespace === namespace && metadata.name === name;
    });
  const again = new Set<string>();
  for (const returned of secrets) {
    const { namespace, bundle, version } = returned.assigned;
    if (version > PLAUSIBLE_MAX) continue;
    const isThere = isAdopted(namespace, bundle) || (await store.get('Bundle', namespace, bundle));
    if (!isThere) continue;
    const made = await sealedAgain(store, returned, { ...lesson, device });
    if (made.length > 0) again.add(keyOf(returned.assigned));
    mutations.push(...made);
  }
  const traced = await tracesIn(store, [...highest.values()], { node, device, again });
  return [...mutations, ...(await traceMutations(store, traced))];
}

/** What the node had, by its own word, and the hub does not know of, or only in another version. */
async function tracesIn(
  store: Store,
  had: readonly AssignedSecret[],
  of: { readonly node: string; readonly device: string; readonly again: ReadonlySet<string> },
): Promise<Traced[]> {
  const { node, device, again } = of;
  const traced: Traced[] = [];
  for (const assigned of had) {
    const { namespace, bundle, name: secret, version } = assigned;
    const name = `${secretId(bundle, secret)}.${node}`;
    const own = (await store.get('SealedSecret', namespace, name)) as SealedSecretObject | null;
    const one = { namespace, bundle, secret, node, device, version };
    const isSame = own?.spec.version === version && own.spec.device === device;
    if (again.has(keyOf(assigned))) traced.push(...supersededBy(own, one));
    else if (!isSame) traced.push(one);
  }
  return traced;
}

/** The node's envelope as the hub kept it once, and the Secret that it is of, if this is news of it. */
async function sealedAgain(
  store: Store,
  { assigned, document, envelope }: ReturnedSecret,
  of: { readonly node: string; readonly fleet: string; readonly device: string },
): Promise<Mutation[]> {
  const { node, fleet, device } = of;
  const { namespace, bundle, name: secret, version, digest } = assigned;
  const name = nameOf(assigned);
  const current = (await store.get('Secret', namespace, name)) as SecretObject | null;
  const isNews = version > (await knownVersion(store, namespace, name));
  // One that was deleted stays so.
  if (!current && !isNews) return [];
  const topic = topicsOf(fleet).blob(digest);
  const { recipient } = document;
  const spec = { bundle, secret, node, version, recipient, digest, device };
  const metadata = { namespace, name: `${name}.${node}` };
  return [
    ...(isNews ? [newsOf(assigned, current)] : []),
    { type: 'put', object: { kind: 'SealedSecret', metadata, spec, status: null }, expect: 'any' },
    { type: 'publish', topic, payload: null },
    { type: 'publish', topic, payload: packed('secret', envelope) },
  ];
}

/** Of what it holds nobody here knows anything: it counts as another content than any that is applied next. */
function newsOf(assigned: AssignedSecret, current: SecretObject | null): Mutation {
  const { namespace, bundle, name: secret, version } = assigned;
  const { type = UNKNOWN_TYPE, immutable = false, keys = [] } = current?.spec ?? {};
  const spec = { bundle, secret, type, version, immutable, keys, fingerprint: null };
  return {
    type: 'put',
    object: {
      kind: 'Secret',
      metadata: { namespace, name: nameOf(assigned) },
      spec,
      status: current?.status ?? { sealed: 0, lacking: 0, lackingNodes: [] },
    },
    expect: current ? { resourceVersion: current.metadata.resourceVersion } : 'absent',
  };
}
