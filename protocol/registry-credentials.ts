/**
 * Credentials of registries: documents in the form of a docker `config.json`, looked up as the kubelet's keyring does
 * (`pkg/credentialprovider/keyring.go`). No password is ever part of a message. Pure.
 */
import { completeImageName, parseImageReference } from './pod-image.js';
import { wildcardMatches } from './wildcard.js';

/** Credentials for one registry; never logged, never part of a message. */
export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly serverAddress: string;
}

/** Registry, with or without a path, and who asks there; the more exact key first. */
export type Keyring = readonly {
  /** `host[:port][/path]`, without scheme. */
  readonly key: string;
  readonly auth: RegistryAuth;
}[];

/** A document that is not what it should be: says where, never what stands there. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}

const DEFAULT_REGISTRY = 'docker.io';
const DEFAULT_REGISTRY_KEY = 'index.docker.io';

type Json = Readonly<Record<string, unknown>>;

function objectAt(value: unknown, where: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CredentialsError(`${where}: an object is expected`);
  }
  return value as Json;
}

function parsed(text: string, where: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // JSON.parse quotes what it found.
    throw new CredentialsError(`${where}: not JSON`);
  }
  return objectAt(value, where);
}

/** `host[:port][/path]` of what a config.json names; `/v1/` and `/v2/` are the host itself. */
function keyOf(location: string): string {
  const bare = location.replace(/^https?:\/\//, '');
  const slash = bare.indexOf('/');
  if (slash < 0) return bare;
  const path = bare.slice(slash).replace(/^\/v[12]\//, '/');
  return path === '/' ? bare.slice(0, slash) : bare.slice(0, slash) + path;
}

function textOf(entry: Json, name: string): string {
  const value = entry[name];
  return typeof value === 'string' ? value : '';
}

/** Null for a registry whose password lies in a credential store. */
function authOf(location: string, value: unknown, where: string): RegistryAuth | null {
  const at = `${where}: ${JSON.stringify(location)}`;
  const entry = objectAt(value, at);
  const serverAddress = location;
  const encoded = textOf(entry, 'auth');
  if (encoded === '') {
    const username = textOf(entry, 'username');
    const password = textOf(entry, 'password');
    return username === '' && password === '' ? null : { username, password, serverAddress };
  }
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0) throw new CredentialsError(`${at}: "auth" is not base64 of user:password`);
  const username = decoded.slice(0, colon);
  return { username, password: decoded.slice(colon + 1), serverAddress };
}

function keyringOf(auths: unknown, where: string): Keyring {
  const given = Object.entries(objectAt(auths, where));
  const entries = given.flatMap(([location, value]) => {
    const auth = authOf(location, value, where);
    return auth === null ? [] : [{ key: keyOf(location), auth }];
  });
  const [first] = given;
  if (first !== undefined && entries.length === 0) {
    throw new CredentialsError(
      `${where}: ${JSON.stringify(first[0])}: neither "auth" nor "username" and "password"; ` +
        'credential helpers are not asked',
    );
  }
  return entries.sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
}

/** `{"auths": {…}}`, as `docker login` writes it. Throws `CredentialsError`. */
export function readDockerConfigJson(text: string, where: string): Keyring {
  const { auths = {} } = parsed(text, where);
  return keyringOf(auths, `${where}: auths`);
}

/** The older form without `auths` around it. Throws `CredentialsError`. */
export function readDockercfg(text: string, where: string): Keyring {
  return keyringOf(parsed(text, where), where);
}

/** Without tag and digest, as the kubelet asks its keyring. */
function repositoryOf(image: string): string {
  return completeImageName(parseImageReference(image)?.name ?? image);
}

function splitKey(key: string): { labels: string[]; port: string; path: string } {
  const slash = key.indexOf('/');
  const host = slash < 0 ? key : key.slice(0, slash);
  const [name = '', port = ''] = host.split(':');
  return { labels: name.split('.'), port, path: slash < 0 ? '' : key.slice(slash) };
}

/** `*.example.com` matches one label in place of the star; the port must be the same, the path a beginning. */
function keyMatches(key: string, repository: string): boolean {
  const wanted = splitKey(key);
  const given = splitKey(repository);
  if (wanted.port !== given.port || wanted.labels.length !== given.labels.length) return false;
  if (!given.path.startsWith(wanted.path)) return false;
  return wanted.labels.every((label, at) => wildcardMatches(label, given.labels[at] ?? ''));
}

/** In the order in which they are tried; the same twice only once. */
export function authsFor(image: string, keyrings: readonly Keyring[]): readonly RegistryAuth[] {
  const repository = repositoryOf(image);
  const isDefault = repository.startsWith(`${DEFAULT_REGISTRY}/`);
  const found = keyrings.flatMap(keyring => {
    const exact = keyring.filter(({ key }) => keyMatches(key, repository));
    if (exact.length > 0 || !isDefault) return exact;
    return keyring.filter(({ key }) => key === DEFAULT_REGISTRY_KEY);
  });
  const seen = new Set<string>();
  return found
    .map(({ auth }) => auth)
    .filter(({ username, password }) => {
      const one = JSON.stringify([username, password]);
      if (seen.has(one)) return false;
      seen.add(one);
      return true;
    });
}
