/** `flotilla hub recovery`: how far a restored hub is with learning from its fleet; waits for it, or ends it. */
import { Command } from 'commander';
import { CliError, EXIT } from '../../protocol/cli-error.js';
import { parseDurationMs } from '../../protocol/duration.js';
import type { RecoveryState } from '../recovery/recovery.js';
import { agree, YES } from './consent.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';

interface RecoveryFlags extends ConnectionOptions {
  finish?: boolean;
  yes?: boolean;
  wait?: boolean;
  timeout: string;
  output?: string;
}

const PATH = '/apis/flotilla.dev/v1/recoveries/hub';
const LOOK_MS = 500;

export function recoveryCommand(context: Context): Command {
  return withConnection(new Command('recovery'))
    .summary('after a restore: what the hub still waits for')
    .description(
      'A restored hub asks every node how far it is and sends it nothing before. It ends by itself when all were heard; ' +
        '--finish ends it without the rest: they stay as they are until they come back.',
    )
    .option('--wait', 'until it has ended')
    .option('--timeout <duration>', 'of --wait: 30s, 5m, 1h', '5m')
    .option('--finish', 'go on without the nodes that were not heard')
    .option(...YES)
    .option('-o, --output <format>', 'json')
    .action((flags: RecoveryFlags) =>
      connected(context, flags, async ({ client }) => {
        const look = async () =>
          (await client.call<{ status: RecoveryState }>({ path: PATH })).status;
        let state = await look();
        if (flags.wait) state = await waited(context, flags, { state, look });
        if (flags.finish && state.learning) {
          const without = `Go on without ${state.unheard.join(', ')}?`;
          await agree(context, without, { given: flags.yes });
          const call = { method: 'POST', path: `${PATH}/finish` } as const;
          state = (await client.call<{ status: RecoveryState }>(call)).status;
        }
        if (flags.output === 'json') context.terminal.print(JSON.stringify(state, null, 2));
        else for (const line of linesOf(state)) context.terminal.print(line);
      }),
    );
}

async function waited(
  context: Context,
  { timeout }: RecoveryFlags,
  from: { state: RecoveryState; look: () => Promise<RecoveryState> },
): Promise<RecoveryState> {
  const { clock, signal } = context;
  const limit = parseDurationMs(timeout);
  if (limit === null) throw new CliError('refused', `--timeout ${timeout}: use 30s, 5m or 1h`);
  const end = clock.monotonic() + limit;
  let { state } = from;
  while (state.learning && !signal.aborted && clock.monotonic() < end) {
    await clock.sleep(LOOK_MS, signal);
    state = await from.look();
  }
  if (state.learning) context.exit(EXIT.timedOut);
  return state;
}

function linesOf({ restoredAt, backupAt, learning, unheard }: RecoveryState): string[] {
  if (restoredAt === null) return ['This hub was never restored.'];
  const waits = unheard.length === 0 ? [] : [`  not heard   ${unheard.join(', ')}`];
  return [
    `Restored at ${restoredAt} from a backup of ${backupAt ?? 'unknown time'}`,
    ...waits,
    learning
      ? 'The hub learns: nothing is applied or sent until every node was heard, or `--finish` says to go on.'
      : unheard.length === 0
        ? 'Complete: every node was heard.'
        : 'Ended by an operator: those nodes stay as they are, and are sent nothing, until they were heard.',
  ];
}
