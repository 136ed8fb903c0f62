/**
 * Label and field selectors in the full Kubernetes grammar (apimachinery `labels.Parse`): `a=b`, `a==b`, `a!=b`,
 * `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, joined by commas. Pure.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Requirement {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent';
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

const TOKEN = /\s*(\(|\)|,|!=|==|=|!|[^\s(),=!]+)/gy;

function tokens(text: string): string[] {
  const found: string[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    found.push(match[1] ?? '');
    end = match.index + match[0].length;
  }
  if (text.slice(end).trim() !== '')
    throw new SelectorError(`cannot read "${text.slice(end)}" in "${text}"`);
  return found;
}

/** Throws `SelectorError`. The empty text has no requirement and selects everything. */
export function parseSelector(text: string): readonly Requirement[] {
  const input = tokens(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const next = () => input[at++];
  const fail = (why: string) => new SelectorError(`selector "${text}": ${why}`);
  const word = (what: string, valid: (s: string) => boolean) => {
    const token = next();
    if (token === undefined || !valid(token)) throw fail(`"${token ?? ''}" is not a ${what}`);
    return token;
  };
  const list = () => {
    if (next() !== '(') throw fail('expected "(" and a list of values');
    const values: string[] = [];
    while (input[at] !== ')') {
      if (input[at] === ',') values.push('');
      else values.push(word('label value', isLabelValue));
      if (input[at] === ',') at++;
      else if (input[at] !== ')') throw fail('expected "," or ")"');
    }
    at++;
    return values;
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
        } else throw fail(`"${operator}" is not an operator (=, ==, !=, in, notin)`);
      }
    }
    if (at < input.length && next() !== ',') throw fail('expected "," between requirements');
    if (at === input.length && input[at - 1] === ',') throw fail('ends with a comma');
  }
  return requirements;
}

/** `notin` and `!=` also select what lacks the key, as in Kubernetes. */
export function matches(requirements: readonly Requirement[], labels: Labels): boolean {
  return requirements.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (operator === 'exists') return value !== undefined;
    if (operator === 'absent') return value === undefined;
    const listed = value !== undefined && values.includes(value);
    return operator === 'in' ? listed : !listed;
  });
}

/**
 * Field selectors: only `=`, `==` and `!=`, on the fields that `value` knows (undefined = not selectable, refused).
 */
export function parseFieldSelector(
  text: string,
): readonly { field: string; equal: boolean; value: string }[] {
  if (text.trim() === '') return [];
  return text.split(',').map(term => {
    const match = /^\s*([A-Za-z0-9.[\]'-]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(term);
    if (!match)
      throw new SelectorError(`field selector "${term}": expected FIELD=VALUE or FIELD!=VALUE`);
    return { field: match[1] ?? '', equal: match[2] !== '!=', value: match[3] ?? '' };
  });
}
