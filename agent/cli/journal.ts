/** `flotilla-agent journal`: what this node accepted, did and has still to report; reads the file, agent or no agent. */
import { Command } from 'commander';
import { UNDONE } from '../../protocol/bundle-reasons.js';
import { bundleStateText } from '../../protocol/bundle-state-text.js';
import { CliError } from '../../protocol/cli-error.js';
import { layOut } from '../../protocol/columns.js';
import { parseDurationMs } from '../../protocol/duration.js';
import { quotedLines } from '../../protocol/last-words.js';
import type { HistoryEntry, HistoryRow, SiteWord, Transition } from '../journal/history.js';
import { readJournal, type JournalView } from '../journal/reader.js';
import type { CutReason } from '../journal/retention.js';
import type { CliContext } from './context.js';
import { dataDirOf, exportCommand, onJournal, verifyCommand } from './journal-proof.js';

export function journalCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('journal'), { optional: true })
    .summary('show what this node accepted and did')
    .option('-o, --output <format>', 'json')
    .option('--tail <rows>', 'only the last rows')
    .option('--since <duration>', 'only what is newer than 5m, 3h, 168h')
    .option('-f, --follow', 'go on with what comes')
    .option('--events', 'the events that the hub has not confirmed yet')
    .option(
      '--failures',
      'the revisions that this node gave up, with the last words of their containers',
    )
    .addCommand(verifyCommand(context))
    .addCommand(exportCommand(context))
    .action(async (options: JournalOptions) => {
      const { output, events, failures, follow } = options;
      if (output !== undefined && output !== 'json')
        throw new CliError('refused', `-o ${output}: only json`);
      if (follow && (events || failures))
        throw new CliError(
          'refused',
          '--follow goes with the history, not with --events, --failures',
        );
      const chosen = choiceOf(options, context.clock.now());
      if (follow) return followHistory(context, options, chosen);
      const view = onJournal(() => readJournal(dataDirOf(options)));
      const shown = { ...view, history: chosen(view.history) };
      if (output === 'json') return context.print(JSON.stringify(shown, null, 4));
      const lines = events ? eventLines(view) : failures ? failureLines(view) : historyLines(shown);
      for (const line of lines) context.print(line);
    });
}

export interface JournalOptions {
  dataDir?: string;
  output?: string;
  tail?: string;
  since?: string;
  follow?: boolean;
  events?: boolean;
  failures?: boolean;
}

type Choice = (rows: readonly HistoryRow[]) => readonly HistoryRow[];

/** Which rows are asked for. Throws `CliError`. */
function choiceOf({ tail, since }: JournalOptions, now: number): Choice {
  if (tail !== undefined && !/^\d{1,6}$/.test(tail))
    throw new CliError('refused', `--tail ${tail}: not a number of rows`);
  const ageMs = since === undefined ? null : parseDurationMs(since);
  if (since !== undefined && ageMs === null)
    throw new CliError('refused', `--since ${since}: not a duration such as 5m, 3h, 168h`);
  return rows => {
    // The node's time, where the clock of this machine is years behind it.
    const newest = Math.max(now, rows.at(-1)?.at ?? now);
    const oldest = ageMs === null ? -Infinity : newest - ageMs;
    const recent = rows.filter(({ at }) => at >= oldest);
    return tail === undefined
      ? recent
      : recent.slice(recent.length - Math.min(Number(tail), recent.length));
  };
}

const LOOK_MS = 500;

/** What is there, then each row as it comes, until Ctrl-C. As JSON: a row on a line. */
async function followHistory(
  context: CliContext,
  options: JournalOptions,
  chosen: Choice,
): Promise<void> {
  const { output } = options;
  const directory = dataDirOf(options);
  const lines = followedLines();
  const rows = () => onJournal(() => readJournal(directory)).history;
  let shown = chosen(rows());
  let last = 0;
  for (;;) {
    if (output === 'json') for (const row of shown) context.print(JSON.stringify(row));
    else for (const line of lines(shown)) context.print(line);
    last = Math.max(last, shown.at(-1)?.n ?? rows().at(-1)?.n ?? 0);
    await context.clock.sleep(LOOK_MS, context.signal);
    if (context.signal.aborted) return;
    const newest = last;
    shown = rows().filter(({ n }) => n > newest);
  }
}

function timeText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** Pure. */
export function historyLines({ history }: Pick<JournalView, 'history'>): string[] {
  return followedLines()(history);
}

/** What came first with its head, then each row as it comes, in the same columns. */
export function followedLines(): (rows: readonly HistoryRow[]) => string[] {
  const widths: number[] = [];
  let isFirst = true;
  return rows => {
    const head = isFirst ? [HEAD] : [];
    isFirst = false;
    return layOut([...head, ...rows.map(historyCells)], widths);
  };
}

const HEAD = ['N', 'WHEN', 'WHAT', 'STATE', 'WHY'];

function historyCells({ n, at, entry }: HistoryRow): string[] {
  return [String(n), timeText(at), ...entryCells(entry)];
}

function entryCells(entry: HistoryEntry): [string, string, string] {
  switch (entry.kind) {
    case 'journal':
      return ['journal', entry.why === 'Left' ? 'fleet forgotten' : 'begun', entry.why];
    case 'root':
      return [`root ${entry.version}`, 'accepted', entry.digest.slice(0, 12)];
    case 'assignment':
      return [
        `assignment ${entry.epoch}/${entry.generation}`,
        'accepted',
        entry.digest.slice(0, 12),
      ];
    case 'pruned':
      return [`history up to row ${entry.through}`, 'pruned', PRUNED_FOR[entry.why]];
    case 'bundle': {
      const why = [entry.reason, entry.message].filter(text => text !== '').join(': ');
      return [
        `bundle ${entry.namespace}/${entry.name} revision ${entry.revision}`,
        isBeingUndone(entry) ? 'going back' : bundleStateText(entry),
        why,
      ];
    }
    case 'site': {
      const why = entry.reason === '' ? '' : `: ${entry.reason}`;
      const what = entry.name === '' ? 'node' : `bundle ${entry.namespace}/${entry.name}`;
      return [what, SAID[entry.word], `by ${entry.by}${why}`];
    }
  }
}

/** As it is typed. */
const SAID: Readonly<Record<SiteWord['word'], string>> = {
  activateNow: 'activate --now',
  ...{ hold: 'hold', release: 'release', undo: 'undo', redo: 'redo' },
};

/** A person's word, of which the row after it says what came of it. */
function isBeingUndone({ state, reason }: Pick<Transition, 'state' | 'reason'>): boolean {
  return state === 'failed' && reason === UNDONE;
}

/** What of it was too much. */
const PRUNED_FOR: Readonly<Record<CutReason, string>> = {
  rows: 'more rows than are kept',
  age: 'older than is kept',
  bytes: 'more bytes than are kept',
};

/** Pure. */
export function eventLines(view: JournalView): string[] {
  const rows = view.events.map(e => [
    String(e.n),
    e.at,
    e.type,
    e.reason,
    `${e.involved.kind.toLowerCase()}/${e.involved.name}`,
    e.message,
  ]);
  if (rows.length === 0) return ['No events wait for the hub.'];
  return layOut([['N', 'WHEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'], ...rows]);
}

/** Pure. Last words are container output: each line indented, without control characters. */
export function failureLines(view: JournalView): string[] {
  if (view.failures.length === 0) return ['No revision was given up.'];
  return view.failures.flatMap(failure => {
    const { namespace, name, revision, attempt, at, reason, message, lastWords } = failure;
    return [
      `bundle ${namespace}/${name} revision ${revision}, attempt ${attempt}, ${timeText(at)}`,
      `  ${reason}: ${message}`,
      ...quotedLines(lastWords ?? '', '  '),
    ];
  });
}
