/**
 * What the probes said last, in `<data-dir>/probes.json`, so that no container turns unready because the agent was started
 * again (kubelet behaviour row 75).
 *
 * Written as a whole and renamed, a moment after a change, and ever more rarely for a container that goes on turning
 * (`save-pace.ts`); not synced: after a power cut none of these containers runs any
 * more. A file that cannot be read is as good as none, and one that cannot be written costs only that. Decides nothing.
 */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Log } from '../../protocol/ports.js';
import { afterSave, saveDueAt, type SavePace } from '../pods/save-pace.js';
import type { EngineId } from '../runtime/runtime.js';
import type { Remembered } from './decide.js';
import type { CountingProber } from './prober.js';

interface Entry extends Remembered {
  readonly id: EngineId;
  /** Of this run of the container, in milliseconds since 1970. */
  readonly startedAt: number;
}

interface ProbesRecord {
  readonly version: 1;
  readonly containers: readonly Entry[];
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { id, startedAt, started, ready } = value as Record<string, unknown>;
  return (
    typeof id === 'string' &&
    typeof startedAt === 'number' &&
    typeof started === 'boolean' &&
    typeof ready === 'boolean'
  );
}

function load(file: string): Entry[] {
  try {
    const { version, containers } = JSON.parse(readFileSync(file, 'utf8')) as ProbesRecord;
    return version === 1 && Array.isArray(containers) ? containers.filter(isEntry) : [];
  } catch {
    return [];
  }
}

export interface ProbeMemory {
  /** Of the agent's life before this one. */
  remembered(id: EngineId, startedAt: number): Remembered | null;
  /** Writes down what the prober says from now on; the returned function ends it, after the last word is written. */
  follow(prober: CountingProber): () => Promise<void>;
}

export interface ProbeMemoryOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

function entriesOf(prober: CountingProber): readonly Entry[] {
  return [...prober.health()]
    .map(([id, { started, ready }]): Entry => {
      return { id, startedAt: prober.startedAt(id) ?? 0, started, ready };
    })
    .filter(({ started }) => started);
}

/** Writes what changed when it is time; whatever is written is the whole. */
class MemoryWriter {
  readonly #file: string;
  readonly #options: ProbeMemoryOptions;
  readonly #prober: CountingProber;
  /** By id, as it was written or could not be. */
  readonly #settled = new Map<EngineId, string>();
  readonly #paces = new Map<EngineId, SavePace>();
  #working: Promise<void> | null = null;
  #wake = new AbortController();
  #isClosing = false;
  #isFailing = false;

  constructor(file: string, prober: CountingProber, options: ProbeMemoryOptions) {
    this.#file = file;
    this.#prober = prober;
    this.#options = options;
  }

  changed(): void {
    this.#wake.abort();
    this.#working ??= this.#work();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.changed();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { clock } = this.#options;
    // What changes in one go is one change.
    await Promise.resolve();
    for (;;) {
      const turned = this.#turned();
      if (turned.length === 0) {
        this.#working = null;
        return;
      }
      const changedAt = clock.monotonic();
      const due = ({ id }: Entry) => saveDueAt(this.#paces.get(id), { changedAt, settleMs: 0 });
      const waitMs = Math.min(...turned.map(due)) - changedAt;
      if (waitMs <= 0 || this.#isClosing) {
        await this.#write(turned);
        continue;
      }
      this.#wake = new AbortController();
      await clock.sleep(waitMs, this.#wake.signal);
    }
  }

  #turned(): readonly Entry[] {
    return entriesOf(this.#prober).filter(one => this.#settled.get(one.id) !== keyOf(one));
  }

  async #write(turned: readonly Entry[]): Promise<void> {
    const { clock, log } = this.#options;
    const containers = entriesOf(this.#prober);
    const ids = new Set(containers.map(({ id }) => id));
    for (const id of this.#settled.keys()) {
      if (ids.has(id)) continue;
      this.#settled.delete(id);
      this.#paces.delete(id);
    }
    for (const { id } of turned) {
      this.#paces.set(id, afterSave(this.#paces.get(id), clock.monotonic()));
    }
    for (const one of containers) this.#settled.set(one.id, keyOf(one));
    const record: ProbesRecord = { version: 1, containers };
    try {
      await writeFile(`${this.#file}.new`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${this.#file}.new`, this.#file);
      this.#isFailing = false;
    } catch (error) {
      const file = this.#file;
      if (!this.#isFailing) log.warn('the state of the probes cannot be kept', { file, error });
      this.#isFailing = true;
    }
  }
}

function keyOf({ startedAt, started, ready }: Entry): string {
  return JSON.stringify([startedAt, started, ready]);
}

export function openProbeMemory(options: ProbeMemoryOptions): ProbeMemory {
  const file = join(options.dataDir, 'probes.json');
  const before = new Map(load(file).map(entry => [entry.id, entry]));
  return {
    remembered(id, startedAt) {
      const entry = before.get(id);
      return entry?.startedAt === startedAt ? entry : null;
    },
    follow(prober) {
      const writer = new MemoryWriter(file, prober, options);
      const unsubscribe = prober.onChange(() => writer.changed());
      return async () => {
        unsubscribe();
        await writer.close();
      };
    },
  };
}
