/** What a journal is opened with: types only. */
import type { Clock } from '../../protocol/ports.js';
import type { Machine } from '../time/machine.js';
import type { Retention } from './retention.js';

export interface JournalOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  /** 16 random bytes, lower-case hex. */
  readonly randomId: () => string;
  /** Stamps events with its uptime, so that their times can be put right later. */
  readonly machine?: Machine;
  /** How much is kept; what is usual, when left out. */
  readonly retention?: Retention;
  /** The node's name, for events about itself. */
  readonly node?: string;
  /** Events wait so long for others before they are written, and are gone with the power until then; asked for each. Absent: not at all. */
  readonly gatherMs?: () => number;
}
