/** What the journal has to say of itself in the node's status. Pure. */
import { counted } from '../../protocol/counted.js';
import { diskFault } from '../disk-fault.js';
import type { SourceCondition } from '../ports.js';
import type { ResetReason } from './begin.js';
import { heldName, type HoldRecord } from './holds.js';

/** What a person is told; a journal that was just made is nothing to tell. */
const RESET_MESSAGES: Record<Exclude<ResetReason, 'Created'>, string> = {
  Lost: 'the journal was lost: an assignment is accepted only as the answer to a request',
  PutBack: 'the journal is older than what was written beside it: counters are not trusted',
  Damaged: 'the journal did not read back as written: counters are not trusted',
};

/** While only a fresh assignment is accepted. */
function resetConditions({
  reason,
  setAside,
  holds,
}: Pick<JournalFacts, 'reason' | 'setAside' | 'holds'>): SourceCondition[] {
  // A journal that was just made is no cause for worry; one that took another's place is.
  if (reason === undefined || reason === 'Created') return [];
  const kept = setAside === null ? '' : `; it is kept as ${setAside}`;
  const message = `${RESET_MESSAGES[reason]}${kept}${heldText(holds)}`
    .slice(0, 1024)
    .toWellFormed();
  return [{ type: 'JournalReset', status: 'True', reason, message }];
}

/** Whoever held something has to know whether it is. */
function heldText(holds: readonly HoldRecord[] | null): string {
  if (holds === null) {
    return '; what a person at the device held or undid is not known any more: hold it again (flotilla-agent hold)';
  }
  return holds.length === 0 ? '' : `; held at the device still: ${holds.map(heldName).join(', ')}`;
}

/** What the disk says, and what can be done. */
export function refusedMessage(fault: Error): string {
  return `the journal is not written: ${diskFault(fault) ?? fault.message}`;
}

export interface JournalFacts {
  /** Why only a fresh assignment is accepted. */
  readonly reason: ResetReason | undefined;
  /** Where the damaged file is kept; null: nothing is. */
  readonly setAside: string | null;
  /** What the disk says to transactions; null: they are written. */
  readonly fault: Error | null;
  /** Events that wait in memory. */
  readonly unsaved: number;
  /** What is wrong with the twin. */
  readonly twinFault: string | null;
  /** What a person at the device holds; null: nobody knows. */
  readonly holds: readonly HoldRecord[] | null;
}

export function journalConditions(facts: JournalFacts): SourceCondition[] {
  const { fault: refused, unsaved, twinFault } = facts;
  const conditions = resetConditions(facts);
  const waiting =
    unsaved > 0
      ? [`${counted(unsaved, 'event')} ${unsaved === 1 ? 'waits' : 'wait'} in memory`]
      : [];
  const faults = [refused === null ? [] : refusedMessage(refused), waiting, twinFault ?? []].flat();
  if (faults.length === 0) return conditions;
  const message = faults.join('; ');
  return [
    ...conditions,
    { type: 'JournalWritable', status: 'False', reason: 'DiskError', message },
  ];
}
