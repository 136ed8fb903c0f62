/**
 * The values of a pod's own fields and of its containers' resources, as its environment and its files show them.
 *
 * Kubelet behaviour rows 135, 145 to 147 (`pkg/fieldpath`, `pkg/api/v1/resource`). Pure.
 */
import { allContainers, type Container, type ValidPod } from '../../protocol/pod.js';
import type { ResourceFieldSelector } from '../../protocol/pod.js';
import { compareQuantities, divideQuantities } from '../../protocol/quantity.js';

/** What a limit that is not given comes to; 0 where it is not known. */
export interface NodeCapacity {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** As Go's `%q` writes a string. */
export function goQuoted(text: string): string {
  const characters = [...text].map(character => {
    const escape = ESCAPES[character];
    if (escape !== undefined) return escape;
    if (PRINTABLE.test(character)) return character;
    const code = character.codePointAt(0) ?? 0;
    const digits = (length: number) => code.toString(16).padStart(length, '0');
    if (code < 0x80) return `\\x${digits(2)}`;
    return code < 0x10000 ? `\\u${digits(4)}` : `\\U${digits(8)}`;
  });
  return `"${characters.join('')}"`;
}

const byKey = ([a]: readonly [string, string], [b]: readonly [string, string]) =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));

function mapText(map: Readonly<Record<string, string>>): string {
  const lines = Object.entries(map)
    .sort(byKey)
    .map(([key, value]) => `${key}=${goQuoted(value)}`);
  return lines.join('\n');
}

const SUBSCRIPT = /^metadata\.(labels|annotations)\['(.*)'\]$/;

/** A field of the pod's metadata, whole maps included; null for any other path. */
export function metadataValue(path: string, { metadata }: ValidPod): string | null {
  const [, map, key] = SUBSCRIPT.exec(path) ?? [];
  if (map === 'labels' || map === 'annotations') return metadata[map]?.[key ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return mapText(metadata.labels ?? {});
    case 'metadata.annotations':
      return mapText(metadata.annotations ?? {});
    default:
      return null;
  }
}

function capacityOf(resource: string, node: NodeCapacity): string {
  switch (resource) {
    case 'cpu':
      return String(node.cpus);
    case 'memory':
      return String(node.memoryBytes);
    case 'ephemeral-storage':
      return String(node.ephemeralStorageBytes);
    default:
      return '0';
  }
}

/**
 * Row 147: the value divided by the divisor and rounded up; a limit that is missing or zero is what the node has.
 * `own` is the container that is meant where the selector names none. Null when the named one is not there.
 */
export function resourceValue(
  { containerName = '', resource, divisor }: ResourceFieldSelector,
  of: { readonly pod: ValidPod; readonly own: Container | null; readonly node: NodeCapacity },
): string | null {
  const container =
    containerName === ''
      ? of.own
      : allContainers(of.pod).find(({ name }) => name === containerName);
  if (container === null || container === undefined) return null;
  const [list, ...rest] = resource.split('.');
  const name = rest.join('.');
  const given = container.resources?.[list === 'limits' ? 'limits' : 'requests']?.[name] ?? '0';
  const isLimit = list === 'limits' && compareQuantities(given, '0') === 0;
  const value = isLimit ? capacityOf(name, of.node) : given;
  const by = divisor === undefined || compareQuantities(divisor, '0') === 0 ? '1' : divisor;
  return String(divideQuantities(value, by));
}

export interface NodeAddresses {
  /** The node's address; empty when it has none. */
  readonly hostIP: string;
  /** One of each kind that it has, `hostIP` first; left out: that one. */
  readonly hostIPs?: readonly string[];
}

/** What a status and `status.hostIPs` list. */
export function hostAddresses({ hostIP, hostIPs }: NodeAddresses): readonly string[] {
  return hostIPs ?? [hostIP].filter(Boolean);
}
