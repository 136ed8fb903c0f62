/** `flotilla-agent journal verify` and `journal export`: that what the journal says is what was signed, here or on another machine. */
import { counted } from '../../protocol/counted.js';
import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { prunedOf } from '../journal/chain.js';
import { parseProof, readProof, type JournalProof } from '../journal/proof.js';
import { verifyProof } from '../journal/verify-proof.js';
import type { CliContext } from './context.js';

/** An export is read anywhere; a journal lies on this node. */
export function dataDirOf({ dataDir }: { readonly dataDir?: string }): string {
  if (dataDir !== undefined) return dataDir;
  throw new CliError(
    'refused',
    "required option '--data-dir <dir>' not specified, and no FLOTILLA_DATA_DIR",
  );
}

/** Reads the journal; what is wrong with the file becomes the command's error. */
export function onJournal<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if ((error as Error).name === 'JournalError')
      throw new CliError('failed', (error as Error).message);
    throw error;
  }
}

function readExport(file: string): JournalProof {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CliError('refused', `${file}: ${(error as Error).message}`);
  }
  const proof = parseProof(text);
  if (typeof proof !== 'string') return proof;
  throw new CliError(
    'refused',
    `${file}: ${proof}`,
    'it must be what `flotilla-agent journal export` wrote',
  );
}

export function verifyCommand(context: CliContext): Command {
  return new Command('verify')
    .summary('check that the journal holds together')
    .description(
      'The chain of its history, the chain of its roots, the signatures of what it accepted, and that history tells of all of it. ' +
        'Ends with 1 when something does not fit.',
    )
    .argument('[file]', "an export instead of this node's journal; - for stdin")
    .option(
      '--head <hash>',
      'a head that was heard before (`flotilla describe node`): its row must be there',
    )
    .action((file: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<{ dataDir?: string; head?: string }>();
      if (options.head !== undefined && !/^[0-9a-f]{64}$/.test(options.head))
        throw new CliError('refused', `--head ${options.head}: not 64 hex digits`);
      const proof =
        file === undefined ? onJournal(() => readProof(dataDirOf(options))) : readExport(file);
      const { findings, head } = verifyProof(proof, options.head ?? null);
      for (const line of findings) context.print(line);
      if (findings.length > 0) {
        const count = findings.length === 1 ? 'finding' : 'findings';
        throw new CliError('failed', `the journal does not verify: ${findings.length} ${count}`);
      }
      for (const line of summaryLines(proof, head)) context.print(line);
    });
}

/** Pure. */
export function summaryLines(proof: JournalProof, head: string | null): string[] {
  const { history, roots, assignments, revisions } = proof;
  const [first, last] = [history[0]?.n ?? 0, history.at(-1)?.n ?? 0];
  const rows = history.length === 0 ? 'no rows' : `rows ${first} to ${last}`;
  return [
    `journal ${proof.journal}, start ${proof.boot}: verified`,
    `history: ${rows}, head ${head ?? 'none'}`,
    ...prunedLines(proof),
    `signed: ${counted(roots.length, 'root')}, ${counted(assignments.length, 'assignment')}, ${counted(revisions.length, 'revision')}`,
  ];
}

/** Pure. */
function prunedLines({ history }: JournalProof): string[] {
  const pruned = prunedOf(history);
  if (pruned === null) return [];
  const { through, at } = pruned;
  const when = `${new Date(at).toISOString().slice(0, 19)}Z`;
  return [`history: verified from row ${through + 1}; older rows were pruned on ${when}`];
}

export function exportCommand(context: CliContext): Command {
  return new Command('export')
    .summary('write what the journal can prove, as JSON')
    .description(
      'History as it was chained, the signed documents behind it as they came, owned files, failures and events. ' +
        'Without manifests, sealed Secrets and what containers printed. An existing file is not overwritten.',
    )
    .argument('[file]', 'where to; else stdout')
    .action((file: string | undefined, _: unknown, command: Command) => {
      const dataDir = dataDirOf(command.optsWithGlobals());
      const proof = onJournal(() => readProof(dataDir));
      const text = `${JSON.stringify(proof, null, 2)}\n`;
      if (file === undefined || file === '-') return void context.stdout.write(text);
      try {
        writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== 'EEXIST') throw new CliError('failed', `${file}: ${message}`);
        throw new CliError(
          'refused',
          `${file}: it is there already`,
          'give another name, or remove it',
        );
      }
      context.tell(`${file}: ${counted(proof.history.length, 'row')} of history`);
    });
}
