/**
 * What every request of a device passes first: the rate of its address, its size, its nonce, and a
 * turn: requests that change who is a member go one after another, so that what one brings is seen
 * by the next; another hub on the same store is found out by the transaction, and tried again.
 */
import type { Clock } from '../../protocol/ports.js';
import { AttemptLimit } from './attempt-limit.js';
import { JoinNonces } from './join-nonce.js';
import type { RandomBytes } from '../setup/pki.js';
import { REQUEST_REASONS, RequestError } from '../ports.js';
import { StoreError } from '../store/store.js';

/** A request is under 2 KiB. */
const ENVELOPE_BYTES_MAX = 8 * 1024;
/** Tries of a transaction that others got in the way of. */
const COMMIT_TRIES = 5;

interface Entering {
  readonly envelope: Uint8Array;
  readonly address: string;
  /** It is only found out by the work whether the device may ask at all. */
  readonly isGuess: boolean;
}

export class Door {
  readonly nonces: JoinNonces;
  readonly #limit: AttemptLimit;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ clock, random }: { readonly clock: Clock; readonly random: RandomBytes }) {
    this.nonces = new JoinNonces(clock, random);
    this.#limit = new AttemptLimit(clock);
  }

  /**
   * `open` checks the document and gives the work. What `open` refuses counts against the address;
   * what the work refuses only where that is a guess too: a known device that is told no must not
   * shut out its neighbours.
   */
  async enter(
    { envelope, address, isGuess }: Entering,
    open: (envelope: Uint8Array) => Promise<() => Promise<Uint8Array>>,
  ): Promise<Uint8Array> {
    if (this.#limit.isExhausted(address)) {
      throw new RequestError('TooManyRequests', 'too many failed requests: wait a minute');
    }
    let isOpen = false;
    try {
      if (envelope.byteLength > ENVELOPE_BYTES_MAX) {
        throw new RequestError('RequestEntityTooLarge', `over ${ENVELOPE_BYTES_MAX} bytes`);
      }
      const work = await open(envelope);
      isOpen = true;
      return await this.turn(work);
    } catch (error) {
      const refused = error instanceof RequestError && REQUEST_REASONS[error.reason] < 500;
      if (refused && (isGuess || !isOpen)) this.#limit.countFailure(address);
      throw error;
    }
  }

  /** Each nonce is good once (S83, S84). */
  redeem(nonce: string): void {
    if (this.nonces.redeem(nonce)) return;
    throw new RequestError('BadRequest', 'the nonce is foreign, old or used: ask for a new one');
  }

  /** `work` reads anew what it builds on each time that it is called. */
  async turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => retried(work));
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isRace =
        error instanceof StoreError && ['Conflict', 'AlreadyExists'].includes(error.code);
      if (!isRace) throw error;
      if (attempt < COMMIT_TRIES) continue;
      throw new RequestError('ServiceUnavailable', 'the hub is busy: try again');
    }
  }
}
