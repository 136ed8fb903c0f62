/**
 * JSON that need not be good: members in any order, twice, under any key, numbers and texts in any spelling. A JavaScript object can
 * hold none of that. Pure.
 */
import type { Random } from './random.js';

export type Tree =
  | { readonly is: 'scalar'; readonly text: string }
  | { readonly is: 'string'; readonly value: string }
  | { readonly is: 'list'; readonly items: readonly Tree[] }
  | { readonly is: 'object'; readonly members: readonly Member[] };
export type Member = readonly [string, Tree];

function treeOf(value: unknown): Tree {
  if (typeof value === 'string') return { is: 'string', value };
  if (Array.isArray(value)) return { is: 'list', items: value.map(treeOf) };
  if (typeof value !== 'object' || value === null) return { is: 'scalar', text: String(value) };
  const members = Object.entries(value).map(([key, inner]): Member => [key, treeOf(inner)]);
  return { is: 'object', members };
}

/** Null for what is no JSON. */
export function readTree(text: string): Tree | null {
  try {
    return treeOf(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Places in a tree: the way to each, from the root. */
export type Path = readonly number[];

export function childrenOf(tree: Tree): readonly Tree[] {
  if (tree.is === 'list') return tree.items;
  return tree.is === 'object' ? tree.members.map(([, value]) => value) : [];
}

export function pathsOf(tree: Tree, path: Path = [], found: Path[] = []): Path[] {
  found.push(path);
  childrenOf(tree).forEach((child, at) => pathsOf(child, [...path, at], found));
  return found;
}

export function at(tree: Tree, path: Path): Tree {
  return path.reduce<Tree>((inner, step) => childrenOf(inner)[step] ?? inner, tree);
}

/** The tree with another one in that place. */
export function withAt(tree: Tree, path: Path, by: (old: Tree) => Tree): Tree {
  const [step, ...rest] = path;
  if (step === undefined) return by(tree);
  if (tree.is === 'list') {
    return {
      ...tree,
      items: tree.items.map((one, n) => (n === step ? withAt(one, rest, by) : one)),
    };
  }
  if (tree.is !== 'object') return tree;
  const members = tree.members.map(([key, value], n): Member => [
    key,
    n === step ? withAt(value, rest, by) : value,
  ]);
  return { ...tree, members };
}

/** As `canonicalJson` orders keys: array indexes first, ascending, then by code units. */
function byKey([a]: Member, [b]: Member): number {
  const index = /^(0|[1-9]\d{0,9})$/;
  const [left, right] = [index.test(a), index.test(b)];
  if (left && right) return Number(a) - Number(b);
  if (left !== right) return left ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What `canonicalJson` would write, but for keys that stand there twice. */
export function canonicalText(tree: Tree): string {
  if (tree.is === 'scalar') return tree.text;
  if (tree.is === 'string') return JSON.stringify(tree.value);
  if (tree.is === 'list') return `[${tree.items.map(canonicalText).join(',')}]`;
  const members = [...tree.members].sort(byKey);
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${canonicalText(value)}`).join(',')}}`;
}

function spelled(text: string, random: Random): string {
  if (random.below(8) > 0) return JSON.stringify(text);
  const units = Array.from({ length: text.length }, (_, n) => text.charCodeAt(n));
  const escaped = units.map(unit =>
    random.below(3) === 0
      ? `\\u${unit.toString(16).padStart(4, '0')}`
      : JSON.stringify(String.fromCharCode(unit)).slice(1, -1),
  );
  return `"${escaped.join('')}"`;
}

/** The same value with blanks, escapes and orders that nobody asked for. */
export function looseText(tree: Tree, random: Random): string {
  const gap = () => (random.below(24) === 0 ? random.pick([' ', '\n', '\t', '\r\n', '  ']) : '');
  if (tree.is === 'scalar') return tree.text;
  if (tree.is === 'string') return spelled(tree.value, random);
  if (tree.is === 'list') {
    return `[${tree.items.map(item => gap() + looseText(item, random) + gap()).join(',')}]`;
  }
  const members = tree.members.map(
    ([key, value]) => `${gap()}${spelled(key, random)}${gap()}:${gap()}${looseText(value, random)}`,
  );
  return `{${members.join(',')}${gap()}}`;
}
