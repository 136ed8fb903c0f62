/**
 * Reads YAML as kubectl and the kubelet read it, and remembers where each field stands.
 *
 * That is YAML 1.1 as Go's yaml.v2 resolves it: `yes`, `on` and `y` are booleans, `0644` is octal,
 * times and base 60 numbers are text, keys are text. Stricter than kubectl: equal keys, keys that it
 * would rewrite, tags beyond the basic ones, and numbers that a double cannot carry are errors. Nothing is built before its
 * depth is known, and aliases are followed within MAX_VALUES. Pure.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Scalar,
  type Alias,
  type Document,
  type ParsedNode,
  type ScalarTag,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { cutTo } from './excerpt.js';
import {
  checkKey,
  checkedNumber,
  checkString,
  ManifestError,
  MAX_DEPTH,
  MAX_VALUES,
  tooDeep,
  tooManyValues,
} from './manifest-error.js';
import type { ReadValue } from './manifest-json.js';
import type { Positions } from './manifest-positions.js';
import { composeYaml } from './yaml-first-error.js';

const TRUE = /^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const NULL = /^(?:~|null|Null|NULL)$/;
const BOOLEAN =
  /^(?:[yY]|yes|Yes|YES|true|True|TRUE|on|On|ON|[nN]|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const INTEGER =
  /^[-+]?(?:0[bB]_*[01][01_]*|0[oO]_*[0-7][0-7_]*|0[xX]_*[\da-fA-F][\da-fA-F_]*|\d[\d_]*)$/;
const FLOAT = /^[-+]?(?:\.\d[\d_]*|\d[\d_]*(?:\.[\d_]*)?)(?:[eE][-+]?\d+)?$/;
const NOT_A_NUMBER = /^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/;

/** Enough for MAX_VALUES with their layout; comments and line breaks count too. */
const MAX_TOKENS = MAX_VALUES * 6;

/**
 * Go's `strconv.ParseInt(text, 0, 64)`: the prefix gives the base, and a leading zero means octal.
 */
function integerOf(text: string): number {
  const plain = text.replaceAll('_', '');
  const digits = plain.replace(/^[-+]/, '');
  const sign = plain.startsWith('-') ? -1 : 1;
  if (/^0[0-7]+$/.test(digits)) return sign * Number.parseInt(digits, 8);
  return sign * Number(digits);
}

function scalarTag(name: string, test: RegExp, resolve: (text: string) => unknown): ScalarTag {
  // `identify` serves writing only, which nothing here does.
  return { tag: `tag:yaml.org,2002:${name}`, default: true, test, resolve, identify: () => false };
}

const TAGS = [
  'map' as const,
  'seq' as const,
  // Without a test it serves explicit `!!str` tags alone.
  { tag: 'tag:yaml.org,2002:str', resolve: (text: string) => text } satisfies ScalarTag,
  'null' as const,
  scalarTag('bool', BOOLEAN, text => TRUE.test(text)),
  scalarTag('int', INTEGER, integerOf),
  scalarTag('float', FLOAT, text => Number(text.replaceAll('_', ''))),
  scalarTag('float', NOT_A_NUMBER, () => Number.NaN),
];

/** Throws for the first thing that is wrong, and before building what is too deep. */
function compose(text: string): Generator<Document.Parsed> {
  return composeYaml(text, {
    composer: {
      customTags: TAGS,
      schema: 'kubernetes',
      version: '1.1',
      // Also after a `%YAML 1.2` directive, which would bring in `!!binary` and the like.
      resolveKnownTags: false,
      merge: false,
      // Ours is linear in the number of keys; the composer's compares each key with each other one.
      uniqueKeys: false,
      stringKeys: true,
      prettyErrors: false,
      logLevel: 'silent',
    },
    fault: problemOf,
    check: ({ offset, depth, tokens }) => {
      if (depth > MAX_DEPTH) throw tooDeep(offset);
      if (tokens <= MAX_TOKENS) return;
      const message = `more than ${MAX_TOKENS} words, marks and line breaks`;
      throw new ManifestError('TooManyValues', offset, message);
    },
  });
}

/** Which node each alias of a document stands for: the last one before it with that anchor. */
function aliasTargets(root: ParsedNode | null): Map<Alias, ParsedNode> {
  const anchors = new Map<string, ParsedNode>();
  const targets = new Map<Alias, ParsedNode>();
  const walk = (node: unknown): void => {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target !== undefined) targets.set(node, target);
      return;
    }
    if (isMap(node) || isSeq(node) || isScalar(node)) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node as ParsedNode);
    }
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        walk(key);
        walk(value);
      }
    } else if (isSeq(node)) node.items.forEach(walk);
  };
  walk(root);
  return targets;
}

function startOf(node: unknown, otherwise: number): number {
  return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node)
    ? (node.range?.[0] ?? otherwise)
    : otherwise;
}

/**
 * Throws for a key without quotes that kubectl reads as a value and writes another way: `on` becomes `true`, `0644`
 * becomes `420`.
 */
function checkPlainKey(name: string, offset: number): void {
  const read = resolvedKey(name);
  if (read === name) return;
  const message = `YAML reads the key ${name} as ${read}; put quotes around it`;
  throw new ManifestError('Syntax', offset, message);
}

function resolvedKey(name: string): string {
  if (NULL.test(name)) return 'null';
  if (BOOLEAN.test(name)) return String(TRUE.test(name));
  if (INTEGER.test(name)) return String(integerOf(name));
  return FLOAT.test(name) ? String(Number(name.replaceAll('_', ''))) : name;
}

/** What a `<<` key brings. */
interface Merged {
  readonly at: number;
  readonly sources: readonly Record<string, unknown>[];
}

class YamlBuilder {
  readonly #positions: Positions;
  readonly #targets: Map<Alias, ParsedNode>;
  readonly #budget: { values: number };
  readonly #open = new Set<unknown>();

  constructor(root: ParsedNode | null, positions: Positions, budget: { values: number }) {
    this.#positions = positions;
    this.#targets = aliasTargets(root);
    this.#budget = budget;
  }

  build(node: unknown, depth: number, at: number): unknown {
    this.#budget.values -= 1;
    if (this.#budget.values < 0) throw tooManyValues(at);
    if (isAlias(node)) return this.build(this.#follow(node, at), depth, at);
    if (isScalar(node)) return this.#scalar(node);
    if (!isMap(node) && !isSeq(node)) return null;
    if (depth >= MAX_DEPTH) throw tooDeep(startOf(node, at));
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node, depth + 1) : this.#seq(node, depth + 1);
    this.#open.delete(node);
    return value;
  }

  #follow(alias: Alias, at: number): ParsedNode {
    const offset = startOf(alias, at);
    const target = this.#targets.get(alias);
    if (target === undefined) {
      throw new ManifestError(
        'Syntax',
        offset,
        `there is no anchor &${alias.source} before this alias`,
      );
    }
    if (this.#open.has(target)) {
      throw new ManifestError(
        'Syntax',
        offset,
        `the alias *${alias.source} stands inside its own anchor`,
      );
    }
    return target;
  }

  #scalar(node: Scalar): unknown {
    const { value } = node;
    const offset = startOf(node, 0);
    if (typeof value === 'number') {
      return checkedNumber(value, node.source ?? String(value), offset);
    }
    if (typeof value === 'string' && node.type === Scalar.QUOTE_DOUBLE) checkString(value, offset);
    return value;
  }

  #seq(node: YAMLSeq, depth: number): unknown[] {
    const known = new Map<string | number, number>();
    const start = startOf(node, 0);
    const array = node.items.map((item, index) => {
      const offset = startOf(item, start);
      known.set(index, offset);
      return this.build(item, depth, offset);
    });
    this.#positions.set(array, known);
    return array;
  }

  #map(node: YAMLMap, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const known = new Map<string | number, number>();
    let merged: Merged | null = null;
    const start = startOf(node, 0);
    for (const { key, value } of node.items) {
      const offset = startOf(key, start);
      if (isScalar(key) && key.source === '<<' && key.type === Scalar.PLAIN) {
        if (merged !== null) {
          throw new ManifestError('DuplicateKey', offset, 'the merge key << is given twice');
        }
        merged = { at: offset, sources: this.#merged(value, depth, offset) };
        continue;
      }
      const name = isScalar(key) && typeof key.value === 'string' ? key.value : '';
      if (name === '') throw new ManifestError('Syntax', offset, 'a key is empty or not text');
      if (isScalar(key) && key.type === Scalar.PLAIN) checkPlainKey(name, offset);
      checkKey(name, known, offset);
      known.set(name, offset);
      object[name] = this.build(value, depth, offset);
    }
    this.#positions.set(object, known);
    if (merged !== null) this.#merge(object, merged);
    return object;
  }

  /** The objects that a `<<` key names, the first being the strongest (YAML 1.1 merge key). */
  #merged(node: unknown, depth: number, at: number): Record<string, unknown>[] {
    const value = this.build(node, depth, at);
    const sources: unknown[] = Array.isArray(value) ? value : [value];
    return sources.map(source => {
      if (typeof source === 'object' && source !== null && !Array.isArray(source)) {
        return source as Record<string, unknown>;
      }
      throw new ManifestError(
        'Syntax',
        at,
        'the merge key << wants an object or a list of objects',
      );
    });
  }

  /** A key that stands before `<<` loses against it in Go's yaml.v2, one behind it wins: the former says nothing clear. */
  #merge(object: Record<string, unknown>, { at, sources }: Merged): void {
    const known = this.#positions.get(object);
    const own = new Map(known);
    for (const source of sources) {
      for (const [key, value] of Object.entries(source)) {
        const ownAt = own.get(key);
        if (ownAt !== undefined && ownAt < at) {
          const message = `<< overrides the key ${key}, which stands before it: put << first`;
          throw new ManifestError('DuplicateKey', ownAt, message);
        }
        if (Object.hasOwn(object, key)) continue;
        object[key] = value;
        const offset = this.#positions.get(source)?.get(key);
        if (offset !== undefined) known?.set(key, offset);
      }
    }
  }
}

/** The library's words where they help a reader, ours where they speak of its options. */
function messageOf(code: string, message: string): string {
  if (code === 'NON_STRING_KEY') return 'a key must be plain text';
  const tag = /^Unresolved tag: (.*)/.exec(message)?.[1];
  if (tag === undefined) return cutTo(message, 200);
  const shown = cutTo(tag, 100).replace('tag:yaml.org,2002:', '!!');
  return `the tag ${shown} is not read here: write the plain value`;
}

function problemOf(offset: number, message: string, code: string): ManifestError {
  const ours = code === 'TAG_RESOLVE_FAILED' ? 'UnsupportedTag' : 'Syntax';
  return new ManifestError(ours, offset, messageOf(code, message));
}

/** Reads all documents that are not empty; throws `ManifestError` for the first thing wrong. */
export function readYaml(text: string, positions: Positions): ReadValue[] {
  const budget = { values: MAX_VALUES };
  const values: ReadValue[] = [];
  for (const document of compose(text)) {
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) throw problemOf(problem.pos[0], problem.message, problem.code);
    const root = document.contents;
    const start = startOf(root, document.range[0]);
    const value = new YamlBuilder(root, positions, budget).build(root, 0, start);
    if (value !== null) values.push({ value, start });
  }
  return values;
}
