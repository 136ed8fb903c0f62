/**
 * Keeps what is remembered of pods' statuses in one file each, `<data-dir>/pods/<uid>/status.json`, so that a restart
 * of the agent moves no time and lowers no count.
 *
 * Written only when something of weight changed, some time after it did, and ever more rarely while it goes on changing
 * (`save-pace.ts`); a file that is lost or damaged costs the
 * times and nothing else. Decides nothing.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterSave, saveDueAt, type SavePace } from './save-pace.js';
import { historyKey, type RememberedStatus } from './status-history.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { makeDirectory } from '../make-directory.js';

const VERSION = 1;
/** Changes come in swarms while a pod starts. */
const SETTLE_MS = 1_000;

export interface StatusMemoryOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

function parsed(text: string): RememberedStatus | null {
  const value = JSON.parse(text) as { version?: unknown } & Partial<RememberedStatus>;
  const { version, status, runs } = value;
  const isWhole = typeof status?.phase === 'string' && typeof runs === 'object';
  return version === VERSION && isWhole ? { status, runs } : null;
}

export class StatusMemory {
  readonly #options: StatusMemoryOptions;
  readonly #remembered = new Map<string, RememberedStatus>();
  readonly #asked = new Set<string>();
  /** Pods whose files stay. */
  readonly #kept = new Set<string>();
  /** By uid: what is on the disk. */
  readonly #saved = new Map<string, string>();
  readonly #stopped = new AbortController();
  readonly #paces = new Map<string, SavePace>();
  /** By uid: those that wait to be saved. */
  readonly #saving = new Map<string, Promise<void>>();

  constructor(options: StatusMemoryOptions) {
    this.#options = options;
  }

  /** By uid. */
  get all(): ReadonlyMap<string, RememberedStatus> {
    return this.#remembered;
  }

  /** Reads the files of pods that were not asked for before; without a file = nothing is remembered. */
  async load(uids: Iterable<string>): Promise<void> {
    const fresh = [...uids].filter(uid => !this.#asked.has(uid));
    for (const uid of fresh) this.#asked.add(uid);
    await Promise.all(fresh.map(uid => this.#read(uid)));
  }

  /** What holds from now on. The disk follows, unless the files of the pod are on their way out. */
  put(uid: string, remembered: RememberedStatus, { isKept }: { isKept: boolean }): void {
    this.#asked.add(uid);
    this.#remembered.set(uid, remembered);
    if (isKept) this.#kept.add(uid);
    else this.#kept.delete(uid);
    if (!this.#isUnsaved(uid) || this.#saving.has(uid)) return;
    this.#saving.set(uid, this.#saveSoon(uid));
  }

  /** Forgets the others; their files go with their pods. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of this.#asked) {
      if (uids.has(uid)) continue;
      this.#asked.delete(uid);
      this.#remembered.delete(uid);
      this.#saved.delete(uid);
      this.#kept.delete(uid);
      this.#paces.delete(uid);
    }
  }

  /** Saves what is not saved yet. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#saving.values());
  }

  #fileOf(uid: string): string {
    return join(this.#options.dataDir, 'pods', uid, 'status.json');
  }

  async #read(uid: string): Promise<void> {
    try {
      const found = parsed(await readFile(this.#fileOf(uid), 'utf8'));
      if (found === null || this.#remembered.has(uid)) return;
      this.#remembered.set(uid, found);
      this.#saved.set(uid, historyKey(found));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#options.log.warn('the former status of a pod cannot be read', { uid, error });
    }
  }

  #isUnsaved(uid: string): boolean {
    const remembered = this.#remembered.get(uid);
    if (remembered === undefined || !this.#kept.has(uid)) return false;
    return this.#saved.get(uid) !== historyKey(remembered);
  }

  async #saveSoon(uid: string): Promise<void> {
    const { clock } = this.#options;
    try {
      while (this.#isUnsaved(uid)) {
        const changedAt = clock.monotonic();
        const dueAt = saveDueAt(this.#paces.get(uid), { changedAt, settleMs: SETTLE_MS });
        await clock.sleep(dueAt - changedAt, this.#stopped.signal);
        if (!this.#isUnsaved(uid)) return;
        this.#paces.set(uid, afterSave(this.#paces.get(uid), clock.monotonic()));
        await this.#save(uid);
      }
    } finally {
      this.#saving.delete(uid);
    }
  }

  async #save(uid: string): Promise<void> {
    const remembered = this.#remembered.get(uid);
    if (remembered === undefined) return;
    // Not tried again before the next change: a full disk is no reason to write without end.
    this.#saved.set(uid, historyKey(remembered));
    const file = this.#fileOf(uid);
    try {
      await makeDirectory(join(file, '..'), 0o750);
      await writeFile(`${file}.new`, JSON.stringify({ version: VERSION, ...remembered }), {
        mode: 0o600,
      });
      await rename(`${file}.new`, file);
    } catch (error) {
      this.#options.log.warn('the status of a pod cannot be kept', { uid, error });
    }
  }
}
