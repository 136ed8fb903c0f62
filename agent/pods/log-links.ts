/**
 * Links to the engine's log files at the places where log collectors look for a kubelet's (row 205). A link lives as long as the
 * log that it points to (better than row 206: the last words of a crashed version stay). Touches no file that is not such a link;
 * where it may not write it says so once and leaves it at that.
 */
import { lstat, readdir, readlink, rmdir, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { containerLogName, fitsFileSystem, podLogPath } from '../runtime/log-paths.js';
import type { ObservedContainer, ObservedPods } from '../runtime/runtime.js';
import type { Log } from '../../protocol/ports.js';
import { makeDirectory } from '../make-directory.js';

/** What an engine calls a log of its own: nothing else is taken for ours. */
const ENGINE_LOG = /\/[0-9a-f]{64}\/(?:[0-9a-f]{64}-json\.log|userdata\/ctr\.log)$/;

export interface LogLinks {
  /** Makes and removes links until they are those of what was observed. Never throws. Twice is the same as once. */
  sync(observed: ObservedPods): Promise<void>;
}

interface Links {
  /** The engine's file. */
  readonly target: string;
  /** `/var/log/pods/…`, which points to it. */
  readonly inPods: string;
  /** `/var/log/containers/…`, which points to that. */
  readonly inContainers: string;
}

async function targetOf(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch {
    return null;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** A link of another target is replaced, a file of somebody else is left. */
async function link(target: string, path: string): Promise<void> {
  const there = await targetOf(path);
  if (there === target) return;
  if (there !== null) await unlink(path);
  else if (await isThere(path)) return;
  await makeDirectory(dirname(path), 0o755);
  await symlink(target, path);
}

async function entriesOf(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch {
    return [];
  }
}

/** Of a directory that is empty now; with something in it, it stays. */
async function removeEmpty(path: string): Promise<void> {
  await rmdir(path).catch(() => undefined);
}

class LogDirectory implements LogLinks {
  readonly #pods: string;
  readonly #containers: string;
  readonly #log: Log;
  #known = new Map<string, Links>();
  readonly #leftOut = new Set<string>();
  #isFirst = true;
  #isOff = false;
  #running: Promise<void> = Promise.resolve();

  constructor(directory: string, log: Log) {
    this.#pods = join(directory, 'pods');
    this.#containers = join(directory, 'containers');
    this.#log = log;
  }

  sync({ containers }: ObservedPods): Promise<void> {
    const wanted = new Map(
      containers
        .filter(({ logPath }) => logPath !== '')
        .map(one => [one.id, this.#linksOf(one)] as const)
        .filter(([, { inPods }]) => fitsFileSystem(inPods) || this.#leaveOut(inPods)),
    );
    this.#running = this.#running.then(() => this.#reach(wanted));
    return this.#running;
  }

  /** One pod with a long name is no reason to do without the links of the others. */
  #leaveOut(path: string): false {
    const pod = dirname(dirname(path));
    if (!this.#leftOut.has(pod)) {
      this.#log.warn('no links to the logs of a pod: its name is too long', { path: pod });
    }
    this.#leftOut.add(pod);
    return false;
  }

  #linksOf({ id, pod, name, attempt, logPath }: ObservedContainer): Links {
    return {
      target: logPath,
      inPods: podLogPath(this.#pods, pod, { name, attempt }),
      inContainers: join(this.#containers, containerLogName(pod, { name, id })),
    };
  }

  async #reach(wanted: ReadonlyMap<string, Links>): Promise<void> {
    if (this.#isOff) return;
    try {
      for (const [id, links] of wanted) {
        if (this.#known.get(id)?.target === links.target) continue;
        await link(links.target, links.inPods);
        await link(links.inPods, links.inContainers);
        this.#known.set(id, links);
      }
      for (const [id, links] of this.#known) {
        if (wanted.has(id)) continue;
        await this.#remove(links, wanted);
        this.#known.delete(id);
      }
      // What an agent before this one could not remove.
      if (this.#isFirst) await this.#sweep();
      this.#isFirst = false;
    } catch (error) {
      this.#isOff = true;
      const { code = String(error) } = error as NodeJS.ErrnoException;
      this.#log.warn('no links to the logs of pods are made', { directory: this.#pods, code });
    }
  }

  async #remove(links: Links, wanted: ReadonlyMap<string, Links>): Promise<void> {
    const { target, inPods, inContainers } = links;
    if ((await targetOf(inContainers)) === inPods) await unlink(inContainers);
    // A container that was made again under the same number may have taken the place.
    const isTaken = [...wanted.values()].some(other => other.inPods === inPods);
    if (!isTaken && (await targetOf(inPods)) === target) await unlink(inPods);
    await removeEmpty(dirname(inPods));
    await removeEmpty(dirname(dirname(inPods)));
  }

  /** Links to engine logs that are gone. */
  async #sweep(): Promise<void> {
    for (const pod of await entriesOf(this.#pods)) {
      const podDirectory = join(this.#pods, pod);
      for (const container of await entriesOf(podDirectory)) {
        const directory = join(podDirectory, container);
        for (const name of await entriesOf(directory)) {
          const path = join(directory, name);
          const target = await targetOf(path);
          if (target === null || !ENGINE_LOG.test(target) || (await isThere(target))) continue;
          await unlink(path);
          await removeEmpty(directory);
          await removeEmpty(podDirectory);
        }
      }
    }
    for (const name of await entriesOf(this.#containers)) {
      const path = join(this.#containers, name);
      const target = await targetOf(path);
      const isOurs = target?.startsWith(`${this.#pods}/`) ?? false;
      if (target !== null && isOurs && !(await isThere(target))) await unlink(path);
    }
  }
}

/** `directory`: `/var/log`. */
export function openLogLinks(directory: string, log: Log): LogLinks {
  return new LogDirectory(directory, log);
}
