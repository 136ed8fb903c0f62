/**
 * Patterns of images: `registry.example/*`, `docker.io/library/busybox`, `registry.example/team/web:1.*`.
 *
 * Both sides are completed as an engine completes them: `busybox` is `docker.io/library/busybox`. `*` stands for any
 * characters but `/`; as the last step it stands for all that follows. Without a tag or digest in the pattern any will
 * do. Pure.
 */
import { completeImageName } from '../../protocol/pod-image.js';
import { wildcardMatches } from '../../protocol/wildcard.js';

export interface ImagePattern {
  /** As it was written. */
  readonly text: string;
  /** Completed. */
  readonly name: string;
  /** Null: any tag, or none. */
  readonly tag: string | null;
  readonly digest: string | null;
}

interface Parts {
  readonly name: string;
  readonly tag: string | null;
  readonly digest: string | null;
}

/** Not the reader of references: a pattern need not be one. */
function partsOf(text: string): Parts {
  const [rest = '', digest = null] = text.split('@', 2);
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  if (colon === -1) return { name: rest, tag: null, digest };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

/** Step by step: a star does not reach over a `/`. */
function stepsMatch(pattern: string, text: string): boolean {
  const [wanted, given] = [pattern.split('/'), text.split('/')];
  return (
    wanted.length === given.length &&
    wanted.every((step, index) => wildcardMatches(step, given[index] ?? ''))
  );
}

function nameMatches(pattern: string, name: string): boolean {
  if (pattern === '*') return true;
  if (!pattern.endsWith('/*')) return stepsMatch(pattern, name);
  const above = pattern.slice(0, -'/*'.length);
  const steps = name.split('/');
  const depth = above.split('/').length;
  return stepsMatch(above, steps.slice(0, depth).join('/')) && steps.slice(depth).join('/') !== '';
}

/** As long as a reference may be. */
const MAX_LENGTH = 1024;

/** Null when the text cannot be the pattern of an image. */
export function parseImagePattern(text: string): ImagePattern | null {
  if (text.length > MAX_LENGTH) return null;
  if (!/^[A-Za-z0-9*[][A-Za-z0-9*._:/@[\]-]*$/.test(text) || /\/\/|\/$|[:@]$/.test(text))
    return null;
  const { name, tag, digest } = partsOf(text);
  return { text, name: completeImageName(name), tag, digest };
}

export function describePattern({ text }: ImagePattern): string {
  return text;
}

/** An image without tag and digest has the tag `latest`. */
export function imageMatches(image: string, pattern: ImagePattern): boolean {
  const { name, tag, digest } = partsOf(image);
  if (!nameMatches(pattern.name, completeImageName(name))) return false;
  const effectiveTag = tag ?? (digest === null ? 'latest' : '');
  if (pattern.tag !== null && !stepsMatch(pattern.tag, effectiveTag)) return false;
  return pattern.digest === null || stepsMatch(pattern.digest, digest ?? '');
}
