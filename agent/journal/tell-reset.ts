/**
 * That a journal was lost, put back or edited is told once, when it begins anew: the condition goes with the fresh assignment, often within
 * a second, and nobody would learn of it (S33, S74).
 */
import type { Log } from '../../protocol/ports.js';
import type { Journal } from './journal.js';

/** To be called when the journal was opened; a journal that was begun anew is in its first start. */
export function tellReset(
  journal: Pick<Journal, 'boot' | 'conditions' | 'record'>,
  { node, log }: { readonly node: string; readonly log: Log },
): void {
  const reset = journal.conditions().find(({ type }) => type === 'JournalReset');
  if (reset === undefined || journal.boot !== 1) return;
  const { reason, message } = reset;
  log.warn('the journal begins anew', { reason, message });
  const involved = { kind: 'Node' as const, namespace: '', name: node, uid: '', fieldPath: '' };
  journal.record({
    ...{ type: 'Warning', reason: 'JournalReset', involved },
    message: `${reason}: ${message}`,
  });
}
