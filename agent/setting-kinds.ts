/**
 * How the value of a setting is read, by kind: from YAML as its own type, from a flag or the environment as text.
 * Pure. Every mistake is a sentence that says what is expected; the caller says where it stood.
 */
import { budgetFault, budgetForm, readBudget, type BudgetName } from '../protocol/budget.js';
import { parseDurationMs } from '../protocol/duration.js';

/** Null = the value does not fit. */
export interface SettingKind<T> {
  readonly expects: string;
  readonly read: (value: unknown) => T | null;
  /** Of a value that does not fit: the end of a sentence that begins with it, where more is known than what is expected. */
  readonly fault?: (value: unknown) => string | null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A text without end is no setting: an empty one counts as not given before it gets here. */
export const TEXT: SettingKind<string> = {
  expects: 'a string',
  read: value => (typeof value === 'string' && value !== '' ? value : null),
};

export const BOOLEAN: SettingKind<boolean> = {
  expects: 'true or false',
  read: value => {
    if (typeof value === 'boolean') return value;
    return value === 'true' ? true : value === 'false' ? false : null;
  },
};

export function oneOf<T extends string>(...names: readonly T[]): SettingKind<T> {
  return {
    expects: `one of ${names.join(', ')}`,
    read: value => names.find(name => name === value) ?? null,
  };
}

/** None of them is `[]`, or `none` where lists are divided by commas. */
export function someOf<T extends string>(...names: readonly T[]): SettingKind<readonly T[]> {
  return {
    expects: `a list of ${names.join(', ')}, or none`,
    read: value => {
      const list: unknown =
        typeof value === 'string' ? (value === 'none' ? [] : value.split(',')) : value;
      if (!Array.isArray(list)) return null;
      const known = names.filter(name => list.includes(name));
      return list.every(item => names.some(name => name === item)) ? known : null;
    },
  };
}

export interface DurationBound {
  readonly ms: number;
  readonly text: string;
}

/** Bounds and result in milliseconds. */
export function duration(atLeast: DurationBound, atMost?: DurationBound): SettingKind<number> {
  const most = atMost?.ms ?? Number.POSITIVE_INFINITY;
  const range = atMost ? `from ${atLeast.text} to ${atMost.text}` : `of ${atLeast.text} or more`;
  return {
    expects: `a duration ${range}, such as ${atMost ? atMost.text : '20s'}`,
    read: value => {
      const ms = typeof value === 'string' ? parseDurationMs(value) : null;
      return ms !== null && ms >= atLeast.ms && ms <= most ? ms : null;
    },
  };
}

/** In bytes. A bare number is one, too. */
export function budget(name: BudgetName): SettingKind<number> {
  const isText = (value: unknown): value is string | number =>
    typeof value === 'string' || typeof value === 'number';
  const fault = (value: unknown) => (isText(value) ? budgetFault(name, String(value)) : null);
  return {
    expects: budgetForm(name),
    read: value =>
      isText(value) && fault(value) === null ? readBudget(name, String(value)) : null,
    fault,
  };
}

export function integer(from: number, to: number): SettingKind<number> {
  return {
    expects: `a whole number from ${from} to ${to}`,
    read: value => {
      const number =
        typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
      return Number.isInteger(number) && (number as number) >= from && (number as number) <= to
        ? (number as number)
        : null;
    },
  };
}

/** From a flag or the environment: divided by commas. */
export const TEXTS: SettingKind<readonly string[]> = {
  expects: 'a list of strings',
  read: value => {
    const list: unknown = typeof value === 'string' ? value.split(',').filter(Boolean) : value;
    if (!Array.isArray(list)) return null;
    return list.every(item => typeof item === 'string') ? list : null;
  },
};

/** From a flag or the environment: `k=v,k=v`. */
export const LABELS: SettingKind<Readonly<Record<string, string>>> = {
  expects: 'a mapping of names to strings, or k=v,k=v',
  read: value => {
    const map: unknown =
      typeof value === 'string'
        ? Object.fromEntries(value.split(',').filter(Boolean).map(pairOf))
        : value;
    if (!isObject(map)) return null;
    return Object.values(map).every(item => typeof item === 'string')
      ? (map as Record<string, string>)
      : null;
  },
};

function pairOf(text: string): [string, string | null] {
  const at = text.indexOf('=');
  return at < 1 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

/** Header name to its values, as the kubelet's `staticPodURLHeader`. */
export const HEADERS: SettingKind<Readonly<Record<string, readonly string[]>>> = {
  expects: 'a mapping of header names to lists of strings',
  read: value => {
    if (!isObject(value)) return null;
    const lists = Object.values(value);
    const fits = lists.every(
      list => Array.isArray(list) && list.every(item => typeof item === 'string'),
    );
    return fits ? (value as Record<string, string[]>) : null;
  },
};

/** `127.0.0.1:10255`, `localhost:10255`, `[::1]:10255`: never an address that others can reach. */
export const LOOPBACK_ADDRESS: SettingKind<{ readonly host: string; readonly port: number }> = {
  expects: 'a loopback address with a port, such as 127.0.0.1:10255',
  read: value => {
    const [, host = '', port = ''] =
      /^(\[::1\]|localhost|127(?:\.\d{1,3}){3}):(\d{1,5})$/.exec(String(value)) ?? [];
    const number = Number(port);
    if (host === '' || number < 1 || number > 65_535) return null;
    return { host: host.replace(/^\[|\]$/g, ''), port: number };
  },
};

export const HTTP_URL: SettingKind<string> = {
  expects: 'an http:// or https:// URL',
  read: value =>
    typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value) ? value : null,
};

/** Read by somebody else: any mapping. */
export const DOCUMENT: SettingKind<Readonly<Record<string, unknown>>> = {
  expects: 'a mapping',
  read: value => (isObject(value) ? value : null),
};

/** As above, a list of them. */
export const DOCUMENTS: SettingKind<readonly Readonly<Record<string, unknown>>[]> = {
  expects: 'a list of mappings',
  read: value => (Array.isArray(value) && value.every(isObject) ? value : null),
};
