/**
 * Reads image references: `[domain/]path[:tag][@digest]`.
 *
 * A reference is taken as it is written; `completeImageName` says where a name leads. Standard: grammar and normal form of
 * distribution/reference. Pure.
 */

export interface ImageReference {
  /** Domain and path as written, e.g. `registry.example.com:5000/team/web` or `busybox`. */
  readonly name: string;
  readonly tag: string | null;
  /** E.g. `sha256:…`. */
  readonly digest: string | null;
}

const DOMAIN =
  '(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|' +
  '\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?';
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const REFERENCE = new RegExp(
  `^((?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*)(?::(${TAG}))?(?:@(${DIGEST}))?$`,
);

/** The longest name that registries accept. */
const MAX_NAME_LENGTH = 255;

/** Null when the text is not an image reference. */
export function parseImageReference(image: string): ImageReference | null {
  if (image.length > 1024) return null;
  const match = REFERENCE.exec(image);
  const name = match?.[1];
  if (match === null || name === undefined || name.length > MAX_NAME_LENGTH) return null;
  return { name, tag: match[2] ?? null, digest: match[3] ?? null };
}

const DOCKER_HUB = 'docker.io';
const OLD_DOCKER_HUB = 'index.docker.io';

/**
 * The name with the registry that an engine adds: `docker.io/library/busybox` for `busybox`. Without tag and digest. A pattern
 * may have `*` in the place of a part.
 */
export function completeImageName(name: string): string {
  const [first = '', ...others] = name.split('/');
  if (others.length === 0) return first === '*' ? '*' : `${DOCKER_HUB}/library/${first}`;
  // Capitals are no part of a path.
  const isRegistry = /[.:*A-Z]/.test(first) || first === 'localhost';
  if (!isRegistry) return `${DOCKER_HUB}/${name}`;
  const registry = first === OLD_DOCKER_HUB ? DOCKER_HUB : first;
  const isOfDocker = registry === DOCKER_HUB && others.length === 1 && others[0] !== '*';
  return [registry, ...(isOfDocker ? ['library'] : []), ...others].join('/');
}
