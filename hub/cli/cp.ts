/** `flotilla cp`: files and folders to and from a container, through its `tar`, as kubectl does it. */
import { Command } from 'commander';
import { lstat } from 'node:fs/promises';
import { basename, posix, resolve } from 'node:path';
import { PassThrough, Writable, type Readable } from 'node:stream';
import { CliError } from '../../protocol/cli-error.js';
import { exitCodeOf, openCommand, talk } from './channels.js';
import type { ApiObject } from './client.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { containerOf, findPod, withPod, type PodOptions } from './pod-choice.js';
import { localTarget, packTree, unpackTree } from './tar-copy.js';

interface CopyOptions extends ConnectionOptions, PodOptions {}

const EXAMPLES = `
Examples:
  flotilla cp site.conf web-edge-1:/etc/site.conf
  flotilla cp shop/web-edge-1:/var/log/app ./logs -c web

The container needs tar. A node allows cp where it allows exec.`;

export function cpCommand(context: Context): Command {
  return withPod(withConnection(new Command('cp')))
    .summary('copy files and folders to and from a container')
    .usage('[options] SOURCE TARGET')
    .argument('<source>', 'a path here, or [NAMESPACE/]POD:PATH')
    .argument('<target>', 'the same; one of the two is in a pod')
    .addHelpText('after', EXAMPLES)
    .action((source: string, target: string, options: CopyOptions) =>
      connected(context, options, hub => copy(context, hub, { source, target, options })),
    );
}

/** A path in a pod; null for one here: `./a:b` and `/a:b` are paths. */
interface Place {
  readonly namespace: string | null;
  readonly pod: string;
  readonly path: string;
}

function placeOf(word: string): Place | null {
  const [, namespace, pod = '', path = ''] = /^(?:([^/:.]+)\/)?([^/:]+):(.*)$/s.exec(word) ?? [];
  if (pod === '') return null;
  if (path === '') throw new CliError('refused', `"${word}" names no path: POD:PATH`);
  return { namespace: namespace ?? null, pod, path };
}

interface Remote {
  readonly hub: Connected;
  readonly pod: ApiObject;
  readonly container: string | undefined;
  readonly path: string;
}

async function copy(
  context: Context,
  hub: Connected,
  request: { source: string; target: string; options: CopyOptions },
): Promise<void> {
  const { source, target, options } = request;
  const [from, to] = [placeOf(source), placeOf(target)];
  const place = from ?? to;
  if (place === null || (from !== null && to !== null)) {
    throw new CliError('refused', 'one of the two must be in a pod, POD:PATH, and the other here');
  }
  const there = { ...hub, namespace: place.namespace ?? hub.namespace };
  const pod = await findPod(there, place.pod, options.node);
  const container = containerOf(pod, options.container, line => context.terminal.warn(line));
  const remote = { hub: there, pod, container, path: place.path };
  if (to) await upload(context, source, remote);
  else await download(context, remote, target);
}

/** Throws with what `tar` said by its exit code; its words went to stderr already. */
async function runThere(
  context: Context,
  { hub, pod, container }: Remote,
  run: {
    readonly words: readonly string[];
    readonly stdin: Readable | null;
    readonly stdout: Writable;
    readonly stop?: AbortSignal;
  },
): Promise<number> {
  const { words, stdin, stdout, stop } = run;
  const { terminal } = context;
  const signal = stop ? AbortSignal.any([context.signal, stop]) : context.signal;
  const ask = { verb: 'exec', words, container, stdin: stdin !== null, tty: false } as const;
  const socket = await openCommand(hub, { pod, ask, signal });
  try {
    const end = await talk(socket, { stdin, stdout, stderr: terminal.streams.stderr });
    const code = exitCodeOf(end);
    if (code === null) throw new CliError('failed', end.message ?? end.reason ?? 'it failed');
    return code;
  } catch (error) {
    throw context.signal.aborted ? new Error('interrupted', { cause: error }) : error;
  }
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

function checkTar(code: number): void {
  if (code === 0) return;
  const hint = code === 126 || code === 127 ? 'the container needs a tar on its PATH' : null;
  throw new CliError('failed', `tar in the container ended with exit code ${code}`, hint);
}

async function upload(context: Context, source: string, remote: Remote): Promise<void> {
  const stats = await lstat(source).catch(() => null);
  if (!stats) throw new CliError('refused', `there is no file ${source}`);
  const isFolder = ['test', '-d', remote.path];
  const folder =
    (await runThere(context, remote, { words: isFolder, stdin: null, stdout: nowhere() })) === 0;
  const path = folder ? posix.join(remote.path, basename(resolve(source))) : remote.path;
  const words = ['tar', '-xmf', '-', '-C', posix.dirname(path)];
  const stdin = packTree(source, posix.basename(path));
  checkTar(await runThere(context, remote, { words, stdin, stdout: nowhere() }));
}

async function download(context: Context, remote: Remote, target: string): Promise<void> {
  const place = { source: remote.path, target: await localTarget(target, remote.path) };
  const archive = new PassThrough();
  const stop = new AbortController();
  let failed: Error | null = null;
  const written = unpackTree(archive, place, line => context.terminal.warn(line)).catch(
    (error: unknown) => {
      // What cannot be written here ends the command there: its output has no reader.
      failed = error as Error;
      stop.abort();
    },
  );
  const words = ['tar', 'cf', '-', remote.path];
  const run = { words, stdin: null, stdout: archive, stop: stop.signal };
  const code = await runThere(context, remote, run).catch((error: unknown) => {
    throw failed ?? (error as Error);
  });
  if (failed === null) checkTar(code);
  archive.end();
  await written;
  if (failed !== null) throw failed as Error;
}
