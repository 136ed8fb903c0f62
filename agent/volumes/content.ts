/**
 * Which files a configMap, secret, downwardAPI or projected volume holds.
 *
 * Kubelet behaviour rows 135 and 136, `V/configmap`, `V/secret`, `V/downwardapi`, `V/projected`; of two sources of a
 * projected volume with one path the later wins, as there. Pure.
 */
import { MountError } from './mount-error.js';
import type { ConfigObject, ConfigObjects } from '../pods/config-objects.js';
import { metadataValue, resourceValue, type NodeCapacity } from '../pods/field-values.js';
import {
  connectedValue,
  tellsConnected,
  type ConnectedWord,
} from '../../protocol/pod-connected.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { DownwardAPIVolumeFile, KeyToPath, ValidPod, Volume } from '../../protocol/pod.js';

export interface VolumeFile {
  /** Of a sealed Secret: opened anew each time, to be wiped by who reads it. */
  readonly bytes: Uint8Array;
  /** Stands for the bytes where they are not to be opened for a comparison. */
  readonly digest?: string;
  /** Permission bits, before an fsGroup adds its own. */
  readonly mode: number;
}

/** By path inside the volume. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

export interface ContentFacts {
  readonly pod: ValidPod;
  readonly objects: ConfigObjects;
  readonly node: NodeCapacity;
  readonly connection: ConnectedWord;
}

const DEFAULT_MODE = 0o644;

/** True for a volume whose files the agent writes and keeps up to date. */
export function isWritten(volume: Volume): boolean {
  return (
    volume.configMap !== undefined ||
    volume.secret !== undefined ||
    volume.downwardAPI !== undefined ||
    volume.projected !== undefined
  );
}

/** True when something of it belongs in memory: what is secret, and what changes as often as a link does. */
export function belongsInMemory(volume: Volume): boolean {
  const { secret, projected } = volume;
  return (
    secret !== undefined ||
    (projected?.sources ?? []).some(source => source.secret !== undefined) ||
    tellsConnected(volume)
  );
}

/** True when something of it came sealed, and so must never lie on a disk. */
export function holdsSealed(
  { secret, projected }: Volume,
  { pod, objects }: Pick<ContentFacts, 'pod' | 'objects'>,
): boolean {
  const namespace = pod.metadata.namespace ?? '';
  const names = [secret?.secretName, ...(projected?.sources ?? []).map(one => one.secret?.name)];
  return names.some(
    name =>
      name !== undefined && objects.find({ kind: 'Secret', namespace, name })?.sealed !== undefined,
  );
}

/** Changes when the files do; says nothing about them. */
export function filesDigest(files: VolumeFiles): string {
  const parts = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, file]) => {
      const digest = file.digest ?? sha256Hex(file.bytes);
      return `${JSON.stringify(path)} ${file.mode} ${digest}`;
    });
  return sha256Hex(Buffer.from(parts.join('\n')));
}

const cleanPath = (path: string) =>
  path
    .split('/')
    .filter(step => step !== '' && step !== '.')
    .join('/');

interface KeySource {
  readonly kind: ConfigObject['kind'];
  readonly name: string;
  readonly items: readonly KeyToPath[] | undefined;
  readonly optional: boolean;
  readonly defaultMode: number;
}

function keyFile({ data, sealed }: ConfigObject, key: string, mode: number): VolumeFile {
  return {
    get bytes() {
      return data.get(key) ?? new Uint8Array();
    },
    mode,
    ...(sealed === undefined ? {} : { digest: sha256Hex(`${sealed.digest} ${key}`) }),
  };
}

function keyFiles(source: KeySource, { pod, objects }: ContentFacts): [string, VolumeFile][] {
  const { kind, name, items, optional, defaultMode } = source;
  const object = objects.find({ kind, namespace: pod.metadata.namespace ?? '', name });
  if (object === null) {
    if (optional) return [];
    throw new MountError(`${kind.toLowerCase()} "${name}" not found`);
  }
  if (items === undefined || items.length === 0) {
    return [...object.data.keys()].map(key => [key, keyFile(object, key, defaultMode)]);
  }
  return items.flatMap(({ key, path, mode = defaultMode }): [string, VolumeFile][] => {
    if (object.data.has(key)) return [[cleanPath(path), keyFile(object, key, mode)]];
    if (optional) return [];
    throw new MountError(
      kind === 'ConfigMap'
        ? `configmap "${name}" references non-existent config key: ${key}`
        : `secret "${name}" references non-existent secret key: ${key}`,
    );
  });
}

function fieldFiles(
  items: readonly DownwardAPIVolumeFile[] | undefined,
  defaultMode: number,
  { pod, node, connection }: ContentFacts,
): [string, VolumeFile][] {
  return (items ?? []).map(({ path, mode = defaultMode, fieldRef, resourceFieldRef }) => {
    const text =
      fieldRef !== undefined
        ? (connectedValue(fieldRef.fieldPath, connection) ?? metadataValue(fieldRef.fieldPath, pod))
        : resourceFieldRef !== undefined
          ? resourceValue(resourceFieldRef, { pod, own: null, node })
          : null;
    if (text === null) throw new MountError(`there is no value for the file ${path}`);
    return [cleanPath(path), { bytes: Buffer.from(text), mode }];
  });
}

function filesOf(volume: Volume, facts: ContentFacts): [string, VolumeFile][] {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) {
    const { name = '', items, optional = false, defaultMode = DEFAULT_MODE } = configMap;
    return keyFiles({ kind: 'ConfigMap', name, items, optional, defaultMode }, facts);
  }
  if (secret !== undefined) {
    const { secretName: name = '', items, optional = false, defaultMode = DEFAULT_MODE } = secret;
    return keyFiles({ kind: 'Secret', name, items, optional, defaultMode }, facts);
  }
  if (downwardAPI !== undefined) {
    const { items, defaultMode = DEFAULT_MODE } = downwardAPI;
    return fieldFiles(items, defaultMode, facts);
  }
  const { sources, defaultMode = DEFAULT_MODE } = projected ?? { sources: [] };
  return (sources ?? []).flatMap(source => {
    for (const kind of ['ConfigMap', 'Secret'] as const) {
      const from = kind === 'ConfigMap' ? source.configMap : source.secret;
      if (from === undefined) continue;
      const { name = '', items, optional = false } = from;
      return keyFiles({ kind, name, items, optional, defaultMode }, facts);
    }
    return fieldFiles(source.downwardAPI?.items, defaultMode, facts);
  });
}

/** Throws `MountError` when something that is not optional is missing, or one file would lie below another. */
export function volumeFiles(volume: Volume, facts: ContentFacts): VolumeFiles {
  const files = new Map(filesOf(volume, facts));
  for (const path of files.keys()) {
    const steps = path.split('/');
    const above = steps.slice(0, -1).map((_, index) => steps.slice(0, index + 1).join('/'));
    const clash = above.find(one => files.has(one));
    if (clash !== undefined) {
      throw new MountError(`conflicting paths: ${clash} is a file and ${path} lies below it`);
    }
  }
  return files;
}
