/**
 * Keeps in `<data-dir>/object-choices.json` which of several documents of one name is in force, so that a new start of the agent goes
 * on with it, as with pods.
 *
 * Written only while there are two of one name; what a power cut takes is the choice of the cold start. Decides nothing.
 */
import { join } from 'node:path';
import type { Log } from '../../protocol/ports.js';
import { openFileMemory, type FileMemory } from '../file-memory.js';

/** By `ConfigMap namespace/name`: the origin of the one in force. */
export type ObjectChoices = ReadonlyMap<string, string>;

function choicesIn(json: unknown): ObjectChoices {
  const { version, inForce } = (json ?? {}) as Record<string, unknown>;
  if (version !== 1 || typeof inForce !== 'object' || inForce === null) return new Map();
  const entries = Object.entries(inForce);
  return new Map(entries.filter((one): one is [string, string] => typeof one[1] === 'string'));
}

export type ObjectMemory = FileMemory<ObjectChoices>;

export function openObjectMemory(dataDir: string, log: Log): ObjectMemory {
  return openFileMemory({
    file: join(dataDir, 'object-choices.json'),
    read: choicesIn,
    write: choices => ({ version: 1, inForce: Object.fromEntries([...choices].sort()) }),
    what: 'which documents are in force',
    log,
  });
}
