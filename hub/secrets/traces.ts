/**
 * What devices could open of Secrets, beyond what is sealed for them now: the list to replace after a theft must not forget a Secret
 * because the hub did. Pure, but for reading what is to be added to.
 */
import type {
  SealedSecretObject,
  SecretObject,
  SecretTraceObject,
  SecretTraceSpec,
  VersionRange,
} from '../objects.js';
import type { ReadableSecret } from '../ports.js';
import type { IdentityRecord, Mutation, Store } from '../store/store.js';
import { secretId } from './needs.js';

export type Versions = readonly VersionRange[];

/** Sorted, each version once. */
export function joined(ranges: Versions): VersionRange[] {
  const result: VersionRange[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last === undefined || from > last.to + 1) result.push({ from, to });
    else result[result.length - 1] = { from: last.from, to: Math.max(last.to, to) };
  }
  return result;
}

export type Traced = Omit<SecretTraceSpec, 'versions'> & {
  readonly namespace: string;
  readonly version: number;
};

function traceName({
  bundle,
  secret,
  node,
  device,
}: Omit<Traced, 'namespace' | 'version'>): string {
  return `${secretId(bundle, secret)}.${node}.${Date.parse(device) || 0}`;
}

/** The same versions again change nothing. For the transaction that takes them from where they are. */
export async function traceMutations(
  store: Pick<Store, 'get'>,
  traced: readonly Traced[],
): Promise<Mutation[]> {
  const byName = new Map<string, Traced[]>();
  for (const one of traced) {
    const key = `${one.namespace}/${traceName(one)}`;
    byName.set(key, [...(byName.get(key) ?? []), one]);
  }
  const mutations: Mutation[] = [];
  for (const list of byName.values()) {
    const [first] = list;
    if (!first) continue;
    const { namespace, version: _version, ...spec } = first;
    const metadata = { namespace, name: traceName(first) };
    const former = await store.get('SecretTrace', namespace, metadata.name);
    const before = (former as SecretTraceObject | null)?.spec.versions ?? [];
    const versions = joined([...before, ...list.map(({ version: at }) => ({ from: at, to: at }))]);
    const object = {
      kind: 'SecretTrace',
      metadata,
      spec: { ...spec, versions },
      status: null,
    } as const;
    const expect = former ? { resourceVersion: former.metadata.resourceVersion } : 'absent';
    mutations.push({ type: 'put', object, expect });
  }
  return mutations;
}

/** Of what was sealed, when that goes. */
export function tracedOf({ metadata, spec }: SealedSecretObject): Traced {
  const { bundle, secret, node, device, version } = spec;
  return { namespace: metadata.namespace, bundle, secret, node, device, version };
}

/** What `next` takes the place of and its device could open: a later version, or one for another device. */
export function supersededBy(
  former: SealedSecretObject | null,
  next: Pick<Traced, 'version' | 'device'>,
): Traced[] {
  if (former === null) return [];
  const { version, device } = former.spec;
  return version === next.version && device === next.device ? [] : [tracedOf(former)];
}

export interface ReadableInput {
  readonly node: string;
  /** Of that name; null: it left. */
  readonly identity: IdentityRecord | null;
  readonly secrets: readonly SecretObject[];
  readonly sealed: readonly SealedSecretObject[];
  readonly traces: readonly SecretTraceObject[];
}

function deviceOf(identity: IdentityRecord | null, device: string): ReadableSecret['device'] {
  if (identity?.joinedAt !== device) return 'former';
  return identity.state === 'revoked' ? 'revoked' : 'current';
}

/** One for each Secret and device, by name; the member's own first. */
export function readableOf(input: ReadableInput): ReadableSecret[] {
  const { node, identity, secrets, sealed, traces } = input;
  const newest = new Map(
    secrets.map(({ metadata, spec }) => [`${metadata.namespace}/${metadata.name}`, spec.version]),
  );
  const found = new Map<string, ReadableSecret>();
  const add = (of: Omit<Traced, 'version' | 'node'>, ranges: Versions) => {
    const { namespace, bundle, secret } = of;
    const name = `${namespace}/${secretId(bundle, secret)}`;
    const key = `${name} ${of.device}`;
    const versions = joined([...(found.get(key)?.versions ?? []), ...ranges]);
    found.set(key, {
      ...{ namespace, bundle, secret, versions },
      version: versions.at(-1)?.to ?? 0,
      newest: newest.get(name) ?? null,
      device: deviceOf(identity, of.device),
    });
  };
  for (const { metadata, spec } of sealed.filter(one => one.spec.node === node)) {
    add({ ...spec, namespace: metadata.namespace }, [{ from: spec.version, to: spec.version }]);
  }
  for (const { metadata, spec } of traces.filter(one => one.spec.node === node)) {
    add({ ...spec, namespace: metadata.namespace }, spec.versions);
  }
  const rank = ({ device, namespace, bundle, secret }: ReadableSecret) =>
    `${device === 'former' ? 1 : 0} ${namespace}/${secretId(bundle, secret)}`;
  return [...found.values()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}
