/**
 * Some thousands of inputs for the parsers that read what others wrote, the same at every run, and every input that once was a
 * finding. `npm run fuzz` runs a million.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Report } from '../../fuzz/engine.js';
import { fuzz } from '../../fuzz/session.js';
import { MODULES, ROOTS } from '../../fuzz/targets.js';

/** Of a target with a share of one; the quick ones get ten times as many. */
const RUNS = 120;
const ROOT = join(import.meta.dirname, '../../../..');
const CORPUS = join(ROOT, 'test/fuzz/corpus');

/** Those of sockets have their own tests, and take the time of all others. */
const isQuick = (name: string) => !name.startsWith('http/');

describe('every parser', () => {
  const reports = new Map<string, Report>();
  let names: readonly string[] = [];

  before(async () => {
    await fuzz({
      ...{ roots: ROOTS, modules: MODULES, seed: 4, limitMs: 120_000 },
      plan: targets => {
        names = targets.map(({ name }) => name);
        return targets
          .filter(({ name }) => isQuick(name))
          .map(({ name, share }) => {
            return { target: name, runs: Math.ceil(RUNS * Math.min(10, share)), input: null };
          });
      },
      onReport: report => reports.set(report.target, report),
    });
  });
  after(() => reports.clear());

  test('takes every input as it says', () => {
    const found = [...reports.values()].flatMap(({ target, findings }) =>
      findings.map(one => `${target}: ${one.kind} ${one.detail} ${one.input.toString('base64')}`),
    );
    assert.deepEqual(found, []);
  });

  test('is reached: inputs pass its first stage, and are kept for what they show', () => {
    const wanted = names.filter(isQuick);
    assert.deepEqual([...reports.keys()], wanted);
    for (const { target, corpus, edges, runs } of reports.values()) {
      assert(corpus > 0 && edges > 5 && runs > 0, `${target}: ${corpus} ${edges} ${runs}`);
    }
    const documents = [...reports.values()].filter(one => one.target.startsWith('document/'));
    assert(documents.length >= 20);
    for (const { target, runs, stages } of documents) {
      assert(
        (stages.parsed + stages.accepted) / runs > 0.25,
        `${target} ${JSON.stringify(stages)}`,
      );
      assert(stages.accepted > 0, target);
    }
  });

  test('is counted in the docs', () => {
    const text = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
    assert.match(text, new RegExp(`\\b${names.length} parsers\\b`));
  });

  test('is one that the kept findings are of', () => {
    const known = new Set(names.map(name => name.replaceAll('/', '-')));
    assert(existsSync(CORPUS));
    for (const folder of readdirSync(CORPUS)) {
      assert(known.has(folder), `test/fuzz/corpus/${folder} is of no target`);
      for (const file of readdirSync(join(CORPUS, folder)))
        readFileSync(join(CORPUS, folder, file));
    }
  });
});
