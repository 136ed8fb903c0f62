/** `flotilla-agent import FILE`: what a person carried to a device without a network, and the signed receipt that goes back. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import {
  HEALTH_UNKNOWN,
  HELD,
  LOCKED,
  NOT_UNDO_READY,
  WINDOW,
} from '../../protocol/bundle-reasons.js';
import { bundleStateText } from '../../protocol/bundle-state-text.js';
import { packCarried } from '../../protocol/carried.js';
import { cannotWrite, CliError } from '../../protocol/cli-error.js';
import { parseDurationMs } from '../../protocol/duration.js';
import { topicsOf } from '../../protocol/topics.js';
import type { AgentStatus } from '../agent-status.js';
import type { ImportOutcome } from '../carry/import.js';
import type { CliContext } from './context.js';
import { getJson, openSocket, readText } from './socket-client.js';

interface ImportFlags {
  dataDir: string;
  receipt?: string;
  timeout: string;
}

interface Letters {
  readonly fleet: string;
  readonly node: string;
  /** Payloads in base64. */
  readonly messages: readonly { readonly topic: string; readonly payload: string }[];
}

const LOOK_MS = 300;
const SETTLED: ReadonlySet<string> = new Set(['healthy', 'failed', 'rolledBack']);
/** Time alone, a person or a pod ends such a wait; no file has to come for it. */
const SETTLED_WAITS: ReadonlySet<string> = new Set([WINDOW, HELD, LOCKED, NOT_UNDO_READY]);

export function importCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('import'))
    .summary('take what was carried here in a file')
    .description(
      'Gives the running agent a file of `flotilla bundle export`: it checks it as it checks what comes over the network. Waits ' +
        'for the bundles, then writes a signed receipt beside the file; the hub takes it with `flotilla bundle import`. A bundle that ' +
        'waits for a maintenance window, a hold or the lock of a pod is not waited for.\n' +
        'Exit code: 0 all of it was taken, 2 not all of it was, 3 the time is over while a bundle is under way or lacks something, 4 a bundle failed.',
    )
    .argument('<file>', 'what the hub exported')
    .option('--receipt <file>', 'where the receipt goes (default: NODE.receipt beside the file)')
    .option('--timeout <duration>', 'how long to wait for the bundles', '2m')
    .action((file: string, flags: ImportFlags) => importFrom(context, resolve(file), flags));
}

async function importFrom(context: CliContext, file: string, flags: ImportFlags): Promise<void> {
  const { dataDir } = flags;
  const limitMs = parseDurationMs(flags.timeout);
  if (limitMs === null) {
    throw new CliError('refused', `--timeout ${flags.timeout}: use 30s, 5m or 1h`);
  }
  const path = `/import?file=${encodeURIComponent(file)}`;
  const outcome = JSON.parse(
    await readText(await openSocket(dataDir, path, { method: 'POST' })),
  ) as ImportOutcome;
  for (const line of outcomeLines(outcome)) context.print(line);
  // Nothing was taken, so nothing is to be told to the hub.
  if (!outcome.isForThisNode) throw notForThisNode(outcome);
  const bundles = await settled(context, dataDir, limitMs);
  for (const { namespace, name, revision, state, reason } of bundles) {
    const what = state === 'removing' ? 'removal' : `revision ${revision}`;
    context.print(
      `bundle/${name} (${namespace}) ${what}: ${[state, reason].filter(Boolean).join(', ')}`,
    );
  }
  const receipt = flags.receipt ?? join(dirname(file), `${outcome.node}.receipt`);
  const letters = JSON.parse(
    await readText(await openSocket(dataDir, '/receipt', { method: 'POST' })),
  ) as Letters;
  await write(receipt, letters);
  context.print(`${receipt}: for the hub (flotilla bundle import)`);
  const late = lateOf(bundles, flags.timeout);
  const interrupted = new CliError('failed', 'interrupted; the node goes on by itself');
  const unsettled = late !== null && context.signal.aborted ? interrupted : late;
  const problem = problemOf(outcome) ?? failureOf(bundles) ?? unsettled;
  if (problem) throw problem;
}

/** Pure. */
export function outcomeLines({ root, generation, images }: ImportOutcome): string[] {
  const step = (what: string, { before, after }: { before: number; after: number }) =>
    before === after ? `${what} ${after}, unchanged` : `${what} ${after}, was ${before}`;
  return [
    step('root', root),
    step('assignment', generation),
    ...(images === 'loaded' ? ['images loaded'] : []),
  ];
}

/** Pure. */
export function notForThisNode({ node, otherNodes }: ImportOutcome): CliError {
  const shown = otherNodes.slice(0, 5).join(', ');
  const more = otherNodes.length > 5 ? ` and ${otherNodes.length - 5} more` : '';
  const whose = otherNodes.length === 0 ? '' : `: it is for ${shown}${more}`;
  const what = `the file holds nothing for ${node}${whose}`;
  return new CliError('refused', what, `flotilla bundle export --node ${node}`);
}

/** Pure, of a file for this node. Null: all of it was taken. */
export function problemOf(outcome: ImportOutcome): CliError | null {
  const { refused, detail, needsFresh, images } = outcome;
  const codes = Object.entries(refused).map(([code, n]) => (n > 1 ? `${code} (${n})` : code));
  if (needsFresh) {
    const why = 'the journal of this node began anew: it takes only an answer to its own request';
    const how = 'bring the receipt to the hub (flotilla bundle import), export again, import again';
    return new CliError('refused', why, how);
  }
  if (codes.length > 0) {
    return new CliError(
      'refused',
      `not all of it was accepted: ${codes.join(', ')}; ${detail ?? ''}`,
    );
  }
  if (typeof images === 'object') {
    return new CliError('refused', `the images were not loaded: ${images.refused}`);
  }
  return null;
}

/** Pure. Null: none of them gave way or was refused. */
export function failureOf(bundles: Bundles): CliError | null {
  const failed = bundles.filter(({ state }) => state === 'failed' || state === 'rolledBack');
  const told = failed.map(({ name, revision, state, reason, message }) => {
    const word = bundleStateText({ state, reason });
    return `bundle/${name} revision ${revision} ${word}: ${[reason, message].filter(Boolean).join(': ')}`;
  });
  return told.length === 0 ? null : new CliError('rolloutFailed', told.join('\n'));
}

/** Pure. Null: none is under way, or lacks what it waits for. Where nobody tells how the pods are, nothing more is to come. */
export function lateOf(bundles: Bundles, timeout: string): CliError | null {
  const late = bundles.filter(one => !isSettled(one) && one.reason !== HEALTH_UNKNOWN);
  if (late.length === 0) return null;
  const told = late.map(({ name, revision, state, reason, message }) => {
    const why = [reason, message].filter(Boolean).join(': ');
    if (state === 'removing') return `bundle/${name} is not removed after ${timeout}: ${why}`;
    return `bundle/${name} revision ${revision} is not healthy after ${timeout}: ${state} (${why})`;
  });
  const how =
    'it goes on by itself: flotilla-agent status; import again to wait longer, and for a newer receipt';
  return new CliError('timedOut', told.join('\n'), how);
}

function isSettled({ state, reason }: Pick<Bundles[number], 'state' | 'reason'>): boolean {
  const waits = state === 'waiting' || state === 'removing';
  return SETTLED.has(state) || (waits && SETTLED_WAITS.has(reason));
}

type Bundles = NonNullable<AgentStatus['hub']>['bundles'];

/** Until each has come to something, or the time is over. */
async function settled(context: CliContext, dataDir: string, limitMs: number): Promise<Bundles> {
  const { clock, signal } = context;
  const end = clock.monotonic() + limitMs;
  for (;;) {
    const { hub } = await getJson<AgentStatus>(dataDir, '/status');
    const bundles = hub?.bundles ?? [];
    if (bundles.every(isSettled) || signal.aborted || clock.monotonic() >= end) return bundles;
    await clock.sleep(LOOK_MS, signal);
  }
}

/** Whole or not at all, and on the disk when it returns: a stick is pulled out at once. */
async function write(path: string, { fleet, messages }: Letters): Promise<void> {
  const draft = `${path}.part`;
  const told = messages.map(({ topic, payload }) => {
    return { topic, payload: Buffer.from(payload, 'base64') };
  });
  try {
    const file = openSync(draft, 'w', 0o600);
    try {
      for await (const chunk of packCarried(topicsOf(fleet), { fleet, messages: told })) {
        for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw cannotWrite(path, error, '--receipt FILE');
  }
}
