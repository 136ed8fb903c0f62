/** `flotilla-agent journal`: what this node accepted, did and has still to report; reads the file, agent or no agent. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { layOut } from '../../protocol/columns.js';
import type { HistoryEntry } from '../journal/history.js';
import { readJournal, type JournalView } from '../journal/reader.js';
import type { CliContext } from './context.js';

export function journalCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('journal'))
    .summary('show what this node accepted and did')
    .option('-o, --output <format>', 'json')
    .option('--events', 'the events that the hub has not confirmed yet')
    .option(
      '--failures',
      'the revisions that this node gave up, with the last words of their containers',
    )
    .action((options: JournalOptions) => {
      const view = readView(options.dataDir);
      if (options.output === 'json') return context.print(JSON.stringify(view, null, 4));
      if (options.output !== undefined)
        throw new CliError('refused', `-o ${options.output}: only json`);
      const lines = options.events
        ? eventLines(view)
        : options.failures
          ? failureLines(view)
          : historyLines(view);
      for (const line of lines) context.print(line);
    });
}

interface JournalOptions {
  dataDir: string;
  output?: string;
  events?: boolean;
  failures?: boolean;
}

function readView(dataDir: string): JournalView {
  try {
    return readJournal(dataDir);
  } catch (error) {
    if ((error as Error).name === 'JournalError')
      throw new CliError('failed', (error as Error).message);
    throw error;
  }
}

function timeText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** Pure. */
export function historyLines(view: JournalView): string[] {
  const rows = view.history.map(({ n, at, entry }) => [
    String(n),
    timeText(at),
    ...entryCells(entry),
  ]);
  return layOut([['N', 'WHEN', 'WHAT', 'STATE', 'WHY'], ...rows]);
}

function entryCells(entry: HistoryEntry): [string, string, string] {
  switch (entry.kind) {
    case 'journal':
      return ['journal', 'begun', entry.why];
    case 'root':
      return [`root ${entry.version}`, 'accepted', entry.digest.slice(0, 12)];
    case 'assignment':
      return [
        `assignment ${entry.epoch}/${entry.generation}`,
        'accepted',
        entry.digest.slice(0, 12),
      ];
    case 'bundle': {
      const why = [entry.reason, entry.message].filter(text => text !== '').join(': ');
      return [
        `bundle ${entry.namespace}/${entry.name} revision ${entry.revision}`,
        entry.state,
        why,
      ];
    }
  }
}

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
    const words = (lastWords ?? '').split('\n').filter(line => line !== '');
    return [
      `bundle ${namespace}/${name} revision ${revision}, attempt ${attempt}, ${timeText(at)}`,
      `  ${reason}: ${message}`,
      ...words.map(line => `  | ${line.replaceAll(CONTROL, '')}`),
    ];
  });
}

const CONTROL = /\p{Cc}/gu;
