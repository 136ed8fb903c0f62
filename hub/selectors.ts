/**
 * Label and field selectors in the full Kubernetes grammar (apimachinery `labels.Parse`): `a=b`,
 * `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, `a>1`, `a<1`, joined by commas; and
 * field selectors (apimachinery `fields.ParseSelector`). Pure.
 */
import { excerpt } from '../protocol/excerpt.js';

export type Labels = Readonly<Record<string, string>>;

export interface Requirement {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | 'greater' | 'less';
  /** For `greater` and `less` one whole number. */
  readonly values: readonly string[];
}

/** What is wrong with a selector, for a person. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

const NAME = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)$/;
const PREFIX = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** `prefix/name` or `name`, as Kubernetes qualifies label keys. */
export function isLabelKey(key: string): boolean {
  const parts = key.split('/');
  if (parts.length > 2) return false;
  const name = parts[parts.length - 1] ?? '';
  const prefix = parts.length === 2 ? (parts[0] ?? '') : null;
  return NAME.test(name) && (prefix === null || (prefix.length <= 253 && PREFIX.test(prefix)));
}

/** Empty, or at most 63 characters that begin and end with a letter or digit. */
export function isLabelValue(value: string): boolean {
  return value === '' || NAME.test(value);
}

const INT64_MAX = 2n ** 63n - 1n;

/** What `>` and `<` compare: a number of at most 64 bits, else null. */
function wholeNumber(value: string): bigint | null {
  if (!/^\d{1,63}$/.test(value)) return null;
  const number = BigInt(value);
  return number <= INT64_MAX ? number : null;
}

/** Every character but blanks belongs to a token. */
const TOKEN = /\s*(!=|==|[(),=!<>]|[^\s(),=!<>]+)/gy;

/** Throws `SelectorError`. The empty text has no requirement and selects everything. */
export function parseSelector(text: string): readonly Requirement[] {
  const input = [...text.matchAll(TOKEN)].map(match => match[1] ?? '');
  const requirements: Requirement[] = [];
  let at = 0;
  const next = () => input[at++];
  const fail = (why: string) => new SelectorError(`selector "${excerpt(text)}": ${why}`);
  const word = (what: string, valid: (s: string) => boolean) => {
    const token = next();
    if (token === undefined || !valid(token))
      throw fail(`"${excerpt(token ?? '')}" is not a ${what}`);
    return token;
  };
  const list = () => {
    if (next() !== '(') throw fail('expected "(" and a list of values');
    const values = new Set<string>();
    for (;;) {
      const empty = input[at] === ',' || input[at] === ')';
      values.add(empty ? '' : word('label value', isLabelValue));
      const separator = next();
      if (separator === ')') return [...values];
      if (separator !== ',') throw fail('expected "," or ")"');
    }
  };
  while (at < input.length) {
    if (input[at] === '!') {
      at++;
      requirements.push({ key: word('label key', isLabelKey), operator: 'absent', values: [] });
    } else {
      const key = word('label key', isLabelKey);
      const operator = input[at];
      if (operator === undefined || operator === ',') {
        requirements.push({ key, operator: 'exists', values: [] });
      } else {
        at++;
        if (operator === 'in' || operator === 'notin') {
          requirements.push({ key, operator, values: list() });
        } else if (operator === '=' || operator === '==' || operator === '!=') {
          const empty = input[at] === undefined || input[at] === ',';
          const value = empty ? '' : word('label value', isLabelValue);
          requirements.push({ key, operator: operator === '!=' ? 'notin' : 'in', values: [value] });
        } else if (operator === '>' || operator === '<') {
          const value = word('whole number', token => wholeNumber(token) !== null);
          requirements.push({
            key,
            operator: operator === '>' ? 'greater' : 'less',
            values: [value],
          });
        } else throw fail(`"${excerpt(operator)}" is not an operator (=, ==, !=, in, notin, >, <)`);
      }
    }
    if (at < input.length && next() !== ',') throw fail('expected "," between requirements');
    if (at === input.length && input[at - 1] === ',') throw fail('ends with a comma');
  }
  return requirements;
}

/** `notin` and `!=` also select what lacks the key, as in Kubernetes; `>` and `<` do not. */
export function matches(requirements: readonly Requirement[], labels: Labels): boolean {
  return requirements.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    switch (operator) {
      case 'exists':
        return value !== undefined;
      case 'absent':
        return value === undefined;
      case 'in':
        return value !== undefined && values.includes(value);
      case 'notin':
        return value === undefined || !values.includes(value);
      case 'greater':
      case 'less': {
        const [own, bound] = [wholeNumber(value ?? ''), wholeNumber(values[0] ?? '')];
        if (own === null || bound === null) return false;
        return operator === 'greater' ? own > bound : own < bound;
      }
    }
  });
}

/** The terms between commas; `\\`, `\,` and `\=` stand for the character itself. */
const TERM = /(?:\\[^]|[^\\,])+\\?|\\/g;
const FIELD_TERM = /^\s*([A-Za-z0-9.[\]'-]+)\s*(==|=|!=)([^]*)$/;

/**
 * Field selectors: only `=`, `==` and `!=`. Which fields can be selected is the caller's to check.
 * Throws `SelectorError`; empty terms are skipped, as in Kubernetes.
 */
export function parseFieldSelector(
  text: string,
): readonly { field: string; equal: boolean; value: string }[] {
  const terms = (text.match(TERM) ?? []).filter(term => term.trim() !== '');
  return terms.map(term => {
    const match = FIELD_TERM.exec(term);
    if (!match)
      throw new SelectorError(
        `field selector "${excerpt(term)}": expected FIELD=VALUE or FIELD!=VALUE`,
      );
    const [, field = '', operator, value = ''] = match;
    return { field, equal: operator !== '!=', value: unescape(value.trim()) };
  });
}

function unescape(value: string): string {
  return value.replace(/\\([^]?)|=/g, (found, escaped: string | undefined) => {
    if (escaped && '\\,='.includes(escaped)) return escaped;
    throw new SelectorError(
      found === '='
        ? `field selector: the value "${excerpt(value)}" holds "="; write it as "\\="`
        : `field selector: the value "${excerpt(value)}" holds "${found}", which is no escape; ` +
            'write a backslash as "\\\\"',
    );
  });
}
