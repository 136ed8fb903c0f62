/** `flotilla exec` and `flotilla attach`: a command in a container, or its own process, on this terminal. */
import { Command } from 'commander';
import type { WebSocket } from 'ws';
import { CliError } from '../../protocol/cli-error.js';
import { exitCodeOf, openCommand, sendSize, talk } from './channels.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { containerOf, findPod, withPod, type PodOptions } from './pod-choice.js';

interface ExecOptions extends ConnectionOptions, PodOptions {
  stdin?: boolean;
  tty?: boolean;
}

const EXAMPLES = `
Examples:
  flotilla exec web-edge-1 -- ls /srv
  flotilla exec web --node edge-1 -it -- sh
  tar c . | flotilla exec -i web-edge-1 -c web -- tar x -C /srv

The exit code is the command's own. A node allows exec only if its configuration says so.`;

function withTerminal(command: Command): Command {
  return withPod(withConnection(command))
    .option('-i, --stdin', 'hand on standard input')
    .option('-t, --tty', 'standard input is a terminal: with -i');
}

export function execCommand(context: Context): Command {
  return withTerminal(new Command('exec'))
    .summary('run a command in a container')
    .usage('[options] POD -- COMMAND [WORD...]')
    .argument('<pod>', 'pod, with or without its node’s name')
    .argument('<command...>', 'after --')
    .addHelpText('after', EXAMPLES)
    .action((pod: string, words: string[], options: ExecOptions) =>
      run(context, options, { verb: 'exec', pod, words }),
    );
}

export function attachCommand(context: Context): Command {
  return withTerminal(new Command('attach'))
    .summary('connect to the process of a container')
    .usage('[options] POD')
    .argument('<pod>', 'pod, with or without its node’s name')
    .addHelpText('after', '\nCtrl-C ends the connection; with -it it goes to the process.')
    .action((pod: string, options: ExecOptions) =>
      run(context, options, { verb: 'attach', pod, words: [] }),
    );
}

interface What {
  readonly verb: 'exec' | 'attach';
  readonly pod: string;
  readonly words: readonly string[];
}

/** As kubectl: a terminal only where there is one. */
function wantsTerminal(context: Context, options: ExecOptions): boolean {
  if (!options.tty) return false;
  const { stdin } = context.terminal.streams;
  if (options.stdin && stdin.isTTY === true) return true;
  context.terminal.warn('Unable to use a TTY: standard input is no terminal, or -i is missing');
  return false;
}

async function run(context: Context, options: ExecOptions, what: What): Promise<void> {
  await connected(context, options, async hub => {
    const { terminal, signal } = context;
    const pod = await findPod(hub, what.pod, options.node);
    const container = containerOf(pod, options.container, line => terminal.warn(line));
    const tty = wantsTerminal(context, options);
    const { verb, words } = what;
    const ask = { verb, words, container, stdin: options.stdin === true, tty };
    const socket = await openCommand(hub, { pod, ask, signal });
    const restore = tty ? takeTerminal(context, socket) : () => {};
    try {
      const { stdin, stdout, stderr } = terminal.streams;
      const end = await talk(socket, { stdin: options.stdin ? stdin : null, stdout, stderr });
      const code = exitCodeOf(end);
      if (code === null) throw new CliError('failed', end.message ?? end.reason ?? 'it failed');
      if (code !== 0) terminal.warn(`command terminated with exit code ${code}`);
      context.exit(code);
    } catch (error) {
      // Ctrl-C is no failure of the connection.
      throw signal.aborted ? new Error('interrupted') : error;
    } finally {
      restore();
    }
  });
}

/** Keys go through as they are typed, the size follows the window. Returns what undoes it; safe to call twice. */
function takeTerminal({ terminal }: Context, socket: WebSocket): () => void {
  const { stdin, stdout } = terminal.streams;
  const resized = () => {
    if (stdout.columns && stdout.rows) sendSize(socket, stdout.columns, stdout.rows);
  };
  stdin.setRawMode?.(true);
  stdout.on('resize', resized);
  resized();
  const restore = () => {
    stdout.off('resize', resized);
    if (!stdin.destroyed) stdin.setRawMode?.(false);
  };
  socket.once('close', restore);
  return restore;
}
