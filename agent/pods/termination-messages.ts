/**
 * The files in which containers leave their last words, and the reading of them (kubelet behaviour rows 199, 200).
 *
 * One file for each attempt, `<data-dir>/pods/<uid>/containers/<name>/<attempt>`, mode 0666, mounted at
 * `terminationMessagePath`. What is read is container output: it goes into a pod's status on this node and nowhere
 * else. Decides nothing but how much is read. Standard: `pkg/kubelet/kuberuntime`, `kuberuntime_container.go`.
 */
import { constants } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerRuntime, EngineId, Mount } from '../runtime/runtime.js';
import type { Container } from '../../protocol/pod.js';
import type { Clock } from '../../protocol/ports.js';
import { makeDirectory } from '../make-directory.js';

/** Of the file's end, per container. */
export const MESSAGE_BYTES_MAX = 4096;
/** Of the log's end, with `FallbackToLogsOnError`. */
export const FALLBACK_LINES = 80;
export const FALLBACK_BYTES_MAX = 2048;

/** An engine that gives no log holds nothing up: the message is then empty. */
const LOG_PATIENCE_MS = 1_000;
/** Files of this many former attempts stay beside the one that is made. */
const FORMER_KEPT = 2;

/** One run of a container that is over. */
export interface EndedContainer {
  readonly id: EngineId;
  readonly uid: string;
  readonly name: string;
  readonly attempt: number;
  /** `FallbackToLogsOnError`, the exit code is not 0 and the program did start. */
  readonly fallsBackToLogs: boolean;
  /** It failed in a pod of a bundle: its log's end is wanted beside its message. */
  readonly isTold: boolean;
}

export interface TerminationMessages {
  /** The file of one attempt, empty; calling again empties it. Throws what the disk says. */
  prepare(uid: string, container: Container, attempt: number): Promise<Mount>;
  /** Reads what was not read before and forgets who is not named. Never throws. */
  read(ended: readonly EndedContainer[]): Promise<void>;
  /** By container id; who left no message is not in it. */
  readonly messages: ReadonlyMap<EngineId, string>;
  /** By container id: the end of the log of those that are told and left no message; part of no status. */
  readonly tails: ReadonlyMap<EngineId, string>;
}

export interface TerminationOptions {
  readonly dataDir: string;
  readonly runtime: Pick<ContainerRuntime, 'logs'>;
  readonly clock: Clock;
}

/** A message cut in the middle of a character begins with the next one. */
function textOf(bytes: Buffer): string {
  let from = 0;
  while (from < Math.min(3, bytes.length) && ((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return bytes.subarray(from).toString('utf8');
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await file.stat();
    const length = Math.min(size, MESSAGE_BYTES_MAX);
    const { bytesRead, buffer } = await file.read({
      buffer: Buffer.alloc(length),
      position: size - length,
    });
    const bytes = buffer.subarray(0, bytesRead);
    return size > length ? textOf(bytes) : bytes.toString('utf8');
  } finally {
    await file.close();
  }
}

export function openTerminationMessages(options: TerminationOptions): TerminationMessages {
  const { dataDir, runtime, clock } = options;
  const messages = new Map<EngineId, string>();
  const tails = new Map<EngineId, string>();
  /** Those that were read, whatever came of it. */
  let known = new Set<EngineId>();
  const folderOf = (uid: string, name: string) => join(dataDir, 'pods', uid, 'containers', name);

  async function removeFormer(folder: string, attempt: number): Promise<void> {
    const attempts = (await readdir(folder)).map(Number).filter(one => one < attempt);
    const old = attempts.sort((a, b) => b - a).slice(FORMER_KEPT);
    for (const one of old) await rm(join(folder, String(one)), { force: true });
  }

  async function lastLogLines(id: EngineId): Promise<string> {
    const limit = new AbortController();
    const done = new AbortController();
    const patience = clock.sleep(LOG_PATIENCE_MS, done.signal).then(() => limit.abort());
    let tail = Buffer.alloc(0);
    let isCut = false;
    try {
      for await (const chunk of runtime.logs(id, { tailLines: FALLBACK_LINES }, limit.signal)) {
        const all = Buffer.concat([tail, chunk]);
        isCut ||= all.length > FALLBACK_BYTES_MAX;
        tail = all.subarray(Math.max(0, all.length - FALLBACK_BYTES_MAX));
      }
    } finally {
      done.abort();
      await patience;
    }
    return isCut ? textOf(tail) : tail.toString('utf8');
  }

  async function messageOf(one: EndedContainer): Promise<string> {
    let message = '';
    try {
      message = await tailOf(join(folderOf(one.uid, one.name), String(one.attempt)));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') return `Error on reading termination log: ${code ?? String(error)}`;
    }
    if (message !== '' || !one.fallsBackToLogs) return message;
    return lastLogLines(one.id).catch(() => '');
  }

  return {
    messages,
    tails,
    async prepare(uid, container, attempt) {
      const folder = folderOf(uid, container.name);
      await makeDirectory(folder, 0o750);
      await removeFormer(folder, attempt);
      const hostPath = join(folder, String(attempt));
      const flags = constants.O_CREAT | constants.O_WRONLY | constants.O_TRUNC;
      const file = await open(hostPath, flags | constants.O_NOFOLLOW, 0o666);
      // Whatever the umask: the program may run as any user.
      await file.chmod(0o666);
      await file.close();
      const path = container.terminationMessagePath ?? '';
      return {
        hostPath,
        containerPath: path.startsWith('/') ? path : `/${path}`,
        readOnly: false,
        propagation: 'rprivate',
        recursiveReadOnly: false,
      };
    },
    async read(ended) {
      const ids = new Set(ended.map(one => one.id));
      for (const map of [messages, tails])
        for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
      const fresh = ended.filter(one => !known.has(one.id));
      known = ids;
      await Promise.all(
        fresh.map(async one => {
          const message = await messageOf(one);
          if (message !== '') return void messages.set(one.id, message);
          if (!one.isTold || one.fallsBackToLogs) return;
          const tail = await lastLogLines(one.id).catch(() => '');
          if (tail !== '') tails.set(one.id, tail);
        }),
      );
    },
  };
}
