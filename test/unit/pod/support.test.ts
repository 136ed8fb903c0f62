/**
 * The table of supported fields against the schema: every field has a verdict, and no row is idle.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { POD_SUPPORT } from '../../../protocol/pod-support-table.js';
import { checkPodSupport } from '../../../protocol/pod-support.js';

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const file = new URL('../../../protocol/generated/pod.schema.json', import.meta.url);
const schema = JSON.parse(readFileSync(file, 'utf8')) as Schema;
const rows = new Map(POD_SUPPORT.map(row => [row.path, row]));

function resolved(node: Schema): Schema {
  const name = node.$ref?.split('/').pop();
  return name === undefined ? node : resolved(schema.definitions?.[name] ?? {});
}

/** Fields that a reader of the table could ask about and that it does not answer. */
function walk(node: Schema, path: string, seen: Set<string>): string[] {
  const { items, properties } = resolved(node);
  if (items !== undefined) return walk(items, `${path}[]`, seen);
  return Object.entries(properties ?? {}).flatMap(([name, property]) => {
    const child = path === '' ? name : `${path}.${name}`;
    const row = rows.get(child);
    if (row === undefined) return [child];
    seen.add(child);
    return row.verdict === 'supported' ? walk(property, child, seen) : [];
  });
}

describe('the table of supported fields', () => {
  const seen = new Set<string>();
  const missing = walk(schema, '', seen);

  test('has a verdict for every field of a Pod', () => {
    assert.ok(seen.size > 100);
    assert.deepEqual(missing, []);
  });

  test('names no field that a Pod does not have, and none twice', () => {
    const ofMaps = POD_SUPPORT.filter(({ path }) => /\.(limits|requests)\./.test(path));
    const idle = POD_SUPPORT.filter(row => !ofMaps.includes(row) && !seen.has(row.path));
    assert.deepEqual(idle, []);
    assert.equal(rows.size, POD_SUPPORT.length);
  });

  test('gives a reason for every field that it does not run', () => {
    const silent = POD_SUPPORT.filter(row => row.verdict !== 'supported' && row.reason === '');
    assert.deepEqual(silent, []);
  });

  test('gives accepted values for every field that is accepted at its default only', () => {
    const empty = POD_SUPPORT.filter(row => row.verdict === 'default' && row.values === undefined);
    assert.deepEqual(empty, []);
  });
});

describe('each row does what it says', () => {
  /** A Pod in which the field at `path` has this value. */
  function podWith(path: string, value: unknown): object {
    const [step = '', ...rest] = path.split('.');
    const inner = rest.length === 0 ? value : podWith(rest.join('.'), value);
    return step.endsWith('[]') ? { [step.slice(0, -2)]: [inner] } : { [step]: inner };
  }
  const concrete = (path: string) => path.replaceAll('[]', '[0]').replace('.*', '[example.com/x]');

  for (const { path, verdict, values = [] } of POD_SUPPORT) {
    const pod = (value: unknown) => podWith(path.replace('.*', '.example!com/x'), value);
    const rename = (object: object) =>
      JSON.parse(JSON.stringify(object).replace('example!com/x', 'example.com/x')) as object;
    const errorsOf = (value: unknown) => checkPodSupport(rename(pod(value)));
    const accepted = verdict === 'supported' || verdict === 'ignored';

    test(`${path} is ${accepted ? 'accepted' : 'refused with its path'}`, () => {
      const expected = accepted ? [] : [concrete(path)];
      assert.deepEqual(
        errorsOf('something').map(error => error.path),
        expected,
      );
      for (const value of values) assert.deepEqual(errorsOf(value), []);
    });
  }
});
