/**
 * What a start of the agent would stumble over before it comes to pods: its settings, the identity as it lies on the disk, the journal and room to open
 * it, and whether the data directory is still nobody else's. Reads alone.
 */
import { accessSync, constants } from 'node:fs';
import { ConfigError } from '../config-error.js';
import { StartCheck, type StartCheckParts } from '../journal/start-check.js';
import { IdentityError } from '../membership/private-keys.js';
import { readIdentity } from '../membership/identity.js';
import { sharedPathOrLink } from '../safe-directory.js';
import type { Fault } from './faults.js';

export interface StartFaultsParts extends StartCheckParts {
  /** Of this process. */
  readonly uid: number;
  /** Reads the settings anew, as a start does. Throws `ConfigError`. Absent: none come from outside. */
  readonly readSettings?: () => unknown;
}

/** To be called when the journal is open. What it gives never throws for what it finds. */
export function startFaults(parts: StartFaultsParts): () => readonly Fault[] {
  const { dataDir, uid, readSettings } = parts;
  const check = new StartCheck(parts);
  return () => [
    ...settingsFaults(readSettings),
    ...identityFaults(dataDir),
    ...check.faults(),
    ...directoryFaults(dataDir, uid),
  ];
}

/** Null: files can be written there. */
export function writeFault(directory: string): string | null {
  try {
    accessSync(directory, constants.W_OK);
    return null;
  } catch (error) {
    return `${directory} cannot be written to: ${(error as Error).message}`;
  }
}

/** A start ends at the first of them, before it comes to anything else. */
function settingsFaults(read: StartFaultsParts['readSettings']): Fault[] {
  try {
    read?.();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [{ reason: 'SettingsRefused', message: `a start would end: ${error.message}` }];
  }
}

function identityFaults(dataDir: string): Fault[] {
  try {
    readIdentity(dataDir);
    return [];
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
    return [{ reason: 'IdentityUnreadable', message: error.message }];
  }
}

function directoryFaults(dataDir: string, uid: number): Fault[] {
  const shared = sharedPathOrLink(dataDir, uid);
  if (shared === null) return [];
  const message = `the data directory ${dataDir} is not safe: ${shared.path}: ${shared.how}; ${shared.mend}`;
  return [{ reason: 'UnsafeDirectory', message }];
}
