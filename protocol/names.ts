/**
 * The grammars of names that become topic levels, file names, container names and certificate subjects, and the
 * names that are derived from them. ASCII only, so that case folding and Unicode forms cannot make two names one.
 */
import { sha256Hex } from './canonical.js';

/** RFC 1123 label, lower case: nodes, namespaces, bundles. No `+ # / $ .`, so it is safe as an MQTT topic level. */
export const LABEL_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 1123 subdomain, at most 253 characters: Pod names. */
export const SUBDOMAIN_PATTERN =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
export const DIGEST_PATTERN = /^[0-9a-f]{64}$/;

/** Names a node may not take: the hub's own client identifiers at the broker. */
export const RESERVED_NODE_NAMES: ReadonlySet<string> = new Set(['hub', 'flotilla-hub', 'broker']);

export function isNodeName(name: string): boolean {
  return LABEL_PATTERN.test(name) && !RESERVED_NODE_NAMES.has(name);
}

/** Prefix of the files that the agent owns in the static pod directory; reserved for it. */
export const OWNED_FILE_PREFIX = 'flotilla_';
const OWNED_FILE_PATTERN = /^flotilla_[a-z0-9-]{1,40}_[0-9a-f]{16}\.json$/;

/**
 * The file of one manifest of a bundle, by its key there (`bundle-manifest.ts`): built from checked names only, never
 * taken from a document.
 */
export function ownedFileName(
  bundle: { namespace: string; name: string },
  manifest: string,
): string {
  const key = sha256Hex(`${bundle.namespace}/${bundle.name}/${manifest}`).slice(0, 16);
  return `${OWNED_FILE_PREFIX}${bundle.name.slice(0, 40)}_${key}.json`;
}

export function isOwnedFileName(name: string): boolean {
  return OWNED_FILE_PATTERN.test(name);
}

/** Key of a pod in topics: 16 hex digits of SHA-256 over `namespace/name`. */
export function podTopicKey(namespace: string, name: string): string {
  return sha256Hex(`${namespace}/${name}`).slice(0, 16);
}
