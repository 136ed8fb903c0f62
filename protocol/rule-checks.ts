/**
 * What several files of rules check in the same way: grammars, and items that may stand in a list once. Pure.
 */
import { duplicate, type FieldError } from './field-error.js';
import type { Grammar } from './pod-grammar.js';

export function matches(grammar: Grammar, text: string): boolean {
  const fits = grammar.maxLength === undefined || text.length <= grammar.maxLength;
  return fits && new RegExp(grammar.pattern, 'u').test(text);
}

/** An error for each item whose key an earlier item has; items without a key are left out. */
export function duplicates<T>(
  items: readonly T[],
  keyOf: (item: T) => string | undefined,
  pathOf: (index: number) => string,
): FieldError[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const key = keyOf(item);
    if (key === undefined) return [];
    if (seen.has(key)) return [duplicate(pathOf(index), key)];
    seen.add(key);
    return [];
  });
}
