/** What the journal has to say of itself in the node's status. Pure. */
import type { SourceCondition } from '../ports.js';
import type { ResetReason } from './begin.js';

/** What a person is told; a journal that was just made is nothing to tell. */
const RESET_MESSAGES: Record<Exclude<ResetReason, 'Created'>, string> = {
  Lost: 'the journal was lost: an assignment is accepted only as the answer to a request',
  PutBack: 'the journal is older than what was written beside it: counters are not trusted',
  Damaged: 'the journal did not read back as written: counters are not trusted',
};

/** While only a fresh assignment is accepted. */
function resetConditions(reason: ResetReason | undefined): SourceCondition[] {
  // A journal that was just made is no cause for worry; one that took another's place is.
  if (reason === undefined || reason === 'Created') return [];
  return [{ type: 'JournalReset', status: 'True', reason, message: RESET_MESSAGES[reason] }];
}

export function journalConditions({
  reason,
  unsaved,
  twinFault,
}: {
  /** Why only a fresh assignment is accepted. */
  readonly reason: ResetReason | undefined;
  /** Events that wait in memory. */
  readonly unsaved: number;
  /** What is wrong with the twin. */
  readonly twinFault: string | null;
}): SourceCondition[] {
  const conditions = resetConditions(reason);
  const fault =
    unsaved > 0 ? `the disk refuses writes: ${unsaved} events wait in memory` : twinFault;
  if (!fault) return conditions;
  const type = 'JournalWritable';
  return [...conditions, { type, status: 'False', reason: 'DiskError', message: fault }];
}
