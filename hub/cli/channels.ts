/**
 * The CLI's end of a command in a container (v5.channel.k8s.io, as the hub speaks it): bytes both ways at the pace of the
 * slower side, sizes of the terminal, and how it ended.
 */
import type { Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { CliError } from '../../protocol/cli-error.js';
import type { ApiObject } from './client.js';
import type { Connected } from './context.js';
import { PODS } from './pod-choice.js';
import { pathOf } from './resources.js';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;
const PIECE_BYTES = 64 * 1024;

export interface CommandEnd {
  readonly status?: 'Success' | 'Failure';
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { reason: string; message: string }[] };
}

export interface Ends {
  readonly stdin: Readable | null;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

export interface CommandAsk {
  readonly verb: 'exec' | 'attach';
  readonly words: readonly string[];
  readonly container: string | undefined;
  readonly stdin: boolean;
  /** Then there is no stderr. */
  readonly tty: boolean;
}

/** Accepted by the node, and paused until `talk`. Throws `ApiError` for a refusal, `HubUnreachable`. */
export function openCommand(
  { client, namespace: usual }: Connected,
  request: { pod: ApiObject; ask: CommandAsk; signal: AbortSignal },
): Promise<WebSocket> {
  const { pod, ask, signal } = request;
  const query = new URLSearchParams({ stdout: 'true' });
  if (ask.container !== undefined) query.set('container', ask.container);
  if (ask.stdin) query.set('stdin', 'true');
  query.set(ask.tty ? 'tty' : 'stderr', 'true');
  for (const word of ask.words) query.append('command', word);
  const { namespace = usual, name } = pod.metadata;
  return client.webSocket({ path: `${pathOf(PODS, namespace, name)}/${ask.verb}`, signal }, query);
}

function send(socket: WebSocket, channel: number, bytes: Uint8Array): Promise<void> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  return new Promise(done => {
    socket.send(Buffer.concat([Buffer.from([channel]), bytes]), () => done());
  });
}

export function sendSize(socket: WebSocket, width: number, height: number): void {
  void send(socket, RESIZE, Buffer.from(JSON.stringify({ Width: width, Height: height })));
}

async function sendInput(socket: WebSocket, stdin: Readable): Promise<void> {
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      await send(socket, STDIN, chunk.subarray(at, at + PIECE_BYTES));
    }
    if (socket.readyState !== socket.OPEN) return;
  }
  await send(socket, CLOSE, Buffer.from([STDIN]));
}

/** How the command ended. Throws what stdin failed with, and `CliError` when the connection broke before. */
export async function talk(
  socket: WebSocket,
  { stdin, stdout, stderr }: Ends,
): Promise<CommandEnd> {
  let end: CommandEnd | null = null;
  const write = (to: Writable, bytes: Buffer) => {
    if (to.write(bytes)) return;
    socket.pause();
    to.once('drain', () => socket.resume());
  };
  socket.on('message', data => {
    const [channel] = data as Buffer;
    const bytes = (data as Buffer).subarray(1);
    if (channel === STDOUT) write(stdout, bytes);
    else if (channel === STDERR) write(stderr, bytes);
    else if (channel === ERROR) end = JSON.parse(bytes.toString()) as CommandEnd;
  });
  const closed = new Promise<string>(done => {
    socket.once('close', (code, reason) =>
      done(`${code}${reason.length > 0 ? ` ${String(reason)}` : ''}`),
    );
  });
  socket.resume();
  let failed: Error | null = null;
  const input = (stdin ? sendInput(socket, stdin) : Promise.resolve()).catch((error: unknown) => {
    // What waits for the rest would wait for ever. One that ended already needs no more.
    if (socket.readyState === socket.OPEN) failed = error as Error;
    socket.terminate();
  });
  const code = await closed;
  // What was typed ahead has no reader any more, and would keep the program alive.
  stdin?.destroy();
  await input;
  if (failed !== null) throw failed as Error;
  if (end) return end;
  throw new CliError('failed', `the connection to the hub broke off (${code})`);
}

/** The command's own exit code; null when it did not end by itself. */
export function exitCodeOf(end: CommandEnd): number | null {
  if (end.status === 'Success') return 0;
  const cause = end.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  return cause ? Number(cause.message) : null;
}
