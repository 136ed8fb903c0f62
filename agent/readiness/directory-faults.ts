/** What a start would lack of what the journal promised for the static pod directory. Pure. */
import { sha256Hex } from '../../protocol/canonical.js';
import { bundleKey } from '../intake/decide.js';
import type { FoundFile } from '../intake/owned-files.js';
import type { OwnedFile } from '../journal/journal.js';
import { forgottenText } from '../sources/explained.js';
import type { Fault } from './faults.js';

export interface DirectoryFindings {
  readonly promised: readonly OwnedFile[];
  readonly found: readonly Pick<FoundFile, 'file' | 'bytes'>[];
  /** The journal began anew, and the hub has not said yet what is to run. */
  readonly isNew: boolean;
  /** A file that a person removed stays away (drift: report). */
  readonly leavesDrift: boolean;
  /** Why nothing can be written there; null: it can, and a start puts back what is not as promised. */
  readonly writeFault: string | null;
}

const NAMED = 8;

export function directoryFaults(findings: DirectoryFindings): Fault[] {
  const { promised, found, isNew, leavesDrift, writeFault } = findings;
  const names = new Set(promised.map(({ file }) => file));
  const forgotten = found.map(({ file }) => file).filter(file => !names.has(file));
  // What lies there may run, and a start would not begin it.
  if (isNew && forgotten.length > 0) {
    const message = forgottenText(forgotten.slice(0, NAMED).join(', '));
    return [{ reason: 'JournalForgot', message }];
  }
  const bytesOf = new Map(found.map(({ file, bytes }) => [file, bytes]));
  return promised.flatMap(({ file, pod, content, ...bundle }) => {
    const bytes = bytesOf.get(file) ?? null;
    if (bytes !== null && sha256Hex(bytes) === content) return [];
    const isLeft = leavesDrift && !bytesOf.has(file);
    const told = isLeft
      ? 'was removed by hand and stays so (drift: report)'
      : writeFault && `is not as it should be, and ${writeFault}`;
    if (told === null) return [];
    const message = `bundle ${bundleKey(bundle)}, pod ${pod}: ${file} ${told}`;
    return [{ reason: 'FileMissing', message }];
  });
}
