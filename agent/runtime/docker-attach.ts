/**
 * Terminals over the Engine API: the connection of an exec or attach is taken over (`Upgrade: tcp`), so that end of stdin can
 * be said alone; docker-modem's own duplex would close both ways (docker-modem#48).
 */
import type Docker from 'dockerode';
import type { Exec } from 'dockerode';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../protocol/ports.js';
import type { Attachment, AttachedOutput, AttachOptions, ExecAttachOptions } from './attach.js';
import { isGone, messageOf, runtimeErrorOf, statusOf } from './docker-errors.js';
import { RuntimeError, type EngineId } from './runtime.js';

/** One header of the engine's stream: type, three zeros, length (Engine API, ContainerAttach). */
const FRAME_HEADER = 8;
const STDERR = 2;
/** Docker's own keys to detach would swallow ctrl-p in every shell: something that nobody types. */
const DETACH_KEYS = 'ctrl-^,ctrl-_,ctrl-^,ctrl-_,ctrl-^';
/** The engine notes an exit code a moment after it closed the output; and takes a size a moment after the start. */
const LOOK_FIRST_MS = 10;
const LOOK_MAX_MS = 500;
const LOOKS_MAX = 20;
const RESIZES_MAX = 10;
/** ctrl-d: end of input, to a program that reads a terminal line by line. */
const END_OF_TRANSMISSION = '\x04';
const LET_GO_MS = 1_000;

export interface AttachTools {
  readonly docker: Docker;
  readonly clock: Clock;
  /** The engine's. */
  readonly socketPath: string;
}

/** Takes output out of the engine's frames, whatever way the chunks are cut; what follows on one channel stays one piece. */
export function channelReader(): (chunk: Buffer) => AttachedOutput[] {
  let header = Buffer.alloc(0);
  let left = 0;
  let channel: AttachedOutput['channel'] = 'stdout';
  return chunk => {
    const runs: { channel: AttachedOutput['channel']; pieces: Buffer[] }[] = [];
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        const piece = chunk.subarray(at, at + FRAME_HEADER - header.length);
        header = Buffer.concat([header, piece]);
        at += piece.length;
        if (header.length < FRAME_HEADER) continue;
        left = header.readUInt32BE(4);
        channel = header[0] === STDERR ? 'stderr' : 'stdout';
        header = Buffer.alloc(0);
        continue;
      }
      const piece = chunk.subarray(at, at + left);
      left -= piece.length;
      at += piece.length;
      const last = runs.at(-1);
      if (last?.channel === channel) last.pieces.push(piece);
      else runs.push({ channel, pieces: [piece] });
    }
    return runs.map(run => ({ channel: run.channel, bytes: Buffer.concat(run.pieces) }));
  };
}

/** Throws as `ContainerAttach.openExec` says. */
export async function openExec(
  { docker, clock }: AttachTools,
  id: EngineId,
  options: ExecAttachOptions,
): Promise<Attachment> {
  let exec: Exec;
  let socket: Socket;
  try {
    exec = await docker.getContainer(id).exec({
      Cmd: [...options.command],
      AttachStdin: options.stdin,
      AttachStdout: options.stdout,
      AttachStderr: options.stderr,
      Tty: options.tty,
      DetachKeys: DETACH_KEYS,
    });
    const start = { Detach: false, Tty: options.tty, hijack: true, stdin: true };
    socket = (await exec.start(start)) as unknown as Socket;
  } catch (error) {
    throw openError(error, id);
  }
  return attachment(socket, {
    tty: options.tty,
    stdin: options.stdin,
    resize: size => patiently(clock, () => exec.resize(size)),
    exitCode: () => exitCodeOf(exec, clock),
  });
}

/** Throws as `ContainerAttach.openAttach` says. */
export async function openAttach(
  { docker, clock, socketPath }: AttachTools,
  id: EngineId,
  options: AttachOptions,
): Promise<Attachment> {
  const container = docker.getContainer(id);
  let tty: boolean;
  let socket: Socket;
  try {
    tty = (await container.inspect()).Config.Tty;
    socket = await takenOver(socketPath, `/containers/${id}/attach?${attachQuery(options)}`);
  } catch (error) {
    throw openError(error, id);
  }
  return attachment(socket, {
    tty,
    // The container's own program is not told to end.
    stdin: false,
    resize: size => patiently(clock, () => container.resize(size)),
    exitCode: () => Promise.resolve(null),
  });
}

function attachQuery({ stdin, stdout, stderr }: AttachOptions): string {
  const query = new URLSearchParams({ stream: '1', logs: '0', detachKeys: DETACH_KEYS });
  for (const [name, isWanted] of Object.entries({ stdin, stdout, stderr })) {
    if (isWanted) query.set(name, '1');
  }
  return query.toString();
}

/** dockerode would send its options as a body, which Podman gives the container as input. */
function takenOver(socketPath: string, path: string): Promise<Socket> {
  return new Promise((done, fail) => {
    const headers = { connection: 'Upgrade', upgrade: 'tcp', 'content-length': '0' };
    const req = request({ socketPath, path, method: 'POST', headers });
    req.on('error', fail);
    req.on('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      done(socket);
    });
    req.on('response', response => {
      const { statusCode } = response;
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const said = Buffer.concat(chunks).toString('utf8').slice(0, 1000);
        fail(Object.assign(new Error(said), { statusCode }));
      });
    });
    req.end();
  });
}

function openError(error: unknown, id: EngineId): RuntimeError {
  const message = messageOf(error);
  if (isGone(error) || statusOf(error) === 409 || /not running|state improper/i.test(message)) {
    return new RuntimeError('NotFound', `container ${id.slice(0, 12)} does not run`, {
      cause: error,
    });
  }
  const isProgram = /OCI runtime|exec failed|executable file not found/i.test(message);
  return isProgram
    ? new RuntimeError('RunContainerError', message, { retry: 'never', cause: error })
    : runtimeErrorOf(error, 'EngineError');
}

interface Terminal {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly resize: (size: { w: number; h: number }) => Promise<void>;
  readonly exitCode: () => Promise<number | null>;
}

function attachment(socket: Socket, { tty, stdin, resize, exitCode }: Terminal): Attachment {
  // Lost while nobody reads or writes: the reader sees the end.
  socket.on('error', () => undefined);
  return {
    output: outputOf(socket, tty),
    write: async bytes => {
      if (socket.destroyed || socket.writableEnded || socket.write(bytes)) return;
      await new Promise<void>(resolve => {
        const done = () => {
          socket.off('drain', done).off('close', done);
          resolve();
        };
        socket.on('drain', done).on('close', done);
      });
    },
    endInput: () => void socket.end(),
    resize: async ({ width, height }) => (tty ? resize({ w: width, h: height }) : undefined),
    exitCode,
    close: () => {
      // A shell that nobody reaches any more ends by itself; what it runs goes on.
      if (tty && stdin && socket.writable) socket.write(END_OF_TRANSMISSION);
      socket.setTimeout(LET_GO_MS, () => socket.destroy());
      socket.destroySoon();
    },
  };
}

async function* outputOf(socket: Socket, tty: boolean): AsyncGenerator<AttachedOutput> {
  const read = channelReader();
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      if (tty) yield { channel: 'stdout', bytes: chunk };
      else yield* read(chunk);
    }
  } catch {
    // A connection that breaks is over, as one that ends.
  }
}

async function patiently(clock: Clock, call: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; tries <= RESIZES_MAX; tries++) {
    try {
      await call();
      return;
    } catch (error) {
      // Of a program that ended, or has not begun yet.
      if (isGone(error)) return;
      await clock.sleep(LOOK_FIRST_MS * tries);
    }
  }
}

async function exitCodeOf(exec: Exec, clock: Clock): Promise<number | null> {
  let wait = LOOK_FIRST_MS;
  for (let looks = 1; looks <= LOOKS_MAX; looks++) {
    try {
      const { Running, ExitCode } = (await exec.inspect()) as unknown as {
        readonly Running: boolean;
        readonly ExitCode: number | null;
      };
      if (!Running && ExitCode !== null) return ExitCode;
    } catch {
      return null;
    }
    await clock.sleep(wait);
    wait = Math.min(2 * wait, LOOK_MAX_MS);
  }
  return null;
}
