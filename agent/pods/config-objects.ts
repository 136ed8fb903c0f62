/**
 * ConfigMaps and Secrets that lie beside the pods: what a pod of the same namespace can name in its environment and
 * volumes. Pure.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { BundleName } from '../ports.js';

export interface ConfigObject {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly namespace: string;
  readonly name: string;
  /** `Opaque`, `kubernetes.io/dockerconfigjson` …; empty for a ConfigMap. */
  readonly type: string;
  /** `data` and `binaryData`, or the decoded `data` and `stringData`. */
  readonly data: ReadonlyMap<string, Uint8Array>;
  /** Its data is not to change while it is there. */
  readonly isImmutable: boolean;
  /** The file's name. */
  readonly origin: string;
  /** The bundle that owns it; null for one that a person put there. */
  readonly bundle: BundleName | null;
  /** Of a Secret that came sealed: its values are opened when they are read, for one use (`secrets/sealed-data.ts`). */
  readonly sealed?: { readonly digest: string };
}

export interface ConfigObjectName {
  readonly kind: ConfigObject['kind'];
  readonly namespace: string;
  readonly name: string;
}

/** What one pod can see: its own bundle's objects before those of the directory. */
export interface ConfigObjects {
  find(name: ConfigObjectName): ConfigObject | null;
}

export const NO_CONFIG_OBJECTS: ConfigObjects = { find: () => null };

/** The objects that a pod of this bundle (null: a local pod) sees. Another bundle's are not among them. */
export function objectsFor(all: readonly ConfigObject[], bundle: BundleName | null): ConfigObjects {
  const isOwn = (one: ConfigObject) =>
    bundle !== null &&
    one.bundle?.namespace === bundle.namespace &&
    one.bundle.name === bundle.name;
  return {
    find({ kind, namespace, name }) {
      const named = all.filter(
        one => one.kind === kind && one.namespace === namespace && one.name === name,
      );
      return named.find(isOwn) ?? named.find(one => one.bundle === null) ?? null;
    },
  };
}

/** Changes when the content does; says nothing about it. */
export function configObjectDigest(object: ConfigObject): string {
  const parts = [...object.data]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, bytes]) => `${JSON.stringify(key)}:${sha256Hex(bytes)}`);
  return sha256Hex(Buffer.from(parts.join('\n')));
}
