/**
 * Follows files and folders of the host that pods are to be restarted for (pain P11): read before the first plan, then
 * looked at every two seconds; a change counts when two looks agree, so that what is half written does not. What cannot be
 * read keeps what was known of it. Decides nothing about pods; does nothing while no pod asks for it.
 */
import { HostFileDigester } from './host-file-digest.js';
import { reachHostPath, type ReachPath } from './host-path-reach.js';
import type { Clock, Log } from '../../protocol/ports.js';

const LOOK_EVERY_MS = 2_000;
/** A file system that does not answer holds up only the pods that ask for it. */
const LOOK_MAX_MS = 1_000;

export interface HostFilesOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Something changed, or was read late. */
  readonly onChange: () => void;
  /** Asked before a path is read. */
  readonly reach?: ReachPath;
}

export class HostFiles {
  readonly #options: HostFilesOptions;
  readonly #digester = new HostFileDigester();
  readonly #ending = new AbortController();
  readonly #digests = new Map<string, string>();
  /** What the last look found where it was another. */
  readonly #next = new Map<string, string>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #refused = new Set<string>();
  #paths: readonly string[] = [];
  #following: Promise<void> | null = null;

  constructor(options: HostFilesOptions) {
    this.#options = options;
  }

  /** By path, as far as it was read. */
  get digests(): ReadonlyMap<string, string> {
    return this.#digests;
  }

  /** Follows these from now on. Resolves when all were read once, or after a second. */
  async follow(paths: readonly string[]): Promise<void> {
    this.#paths = [...new Set(paths)];
    for (const path of this.#digests.keys()) {
      if (!this.#paths.includes(path)) this.#digests.delete(path);
    }
    this.#digester.keepOnly(this.#paths);
    if (this.#paths.length === 0) return;
    this.#following ??= this.#follow().finally(() => (this.#following = null));
    const fresh = this.#paths.filter(path => !this.#digests.has(path));
    if (fresh.length > 0) await this.#readAll(fresh);
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { clock, onChange } = this.#options;
    for (;;) {
      await clock.sleep(LOOK_EVERY_MS, this.#ending.signal);
      if (this.#ending.signal.aborted || this.#paths.length === 0) return;
      const before = new Map(this.#digests);
      await this.#readAll(this.#paths);
      if (this.#paths.some(path => this.#digests.get(path) !== before.get(path))) onChange();
    }
  }

  /** What takes longer is not waited for. */
  async #readAll(paths: readonly string[]): Promise<void> {
    const patience = new AbortController();
    const signal = AbortSignal.any([patience.signal, this.#ending.signal]);
    const all = Promise.all(paths.map(path => this.#read(path)));
    await Promise.race([all, this.#options.clock.sleep(LOOK_MAX_MS, signal)]);
    patience.abort();
  }

  /** One look at a time: a second one joins it. */
  #read(path: string): Promise<void> {
    const reading =
      this.#reading.get(path) ?? this.#look(path).finally(() => this.#reading.delete(path));
    this.#reading.set(path, reading);
    return reading;
  }

  async #look(path: string): Promise<void> {
    const { reach = reachHostPath } = this.#options;
    try {
      await reach(path);
      this.#note(path, await this.#digester.digest(path));
      this.#refused.delete(path);
    } catch (error) {
      if (this.#refused.has(path)) return;
      this.#refused.add(path);
      this.#options.log.warn('files that pods are restarted for cannot be read', { path, error });
    }
  }

  #note(path: string, digest: string): void {
    const known = this.#digests.get(path);
    if (known === undefined || this.#next.get(path) === digest) this.#digests.set(path, digest);
    if (known === undefined || known === digest || this.#digests.get(path) === digest) {
      this.#next.delete(path);
    } else this.#next.set(path, digest);
  }
}
