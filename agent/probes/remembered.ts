/**
 * What the probes said last, in `<data-dir>/probes.json`, so that no container turns unready because the agent was started
 * again (kubelet behaviour row 75).
 *
 * Written as a whole and renamed, a moment after a change; not synced: after a power cut none of these containers runs any
 * more. A file that cannot be read is as good as none, and one that cannot be written costs only that. Decides nothing.
 */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../protocol/ports.js';
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
  readonly log: Log;
}

export function openProbeMemory({ dataDir, log }: ProbeMemoryOptions): ProbeMemory {
  const file = join(dataDir, 'probes.json');
  const before = new Map(load(file).map(entry => [entry.id, entry]));
  let written = '';
  let isFailing = false;

  async function write(prober: CountingProber): Promise<void> {
    const containers = [...prober.health()]
      .map(([id, { started, ready }]): Entry => {
        return { id, startedAt: prober.startedAt(id) ?? 0, started, ready };
      })
      .filter(({ started }) => started);
    const record: ProbesRecord = { version: 1, containers };
    const text = JSON.stringify(record);
    if (text === written) return;
    try {
      await writeFile(`${file}.new`, text, { mode: 0o600 });
      await rename(`${file}.new`, file);
      written = text;
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn('the state of the probes cannot be kept', { file, error });
      isFailing = true;
    }
  }

  return {
    remembered(id, startedAt) {
      const entry = before.get(id);
      return entry?.startedAt === startedAt ? entry : null;
    },
    follow(prober) {
      let writing: Promise<void> = Promise.resolve();
      let isWaiting = false;
      const unsubscribe = prober.onChange(() => {
        if (isWaiting) return;
        isWaiting = true;
        writing = writing.then(() => {
          isWaiting = false;
          return write(prober);
        });
      });
      return async () => {
        unsubscribe();
        await writing;
      };
    },
  };
}
