/**
 * What a stream carries: a container's log, a terminal, a TCP connection. Order of calls only; each ends with the Status
 * that the asker is told, and lets go of what it held when the stream is over.
 */
import { connect, type Socket } from 'node:net';
import type { AttachAsk, ExecAsk } from '../../protocol/documents/command.js';
import { exitStatus, failure, SUCCESS, type StreamStatus } from '../../protocol/stream-frames.js';
import type { Attachment, ContainerAttach } from '../runtime/attach.js';
import { RuntimeError, type ContainerRuntime } from '../runtime/runtime.js';
import type { EngineId, LogOptions } from '../runtime/runtime.js';
import type { StreamIo } from './sealed-stream.js';

/** As a shell says that a program was not found, or could not be run. */
const NOT_FOUND = 127;
const CANNOT_RUN = 126;
const CONNECT_MS = 10_000;

export type StreamRuntime = Pick<ContainerRuntime, 'logs'> & ContainerAttach;

export async function serveLogs(
  runtime: StreamRuntime,
  { id, options }: { readonly id: EngineId; readonly options: LogOptions },
  io: StreamIo,
): Promise<StreamStatus> {
  try {
    for await (const bytes of runtime.logs(id, options, io.signal)) {
      await io.output('stdout', bytes);
    }
    return SUCCESS;
  } catch (error) {
    if (error instanceof RuntimeError) return failure(error.code, error.message);
    throw error;
  }
}

export async function serveExec(
  runtime: StreamRuntime,
  { id, ask }: { readonly id: EngineId; readonly ask: ExecAsk },
  io: StreamIo,
): Promise<StreamStatus> {
  const { stdin, stdout, stderr, tty } = ask;
  try {
    const options = { command: io.command, stdin, stdout, stderr, tty };
    const code = await serveTerminal(await runtime.openExec(id, options), stdin, io);
    return code === null
      ? failure('InternalError', 'the engine does not tell how the program ended')
      : exitStatus(code);
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    if (error.code !== 'RunContainerError') return failure(error.code, error.message);
    await io.output(stderr ? 'stderr' : 'stdout', Buffer.from(`${error.message}\n`));
    return exitStatus(/not found|no such file/i.test(error.message) ? NOT_FOUND : CANNOT_RUN);
  }
}

export async function serveAttach(
  runtime: StreamRuntime,
  { id, ask }: { readonly id: EngineId; readonly ask: AttachAsk },
  io: StreamIo,
): Promise<StreamStatus> {
  const { stdin, stdout, stderr } = ask;
  try {
    await serveTerminal(await runtime.openAttach(id, { stdin, stdout, stderr }), stdin, io);
    return SUCCESS;
  } catch (error) {
    if (error instanceof RuntimeError) return failure(error.code, error.message);
    throw error;
  }
}

/** The program's exit code, where there is one. */
async function serveTerminal(
  attachment: Attachment,
  stdin: boolean,
  io: StreamIo,
): Promise<number | null> {
  const close = () => attachment.close();
  io.signal.addEventListener('abort', close, { once: true });
  try {
    if (io.signal.aborted) return null;
    io.onResize(size => void attachment.resize(size));
    if (stdin) void giveInput(attachment, io);
    for await (const { channel, bytes } of attachment.output) await io.output(channel, bytes);
    return await attachment.exitCode();
  } finally {
    io.signal.removeEventListener('abort', close);
    close();
  }
}

async function giveInput(attachment: Attachment, { input, signal }: StreamIo): Promise<void> {
  for await (const bytes of input) await attachment.write(bytes);
  if (!signal.aborted) attachment.endInput();
}

/** Each side may end its half first. */
export async function servePort(
  { host, port }: { readonly host: string; readonly port: number },
  io: StreamIo,
): Promise<StreamStatus> {
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('it does not answer')));
  const close = () => void socket.destroy();
  io.signal.addEventListener('abort', close, { once: true });
  try {
    await connected(socket);
    void giveBytes(socket, io);
    for await (const bytes of socket as AsyncIterable<Buffer>) await io.output('stdout', bytes);
    return SUCCESS;
  } catch (error) {
    if (io.signal.aborted || !(error instanceof Error && 'code' in error)) throw error;
    return failure('PortForward', `port ${port} of the pod: ${error.message}`);
  } finally {
    io.signal.removeEventListener('abort', close);
    close();
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', error => reject(Object.assign(error, { code: 'EPORT' })));
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve();
    });
  });
}

async function giveBytes(socket: Socket, { input, signal }: StreamIo): Promise<void> {
  // What breaks is seen by whoever reads.
  socket.on('error', () => undefined);
  for await (const bytes of input) {
    if (socket.destroyed || !socket.writable) return;
    if (!socket.write(bytes)) {
      await new Promise<void>(resolve => {
        const done = () => {
          socket.off('drain', done).off('close', done);
          resolve();
        };
        socket.on('drain', done).on('close', done);
      });
    }
  }
  if (!signal.aborted) socket.end();
}
