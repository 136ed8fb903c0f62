/** What is said of YAML that cannot be read: for the person who wrote the line, in words of what was expected there. Pure. */
import type { YAMLError } from 'yaml';
import { cutTo } from './excerpt.js';

/** Where the library names its own grammar: what the person who wrote the line should look for. */
const SYNTAX: readonly (readonly [code: YAMLError['code'], words: RegExp, message: string])[] = [
  ['NON_STRING_KEY', /./, 'a key must be plain text'],
  [
    'BLOCK_AS_IMPLICIT_KEY',
    /./,
    'expected one value here, found another "key:" in it: put the value in quotes, or indent the next line like the key that it follows',
  ],
  [
    'BAD_INDENT',
    /mapping items/,
    'this line is indented neither like the keys above it nor like one of their parents: expected the same column',
  ],
  [
    'BAD_INDENT',
    /sequence items/,
    'this "- " is indented otherwise than those above it: expected the same column',
  ],
  ['TAB_AS_INDENT', /./, 'a tab cannot indent: expected spaces'],
  [
    'MISSING_CHAR',
    /Implicit map keys/,
    'expected "key: value": is a ":" missing, or the line indented too little?',
  ],
  [
    'MISSING_CHAR',
    /Sequence item without/,
    'expected "- " like the entries above: is this line indented too little?',
  ],
  [
    'MULTILINE_IMPLICIT_KEY',
    /./,
    'expected "key: value": is a ":" missing, or the line indented too little?',
  ],
];

/** The library's words where they help a reader, ours where they speak of its options or its grammar. `code`: the library's. */
export function yamlMessage(code: string, message: string): string {
  const known = SYNTAX.find(([one, words]) => one === code && words.test(message));
  if (known) return known[2];
  const tag = /^Unresolved tag: (.*)/.exec(message)?.[1];
  if (tag === undefined) return cutTo(message, 200);
  const shown = cutTo(tag, 100).replace('tag:yaml.org,2002:', '!!');
  return `the tag ${shown} is not read here: write the plain value`;
}
