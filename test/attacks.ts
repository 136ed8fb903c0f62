/**
 * `npm run test:attacks [-- S01 S02 …]`: the attack list S01–S99, a line for each: `ok`, `FAIL`, or `skip` with the reason.
 *
 * A row is tried by the tests that bear its number, against real hubs, agents, brokers and containers. It is ok when there
 * is one and all of them pass; a row that nothing tries fails unless `docs/security.md` says why it cannot be tried.
 */
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const CHECKOUT = join(import.meta.dirname, '../..');
const ROWS = Array.from({ length: 99 }, (_, i) => `S${String(i + 1).padStart(2, '0')}`);
const NUMBERS = /\bS\d\d\b/g;

/** Rows that `docs/security.md` lists as not tried here: `| S37 | reason |` under its heading. */
function untried(): ReadonlyMap<string, string> {
  const text = readFileSync(join(CHECKOUT, 'docs/security.md'), 'utf8');
  const section = text.split(/^## /m).find(part => part.startsWith('Attacks that are not tried'));
  const rows = [...(section ?? '').matchAll(/^\| (S\d\d) \| (.+?) \|$/gm)];
  return new Map(rows.map(([, row = '', why = '']) => [row, why]));
}

/** The compiled black-box tests that name one of the rows. */
function filesNaming(rows: ReadonlySet<string>): string[] {
  const root = join(CHECKOUT, 'dist/test/e2e');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.js'))
    .map(name => join(root, name))
    .filter(file => {
      const named = readFileSync(file, 'utf8').match(NUMBERS) ?? [];
      return named.some(row => rows.has(row));
    })
    .sort();
}

interface Told {
  readonly passed: string[];
  readonly failed: string[];
}

async function tried(rows: ReadonlySet<string>): Promise<ReadonlyMap<string, Told>> {
  const told = new Map<string, Told>();
  const note = (list: keyof Told, name: string, why = '') => {
    for (const row of name.match(NUMBERS) ?? []) {
      if (!rows.has(row)) continue;
      const of = told.get(row) ?? { passed: [], failed: [] };
      of[list].push(why === '' ? name : `${name}\n  ${why.replaceAll('\n', '\n  ')}`);
      told.set(row, of);
    }
  };
  // Whole files: a story's later chapters need the earlier ones.
  const stream = run({ files: filesNaming(rows), concurrency: 3 });
  stream.on('test:pass', ({ name, skip }) => {
    if (skip === undefined) note('passed', name);
  });
  stream.on('test:fail', ({ name, details: { error } }) => {
    note('failed', name, String(error.cause ?? error));
  });
  stream.resume();
  await finished(stream);
  return told;
}

const asked = process.argv.slice(2);
const unknown = asked.filter(row => !ROWS.includes(row));
if (unknown.length > 0) {
  process.stderr.write(`no such row: ${unknown.join(', ')}; use S01 to S99\n`);
  process.exit(2);
}
const rows = new Set(asked.length > 0 ? asked : ROWS);
const told = await tried(rows);
const reasons = untried();
const count = { ok: 0, FAIL: 0, skip: 0 };
for (const row of ROWS.filter(one => rows.has(one))) {
  const { passed, failed } = told.get(row) ?? { passed: [], failed: [] };
  const reason = reasons.get(row);
  if (failed.length > 0) {
    count.FAIL++;
    process.stdout.write(`FAIL ${row} ${failed.join('\n')}\n`);
  } else if (passed.length > 0) {
    count.ok++;
    process.stdout.write(`ok ${row} ${passed.join('; ')}\n`);
  } else if (reason !== undefined) {
    count.skip++;
    process.stdout.write(`skip ${row} ${reason}\n`);
  } else {
    count.FAIL++;
    process.stdout.write(`FAIL ${row} nothing tries it\n`);
  }
}
process.stdout.write(`${count.ok} ok, ${count.FAIL} failed, ${count.skip} skipped\n`);
process.exitCode = count.FAIL > 0 ? 1 : 0;
