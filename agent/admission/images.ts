/**
 * Patterns of images: `registry.example/*`, `docker.io/library/busybox`, `registry.example/team/web:1.*`.
 *
 * Both sides are completed as an engine completes them: `busybox` is `docker.io/library/busybox`. `*` stands for any
 * characters but `/`; as the last step it stands for all that follows. Without a tag or digest in the pattern any will
 * do. Pure.
 */
import { completeImageName } from '../../protocol/pod-image.js';

export interface ImagePattern {
  /** As it was written. */
  readonly text: string;
  readonly name: RegExp;
  /** Null: any tag, or none. */
  readonly tag: RegExp | null;
  readonly digest: RegExp | null;
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

function expression(text: string): RegExp {
  const escaped = text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');
  return new RegExp(`^${escaped}$`);
}

function nameExpression(name: string): RegExp {
  if (name === '*') return /^/;
  if (!name.endsWith('/*')) return expression(name);
  return new RegExp(`${expression(name.slice(0, -1)).source.slice(0, -1)}.+$`);
}

/** As long as a reference may be: the engine of expressions has its limit too. */
const MAX_LENGTH = 1024;

/** Null when the text cannot be the pattern of an image. */
export function parseImagePattern(text: string): ImagePattern | null {
  if (text.length > MAX_LENGTH) return null;
  if (!/^[A-Za-z0-9*[][A-Za-z0-9*._:/@[\]-]*$/.test(text) || /\/\/|\/$|[:@]$/.test(text))
    return null;
  const { name, tag, digest } = partsOf(text);
  return {
    text,
    name: nameExpression(completeImageName(name)),
    tag: tag === null ? null : expression(tag),
    digest: digest === null ? null : expression(digest),
  };
}

export function describePattern({ text }: ImagePattern): string {
  return text;
}

/** An image without tag and digest has the tag `latest`. */
export function imageMatches(image: string, pattern: ImagePattern): boolean {
  const { name, tag, digest } = partsOf(image);
  if (!pattern.name.test(completeImageName(name))) return false;
  const effectiveTag = tag ?? (digest === null ? 'latest' : '');
  if (pattern.tag !== null && !pattern.tag.test(effectiveTag)) return false;
  return pattern.digest === null || pattern.digest.test(digest ?? '');
}
