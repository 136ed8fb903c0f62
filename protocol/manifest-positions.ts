/**
 * Where things stand in a manifest's text: from a field path such as `spec.containers[0].image` to
 * a line and a column.
 *
 * Offsets are kept beside the values and not in them, so that a value is plain JSON. Paths are
 * written as Kubernetes writes them. Pure.
 */

/** For every object and array read: the offset in the text of each key or item. */
export type Positions = Map<object, Map<string | number, number>>;

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `spec` + `containers` → `spec.containers`; other keys are put in brackets, as are indexes. */
export function childPath(parent: string, key: string | number): string {
  if (typeof key === 'number' || !IDENTIFIER.test(key)) return `${parent}[${key}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

/** The key of `container` with which `path` begins, and the rest of the path. */
function firstStep(container: object, path: string): { key: string | number; rest: string } | null {
  const keys: (string | number)[] = Array.isArray(container)
    ? [...container.keys()]
    : Object.keys(container);
  let best: { key: string | number; rest: string } | null = null;
  for (const key of keys) {
    for (const form of [`[${key}]`, `.${key}`]) {
      const rest = path.slice(form.length);
      const fits = path.startsWith(form) && (rest === '' || rest[0] === '.' || rest[0] === '[');
      if (fits && (best === null || rest.length < best.rest.length)) best = { key, rest };
    }
  }
  return best;
}

/**
 * The offset of the field at `path` below `root`, or of its nearest ancestor that stands in the
 * text (a missing field has no place of its own). `start` is the offset of `root` itself.
 */
export function offsetOf(positions: Positions, root: object, path: string, start: number): number {
  let offset = start;
  let current: unknown = root;
  let rest = path === '' || path.startsWith('[') ? path : `.${path}`;
  while (rest !== '' && typeof current === 'object' && current !== null) {
    const step = firstStep(current, rest);
    if (step === null) break;
    offset = positions.get(current)?.get(step.key) ?? offset;
    current = (current as Record<string | number, unknown>)[step.key];
    rest = step.rest;
  }
  return offset;
}

/** Line and column of an offset; `\n`, `\r\n` and a single `\r` end a line. */
export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const breaks = /\r\n|\n|\r/g;
  let line = 1;
  let lineStart = 0;
  while (breaks.exec(before) !== null) {
    line += 1;
    lineStart = breaks.lastIndex;
  }
  return { line, column: offset - lineStart + 1 };
}
