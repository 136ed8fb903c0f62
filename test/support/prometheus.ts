/**
 * Reads Prometheus' text format 0.0.4 and takes nothing that is not in its grammar: one group of lines for each metric, HELP and TYPE
 * first, names and escapes as they must be, no sample twice, histograms that add up.
 */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly ParsedSample[];
}

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/;
const TYPES = ['counter', 'gauge', 'histogram'];
const UNESCAPED: Readonly<Record<string, string>> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

function unescaped(text: string, known: RegExp, where: string): string {
  return text.replace(/\\(.|$)/gs, found => {
    if (!known.test(found)) throw new Error(`${where}: escape ${found}`);
    return UNESCAPED[found] ?? '';
  });
}

function labelsOf(text: string, where: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const found = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(?:,(?=.)|$)/.exec(rest);
    if (!found) throw new Error(`${where}: no label at ${rest}`);
    const [whole, name = '', value = ''] = found;
    if (name.startsWith('__') || Object.hasOwn(labels, name)) throw new Error(`${where}: ${name}`);
    labels[name] = unescaped(value, /^\\[\\"n]$/, where);
    rest = rest.slice(whole.length);
  }
  return labels;
}

function sampleOf(line: string, where: string): ParsedSample {
  const found = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (!found) throw new Error(`${where}: no sample`);
  const [, name = '', labels = '', number = ''] = found;
  if (!NAME.test(name) || !NUMBER.test(number)) throw new Error(`${where}: ${name} ${number}`);
  const value = Number(number.replace('Inf', 'Infinity'));
  return { name, labels: labelsOf(labels, where), value };
}

/** Throws for what a strict reader would not take. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, Family & { samples: ParsedSample[] }>();
  let current: (Family & { samples: ParsedSample[] }) | null = null;
  let help: { readonly name: string; readonly text: string } | null = null;
  const known = new Set<string>();
  for (const [i, line] of text.split('\n').entries()) {
    const where = `line ${i + 1}: ${line}`;
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name = '', rest = ''] = comment;
      if (!NAME.test(name)) throw new Error(where);
      if (kind === 'HELP') help = { name, text: unescaped(rest, /^\\[\\n]$/, where) };
      else {
        if (help?.name !== name || families.has(name)) throw new Error(`${where}: not one group`);
        if (!TYPES.includes(rest)) throw new Error(where);
        families.set(name, (current = { name, help: help.text, type: rest, samples: [] }));
      }
      continue;
    }
    const sample = sampleOf(line, where);
    const suffix = /^(?:_bucket|_sum|_count)?$/.exec(sample.name.slice(current?.name.length ?? 0));
    const isOf = current !== null && sample.name.startsWith(current.name) && suffix !== null;
    if (!isOf || (current?.type !== 'histogram' && sample.name !== current?.name)) {
      throw new Error(`${where}: outside of its group`);
    }
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (known.has(key)) throw new Error(`${where}: twice`);
    known.add(key);
    current.samples.push(sample);
  }
  for (const family of families.values()) check(family);
  return families;
}

/** By the naming rules: what only grows ends in `_total`, and nothing else does; a histogram's buckets add up. */
function check({ name, help, type, samples }: Family): void {
  if (help === '') throw new Error(`${name}: says nothing`);
  if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`${name}: is a ${type}`);
  if (/_(?:ms|milliseconds|minutes|kb|kib|mb|mib)(?:_|$)/.test(name)) throw new Error(name);
  if (type !== 'histogram') return;
  const groups = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const { le: _le, ...labels } = sample.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const group of groups.values()) {
    const buckets = group.filter(sample => sample.name === `${name}_bucket`);
    const limits = buckets.map(({ labels }) =>
      Number((labels['le'] ?? '').replace('Inf', 'Infinity')),
    );
    const counts = buckets.map(({ value }) => value);
    const total = group.find(sample => sample.name === `${name}_count`)?.value;
    const isSorted = (list: readonly number[]) =>
      list.every((value, i) => i === 0 || value >= (list[i - 1] ?? 0));
    if (!isSorted(limits) || !isSorted(counts) || limits.at(-1) !== Infinity) throw new Error(name);
    if (counts.at(-1) !== total) throw new Error(`${name}: ${total} are not in its buckets`);
  }
}

/** The value of the one sample with these labels; undefined: there is none. */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name.replace(/_(?:bucket|sum|count)$/, '')) ?? families.get(name);
  return family?.samples.find(
    sample =>
      sample.name === name &&
      Object.keys(sample.labels).length === Object.keys(labels).length &&
      Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  )?.value;
}
