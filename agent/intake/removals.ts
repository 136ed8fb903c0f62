/**
 * Takes what may run no more out of the static pod directory: bundles that the assignment does not list, and, where the
 * node's owner wants it, those that the root withdrew (S19). A pass that finds them gone does nothing.
 */
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { Log } from '../../protocol/ports.js';
import type { ImagesAhead } from '../images/ahead.js';
import type { BundleRecord, Journal } from '../journal/journal.js';
import type { Attempted } from '../journal/overrides.js';
import { bundleKey } from './decide.js';
import { revokedBundles } from './revoked.js';
import type { Switch } from './switch.js';
import { transition } from './transition.js';
import type { LockGate } from './lock-gate.js';
import { FREE, type WindowGate } from './window-gate.js';

export interface RemovalParts {
  readonly journal: Journal;
  readonly log: Log;
  readonly switch: Switch;
  /** Left out where somebody else runs the pods. */
  readonly images?: Pick<ImagesAhead, 'drop'> | undefined;
  readonly windows?: Pick<WindowGate, 'holdOn'> | undefined;
  readonly locks?: Pick<LockGate, 'judge'> | undefined;
}

export class Removals {
  readonly #parts: RemovalParts;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** Every running revision that the root denies or has below a floor. */
  stopRevoked(root: RootDocument): void {
    const { journal, log } = this.#parts;
    for (const { record, refusal } of revokedBundles(journal, root)) {
      const { code: reason, detail: message } = refusal;
      const step = transition(record, { state: 'failed', reason, message });
      if (this.#parts.switch.takeAway(step))
        log.warn('bundle stopped: the root withdrew it', { bundle: bundleKey(record) });
    }
  }

  /** Every bundle that the assignment does not list, but for what a person at the device holds, or a pod that asks for time. */
  removeUnassigned(assignment: AssignmentDocument): void {
    const { journal } = this.#parts;
    const assigned = new Set(assignment.bundles.map(bundleKey));
    for (const record of journal.bundles()) {
      if (assigned.has(bundleKey(record)) || record.state === 'removing') continue;
      if (this.#parts.windows?.holdOn(record)) continue;
      const pods = this.#parts.switch.disturbed(record, []);
      const { namespace, name } = record;
      const wanted = { namespace, name, ...whatGoes(record), pods };
      const passage = this.#parts.locks?.judge(wanted) ?? FREE;
      if (passage.hold !== null) continue;
      const message = 'the assignment does not list it any more';
      const step = transition(record, { state: 'removing', reason: 'NotAssigned', message });
      this.#parts.images?.drop(record);
      this.#parts.switch.takeAway(step, passage.by ?? undefined);
    }
  }
}

/** What lies there, whichever revision was wanted last: whoever wants the removal now is kept with it. */
export function whatGoes(
  record: Pick<BundleRecord, 'digest' | 'attempt' | 'active' | 'activeAttempt'>,
): Pick<Attempted, 'digest' | 'attempt'> {
  const { digest, attempt, active, activeAttempt } = record;
  return active === null ? { digest, attempt } : { digest: active, attempt: activeAttempt };
}
