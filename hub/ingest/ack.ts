/** What the hub confirms to a node: how far its reports are recorded, and which assignment is in force. Pure. */
import type { AckDocument } from '../../protocol/documents/hub.js';
import type { AssignmentRecord, ReporterRecord } from '../store/store.js';

export function ackOf({
  fleet,
  reporter,
  assignment,
  row,
  pods,
}: {
  readonly fleet: string;
  readonly reporter: Pick<ReporterRecord, 'node' | 'journal' | 'through' | 'boot' | 'counter'>;
  /** Null before the first. */
  readonly assignment: Pick<AssignmentRecord, 'epoch' | 'generation'> | null;
  /** Of the journal's history, in the newest status that is recorded. */
  readonly row: number;
  /** Key and digest of recorded pod documents. */
  readonly pods: Iterable<readonly [string, string]>;
}): AckDocument {
  const { node, journal, through, boot, counter } = reporter;
  const { epoch = 0, generation = 0 } = assignment ?? {};
  return {
    ...{ fleet, node, journal, through, boot, counter, row },
    ...{ pods: Object.fromEntries(pods), epoch, generation },
  };
}
