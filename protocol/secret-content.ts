/**
 * What a sealed Secret holds: one line of canonical JSON that says of what, for whom and which keys, then the values' bytes one
 * after the other. So no value ever becomes a JavaScript string, which could not be overwritten; and what an ordinary `age -d`
 * prints can be read. age binds nothing but the key: who opens compares the line with the signed document (S88). Pure.
 */
import { canonicalJson } from './canonical.js';
import { checkKey } from './config-object-rules.js';
import { AGE_BYTES_MAX } from './age.js';
import type { SecretDocument } from './documents/secret.js';
import { accept, refuse, type Result } from './refusal.js';

export type SecretContext = Pick<
  SecretDocument,
  'fleet' | 'node' | 'namespace' | 'bundle' | 'name' | 'version'
>;

/** The age header and tag of one recipient. */
const AGE_OVERHEAD_BYTES = 256;
/** Line and values together. */
export const SECRET_CONTENT_BYTES_MAX = AGE_BYTES_MAX - AGE_OVERHEAD_BYTES;

interface Head extends SecretContext {
  readonly type: string;
  readonly keys: readonly { readonly key: string; readonly size: number }[];
}

export interface SecretContent {
  /** `Opaque`, `kubernetes.io/tls` … */
  readonly type: string;
  readonly data: ReadonlyMap<string, Uint8Array>;
}

/** For the sealer to overwrite. */
export function encodeSecretContent(context: SecretContext, content: SecretContent): Buffer {
  const values = [...content.data].sort(([a], [b]) => (a < b ? -1 : 1));
  const keys = values.map(([key, bytes]) => ({ key, size: bytes.byteLength }));
  const line = headLine(context, { type: content.type, keys });
  return Buffer.concat([line, ...values.map(([, bytes]) => bytes)]);
}

function isHead(value: unknown): value is Head {
  if (typeof value !== 'object' || value === null) return false;
  const { type, keys } = value as Partial<Head>;
  return (
    typeof type === 'string' &&
    Array.isArray(keys) &&
    keys.every((one: unknown) => {
      const { key, size } = (one ?? {}) as { key?: unknown; size?: unknown };
      if (typeof key !== 'string' || checkKey(key, '').length > 0) return false;
      return Number.isSafeInteger(size) && (size as number) >= 0;
    })
  );
}

/** The line that `encodeSecretContent` begins with. Keys in order, each once. */
function headLine(context: SecretContext, { type, keys }: Pick<Head, 'type' | 'keys'>): Buffer {
  const { fleet, node, namespace, bundle, name, version } = context;
  const sorted = [...keys].sort((a, b) => (a.key < b.key ? -1 : 1));
  const sizes = sorted.map(({ key, size }) => ({ key, size }));
  const head: Head = { fleet, node, namespace, bundle, name, version, type, keys: sizes };
  return Buffer.from(`${canonicalJson(head)}\n`);
}

/** The values are parts of `plain`: overwriting it overwrites them. */
export function readSecretContent(plain: Buffer, context: SecretContext): Result<SecretContent> {
  const what = `secret ${context.namespace}/${context.bundle}/${context.name}`;
  const malformed = refuse('Malformed', `${what}: what was sealed is not in the form of a Secret`);
  const end = plain.indexOf(0x0a);
  if (end === -1) return malformed;
  let head: unknown;
  try {
    head = JSON.parse(plain.subarray(0, end).toString('utf8'));
  } catch {
    return malformed;
  }
  if (!isHead(head)) return malformed;
  for (const field of ['fleet', 'node', 'namespace', 'bundle', 'name', 'version'] as const) {
    if (head[field] === context[field]) continue;
    return refuse('MixMatch', `${what}: was sealed for another ${field} than the document says`);
  }
  if (!headLine(context, head).equals(plain.subarray(0, end + 1))) return malformed;
  const data = new Map<string, Uint8Array>();
  let at = end + 1;
  for (const { key, size } of head.keys) {
    data.set(key, plain.subarray(at, at + size));
    at += size;
  }
  if (at !== plain.byteLength || data.size !== head.keys.length) return malformed;
  return accept({ type: head.type, data });
}
