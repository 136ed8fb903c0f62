/** The fuzzer finds what was planted for it, only when coverage leads it, and the same again for the same seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Report } from '../../fuzz/engine.js';
import { fuzz } from '../../fuzz/session.js';

const toy = (name: string) => new URL(`../../fuzz/toy/${name}`, import.meta.url).href;
const COUNTED = [toy('toy-parser.js')];

async function fuzzed(
  targets: readonly string[],
  { runs = 30_000, roots = COUNTED }: { runs?: number; roots?: string[] },
): Promise<Map<string, Report>> {
  const reports = new Map<string, Report>();
  await fuzz({
    ...{ roots, modules: [toy('toy-targets.js')], seed: 1, limitMs: 60_000, stuckMs: 5000 },
    plan: () => targets.map(target => ({ target, runs, input: null })),
    onReport: report => reports.set(report.target, report),
  });
  return reports;
}

function factsOf(report: Report | undefined) {
  const found = report?.findings.map(({ input }) => input.toString('hex'));
  return { ...report, seconds: 0, findings: found };
}

test('bugs behind nested conditions and unknown words are found with coverage', async () => {
  const reports = await fuzzed(['doors', 'word'], {});
  const doors = reports.get('doors');
  assert.deepEqual(
    doors?.findings.map(one => one.kind),
    ['throw'],
  );
  assert.match(doors?.findings[0]?.detail ?? '', /the planted bug/);
  const small = doors?.findings[0]?.input ?? Buffer.alloc(0);
  assert.equal(small.subarray(0, 3).toString('latin1'), 'FLT', 'and made small');
  assert.equal(small.length, 4);
  assert.match(reports.get('word')?.findings[0]?.detail ?? '', /the planted bug/);
});

test('the same seed gives the same corpus, stages and findings', async () => {
  const [one, other] = [
    await fuzzed(['doors', 'word'], { runs: 20_000 }),
    await fuzzed(['doors', 'word'], { runs: 20_000 }),
  ];
  for (const name of ['doors', 'word']) {
    assert.deepEqual(factsOf(one.get(name)), factsOf(other.get(name)));
  }
});

test('without coverage as many inputs of the same seed do not find them', async () => {
  const reports = await fuzzed(['doors', 'word'], { roots: [] });
  for (const report of reports.values()) {
    assert.deepEqual(report.findings, []);
    assert.equal(report.corpus, 1, 'nothing is kept that shows nothing new');
  }
});

test('a hang, memory, a shout and a tainted prototype are findings', async () => {
  const kinds = { slow: 'hang', grow: 'memory', shout: 'log', taint: 'prototype' };
  const reports = await fuzzed(Object.keys(kinds), { runs: 2, roots: [] });
  for (const [target, kind] of Object.entries(kinds)) {
    const findings = reports.get(target)?.findings ?? [];
    assert.deepEqual(
      findings.map(one => one.kind),
      [kind],
      target,
    );
    assert.equal(findings[0]?.input.toString(), target, 'not the harmless one');
  }
});

test('an input that never ends is a finding, and the targets after it go on', async () => {
  const reports = await fuzzed(['loop', 'shout'], { runs: 2, roots: [] });
  assert.deepEqual([...reports.keys()], ['loop', 'shout']);
  const [stuck] = reports.get('loop')?.findings ?? [];
  assert.equal(stuck?.kind, 'hang');
  assert.equal(stuck?.input.toString(), 'loop');
});
