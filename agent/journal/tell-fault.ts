/** A disk that refuses the journal is said in the log when that begins and when it is over. Decides nothing. */
import type { Log } from '../../protocol/ports.js';
import { refusedMessage } from './conditions.js';
import type { Journal } from './journal.js';

/** `onChange`: the status says another thing now. */
export function tellFault(journal: Journal, log: Log, onChange: () => void): void {
  journal.onFault = fault => {
    if (fault === null) log.info('the journal is written again');
    else {
      const reason = refusedMessage(fault);
      log.error('the journal cannot be written; pods run on, what is new waits', { reason });
    }
    onChange();
  };
}
