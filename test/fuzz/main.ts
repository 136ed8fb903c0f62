/**
 * `npm run fuzz -- [--runs N] [--target NAME] [--seed N] [--seconds N] [--jobs N] [--input FILE]`: every parser that reads what somebody else
 * wrote, with inputs led by coverage. Prints a line per target; exits 1 when something was found, 2 when asked wrongly.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wordsOf } from '../support/command-words.js';
import type { Found, Report } from './engine.js';
import { fuzz, judgeOne } from './session.js';
import { headLine, reportLine, totalLine } from './table.js';
import { MODULES, ROOTS } from './targets.js';
import type { NamedShare, TargetJob } from './worker-messages.js';

const USAGE =
  'usage: npm run fuzz -- [--runs N] [--target NAME]… [--seed N] [--seconds N] [--jobs N]\n' +
  '       npm run fuzz -- --target NAME --input FILE\n';

const text = { type: 'string' } as const;
const {
  values,
  number,
  refuse: usage,
} = wordsOf(USAGE, {
  ...{ runs: text, seed: text, seconds: text, jobs: text, input: text },
  target: { type: 'string', multiple: true },
});

let folder: string | null = null;

function tell(target: string, finding: Found): void {
  folder ??= mkdtempSync(join(tmpdir(), 'flotilla-fuzz-'));
  const digest = createHash('sha256').update(finding.input).digest('hex').slice(0, 12);
  const file = join(folder, `${target.replaceAll('/', '-')}-${digest}`);
  writeFileSync(file, finding.input);
  // Inputs are anything: a terminal is shown what is harmless.
  const detail = finding.detail.replace(/[^\n\x20-\x7e]/g, '.').slice(0, 1500);
  process.stdout.write(
    `\nFOUND in ${target} (${finding.kind}): ${detail}\n` +
      `  again: npm run fuzz -- --target ${target} --input ${file}\n\n`,
  );
}

async function one(target: string, file: string): Promise<number> {
  const judged = await judgeOne({ roots: ROOTS, modules: MODULES }, target, readFileSync(file));
  if (judged === null) return usage(`there is no target ${target}`);
  const { outcome, finding } = judged;
  const told = finding === null ? outcome.message : `${finding.kind}: ${finding.detail}`;
  process.stdout.write(`${finding === null ? outcome.stage : 'FOUND'} ${told}\n`);
  return finding === null ? 0 : 1;
}

/** Those of the targets that are asked for, each with its part of the runs. */
function planOf(targets: readonly NamedShare[]): TargetJob[] {
  const runs = number('runs', 1_000_000);
  const wanted = targets.filter(({ name }) => values.target?.includes(name) ?? true);
  const missing = values.target?.find(name => !targets.some(one => one.name === name));
  if (missing !== undefined) {
    usage(`there is no target ${missing}; there are: ${targets.map(one => one.name).join(' ')}`);
  }
  const shares = wanted.reduce((sum, { share }) => sum + share, 0);
  return wanted.map(({ name, share }) => {
    return { target: name, runs: Math.ceil((runs * share) / shares), input: null };
  });
}

async function all(): Promise<number> {
  const seed = number('seed', 1);
  const limitMs = number('seconds', Number.POSITIVE_INFINITY) * 1000;
  const jobs = Math.max(1, number('jobs', 1));
  const reports: Report[] = [];
  const onReport = (report: Report) => {
    reports.push(report);
    process.stdout.write(`${reportLine(report)}\n`);
    for (const finding of report.findings) tell(report.target, finding);
  };
  process.stdout.write(`seed ${seed}\n${headLine()}\n`);
  const base = { roots: ROOTS, modules: MODULES, seed, limitMs, onReport };
  // Every target has a seed of its own: it does the same in whichever thread.
  const lanes = Array.from({ length: jobs }, (_, lane) =>
    fuzz({
      ...base,
      plan: targets => planOf(targets).filter((_job, n) => n % jobs === lane),
    }),
  );
  await Promise.all(lanes);
  process.stdout.write(`${totalLine(reports)}\n`);
  return reports.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

const target = values.target?.[0];
if (values.input !== undefined && target === undefined) usage('--input wants a --target');
process.exitCode =
  values.input === undefined || target === undefined
    ? await all()
    : await one(target, values.input);
