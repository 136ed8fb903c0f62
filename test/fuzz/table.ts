/** What the command prints: a line per target, and one for all together. */
import type { Report } from './engine.js';

const COLUMNS = ['target', 'runs', 'runs/s', 'corpus', 'edges', 'parsed', 'accepted', 'found'];
const WIDTHS = [24, 10, 8, 8, 8, 9, 9, 6];

function line(cells: readonly string[]): string {
  return cells
    .map((cell, n) => (n === 0 ? cell.padEnd(WIDTHS[0] ?? 0) : cell.padStart(WIDTHS[n] ?? 0)))
    .join(' ');
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)}%`;
}

function cellsOf(name: string, report: Omit<Report, 'target' | 'findings'>, found: number) {
  const { runs, seconds, stages } = report;
  return line([
    name,
    String(runs),
    seconds === 0 ? '-' : String(Math.round(runs / seconds)),
    String(report.corpus),
    String(report.edges),
    percent(stages.parsed + stages.accepted, runs),
    percent(stages.accepted, runs),
    String(found),
  ]);
}

/** `parsed`: the share of inputs that passed the first stage of the parser; `accepted`: those that passed all of it. */
export function headLine(): string {
  return line(COLUMNS);
}

export function reportLine(report: Report): string {
  return cellsOf(report.target, report, report.findings.length);
}

/** Edges of several targets are not added up: they overlap. */
export function totalLine(reports: readonly Report[]): string {
  const sum = (of: (report: Report) => number) => reports.reduce((all, one) => all + of(one), 0);
  const stages = {
    refused: sum(({ stages: s }) => s.refused),
    parsed: sum(({ stages: s }) => s.parsed),
    accepted: sum(({ stages: s }) => s.accepted),
  };
  const whole = {
    ...{ runs: sum(r => r.runs), seconds: sum(r => r.seconds), corpus: sum(r => r.corpus) },
    ...{ edges: Math.max(0, ...reports.map(r => r.edges)), stages },
  };
  return cellsOf(
    `all ${reports.length} (edges: most)`,
    whole,
    sum(r => r.findings.length),
  );
}
