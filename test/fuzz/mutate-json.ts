/**
 * Changes of a JSON value that leave it JSON: members that go, come, move, come twice or under another key, values of another type,
 * numbers at the limits, texts with what is special somewhere, deep nesting. Pure.
 */
import {
  at,
  canonicalText,
  looseText,
  pathsOf,
  readTree,
  withAt,
  type Member,
  type Tree,
} from './json-tree.js';
import { mutatedBytes, type Material } from './mutate-bytes.js';
import type { Random } from './random.js';

const scalar = (text: string): Tree => ({ is: 'scalar', text });
const string = (value: string): Tree => ({ is: 'string', value });

const NUMBERS = [
  ...['0', '-1', '1', '-0', '1.5', '1e3', '1e400', '5e-324', '0.1', '65535', '65536', '2147483647'],
  ...['2147483648', '4294967296', '9007199254740991', '9007199254740992', '-9007199254740993'],
  '18446744073709551616',
];
const TEXTS = [
  ...[
    '',
    ' ',
    '0',
    '-',
    '.',
    '..',
    '/',
    '../..',
    '*',
    '\u0000',
    '\n',
    '\ud800',
    '\udfff',
    'é',
    '😀',
  ],
  ...[
    '\u202e',
    '\ufeff',
    '\u2028',
    'a'.repeat(64),
    'a'.repeat(254),
    '%s%n',
    '${x}',
    '$(X)',
    '<!--',
  ],
  ...['true', 'null', '1e3', '0x10', '2026-02-30T00:00:00.000Z', '2026-06-01T12:00:00.000Z'],
  ...['1Gi', '-1', '1n', '10%', '1h', 'AAAA', 'AAA=', '__proto__', 'constructor', 'a'.repeat(5000)],
];
const KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '',
  '0',
  '1',
  'a',
  'a.b/c',
  '\ud800',
];

function nested(random: Random, inner: Tree): Tree {
  let tree = inner;
  for (let left = 1 + random.below(random.below(4) === 0 ? 120 : 4); left > 0; left -= 1) {
    tree = random.below(2)
      ? { is: 'list', items: [tree] }
      : { is: 'object', members: [['a', tree]] };
  }
  return tree;
}

function word({ random, words }: Material): string {
  return words.length === 0 ? '' : random.pick(words).toString();
}

function otherText(value: string, material: Material): string {
  const { random } = material;
  if (random.below(4) === 0) return word(material);
  if (random.below(3) === 0) return random.pick(TEXTS);
  if (random.below(6) === 0) return value.repeat(1 + random.below(40));
  return mutatedBytes(Buffer.from(value), { ...material, other: Buffer.from(value) }).toString();
}

function otherScalar(text: string, { random }: Material): Tree {
  const number = Number(text);
  if (random.below(3) === 0 || Number.isNaN(number)) {
    return scalar(random.pick(['true', 'false', 'null', ...NUMBERS]));
  }
  return scalar(random.pick([String(number + 1), String(number - 1), String(-number), `${text}0`]));
}

function anything(material: Material): Tree {
  const { random } = material;
  switch (random.below(7)) {
    case 0:
      return scalar(random.pick(['true', 'false', 'null', ...NUMBERS]));
    // What every reader has to think of.
    case 6:
      return scalar('null');
    case 1:
      return string(random.pick(TEXTS));
    case 2:
      return string(word(material));
    case 3:
      return { is: 'list', items: [] };
    case 4:
      return { is: 'object', members: [] };
    default:
      return nested(random, string('a'));
  }
}

/** Some value out of this tree or of another input. */
function found(tree: Tree, material: Material): Tree {
  const { random, other } = material;
  const from = (random.below(2) === 0 ? readTree(other.toString()) : null) ?? tree;
  return at(from, random.pick(pathsOf(from)));
}

function otherKey(tree: Tree, material: Material): string {
  const { random } = material;
  if (random.below(2) === 0) return random.below(3) === 0 ? random.pick(KEYS) : word(material);
  const keys = pathsOf(tree).flatMap(path => {
    const one = at(tree, path);
    return one.is === 'object' ? one.members.map(([key]) => key) : [];
  });
  return keys.length === 0 ? 'a' : random.pick(keys);
}

function otherItems(items: readonly Tree[], tree: Tree, material: Material): readonly Tree[] {
  const { random } = material;
  const place = random.below(items.length + 1);
  const [before, after] = [items.slice(0, place), items.slice(place)];
  switch (random.below(4)) {
    case 0:
      return [...before, ...after.slice(1)];
    case 1:
      return [...before, random.below(4) ? found(tree, material) : anything(material), ...after];
    case 2:
      return [
        ...items,
        ...(random.below(16) === 0
          ? Array<Tree[]>(30)
              .fill([...items])
              .flat()
          : items),
      ];
    default:
      return [...after, ...before];
  }
}

function otherMembers(
  members: readonly Member[],
  tree: Tree,
  material: Material,
): readonly Member[] {
  const { random } = material;
  const place = random.below(members.length);
  const [before, one, after] = [members.slice(0, place), members[place], members.slice(place + 1)];
  switch (random.below(5)) {
    case 0:
      return [...before, ...after];
    case 1:
      return [...members, [otherKey(tree, material), found(tree, material)]];
    case 2:
      return [...members, [otherKey(tree, material), anything(material)]];
    case 3:
      return one === undefined
        ? members
        : [...before, [otherKey(tree, material), one[1]], ...after];
    default:
      return one === undefined ? members : [...members, [one[0], found(tree, material)]];
  }
}

function changed(old: Tree, tree: Tree, material: Material): Tree {
  const { random } = material;
  const chance = random.below(10);
  if (chance === 0) return anything(material);
  if (chance === 1) return random.below(2) === 0 ? anything(material) : found(tree, material);
  if (chance === 2 && random.below(4) === 0) return nested(random, old);
  if (old.is === 'string') return string(otherText(old.value, material));
  if (old.is === 'scalar') return otherScalar(old.text, material);
  if (old.is === 'list') return { is: 'list', items: otherItems(old.items, tree, material) };
  return { is: 'object', members: otherMembers(old.members, tree, material) };
}

/** Null for an input that is no JSON. */
export function mutatedJson(input: Buffer, material: Material, canonical: boolean): Buffer | null {
  const { random } = material;
  let tree = readTree(input.toString());
  if (tree === null) return null;
  for (let left = random.below(2) ? 1 : 1 << random.below(4); left > 0; left -= 1) {
    const whole: Tree = tree;
    tree = withAt(whole, random.pick(pathsOf(whole)), old => changed(old, whole, material));
  }
  return Buffer.from(canonical ? canonicalText(tree) : looseText(tree, random));
}
