/** What was said to the broker and waits for its answer, on one connection after another. Decides nothing. */

type Settle = (isAnswered: boolean) => void;

export class Unacknowledged {
  readonly #waiting = new Map<Settle, number>();
  #answers = 0;
  #bytes = 0;

  /** How often something was answered, or is known to be lost. */
  get answers(): number {
    return this.#answers;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Payloads of messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `ask` says it, and calls what it is given once at least; false: it is lost. */
  wait(bytes: number, ask: (settle: Settle) => void): Promise<boolean> {
    return new Promise(resolve => {
      const settle = (isAnswered: boolean) => {
        if (!this.#waiting.delete(settle)) return;
        this.#bytes -= bytes;
        this.#answers++;
        resolve(isAnswered);
      };
      this.#waiting.set(settle, bytes);
      this.#bytes += bytes;
      ask(settle);
    });
  }

  /** The connection is over. */
  lose(): void {
    for (const settle of [...this.#waiting.keys()]) settle(false);
  }
}
