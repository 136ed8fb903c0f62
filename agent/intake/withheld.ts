/**
 * A broker that delivers everything but the assignment (a selective freeze): each acknowledgement of the hub names the generation in
 * force. A node that has a lower one asks with a nonce, and says so when that is in vain. Old acknowledgements, which a broker may
 * replay, only say less. Holds state, does no I/O.
 */
import type { AckDocument } from '../../protocol/documents/hub.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { Journal } from '../journal/journal.js';
import type { SourceCondition } from '../ports.js';
import type { Requests } from './requests.js';

export type AssignmentNumber = Pick<AckDocument, 'epoch' | 'generation'>;

export interface WithheldOptions {
  readonly journal: Pick<Journal, 'accepted'>;
  readonly root: () => TrustedRoot;
  readonly requests: Pick<Requests, 'behind' | 'isWithheld' | 'assignmentCame'>;
}

export class Withheld {
  readonly #options: WithheldOptions;
  #told: AssignmentNumber = { epoch: 0, generation: 0 };

  constructor(options: WithheldOptions) {
    this.#options = options;
  }

  told({ epoch, generation }: AssignmentNumber): void {
    if (epoch !== this.#options.root().document.epoch) return;
    const before = this.#told.epoch === epoch ? this.#told.generation : 0;
    this.#told = { epoch, generation: Math.max(before, generation) };
    if (this.#isBehind()) this.#options.requests.behind();
  }

  /** An assignment was accepted. */
  came(): void {
    const { requests } = this.#options;
    requests.assignmentCame();
    if (this.#isBehind()) requests.behind();
  }

  /** Also true of one that came and is refused: then the last refusal says why. */
  conditions(): SourceCondition[] {
    if (!this.#isBehind() || !this.#options.requests.isWithheld()) return [];
    const message =
      `the hub speaks of generation ${this.#told.generation}, generation ${this.#held()} is here; the node asked for ` +
      'it in vain: the broker holds it back, or it was refused (last refusal)';
    return [{ type: 'AssignmentWithheld', status: 'True', reason: 'Behind', message }];
  }

  #isBehind(): boolean {
    const { epoch, generation } = this.#told;
    return epoch === this.#options.root().document.epoch && generation > this.#held();
  }

  /** Generation of the accepted assignment in the epoch in force. */
  #held(): number {
    const { journal, root } = this.#options;
    const accepted = journal.accepted();
    return accepted?.epoch === root().document.epoch ? accepted.generation : 0;
  }
}
