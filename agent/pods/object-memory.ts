/**
 * Keeps in `<data-dir>/object-choices.json` which of several documents of one name is in force, so that a new start of the agent goes
 * on with it, as with pods.
 *
 * Written as a whole and renamed, when it changed, and only while there are two of one name; not synced: what a power cut takes is
 * the choice of the cold start. A file that cannot be read is as good as none. Decides nothing.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../protocol/ports.js';

/** By `ConfigMap namespace/name`: the origin of the one in force. */
export type ObjectChoices = ReadonlyMap<string, string>;

function load(file: string): ObjectChoices {
  try {
    const { version, inForce } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    if (version !== 1 || typeof inForce !== 'object' || inForce === null) return new Map();
    const entries = Object.entries(inForce);
    return new Map(entries.filter((one): one is [string, string] => typeof one[1] === 'string'));
  } catch {
    return new Map();
  }
}

export interface ObjectMemory {
  /** Of the agent's life before this one. */
  readonly before: ObjectChoices;
  /** The same twice is written once. Never throws. */
  save(choices: ObjectChoices): void;
}

export function openObjectMemory(dataDir: string, log: Log): ObjectMemory {
  const file = join(dataDir, 'object-choices.json');
  const textOf = (choices: ObjectChoices) =>
    JSON.stringify({ version: 1, inForce: Object.fromEntries([...choices].sort()) });
  const before = load(file);
  let known = textOf(before);
  return {
    before,
    save(choices) {
      const text = textOf(choices);
      if (text === known) return;
      known = text;
      try {
        writeFileSync(`${file}.new`, text, { mode: 0o600 });
        renameSync(`${file}.new`, file);
      } catch (error) {
        log.warn('which documents are in force cannot be kept', { file, error });
      }
    },
  };
}
