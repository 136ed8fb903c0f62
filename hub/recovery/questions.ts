/**
 * Questions to one node, one after the other: each is asked again, under a new random name, until the node answers it in
 * its present session. An answer that bears that name was said after the question, so nobody can have kept it from
 * before. Decides nothing about what an answer means.
 */
import type { KeptAsk } from '../../protocol/documents/command.js';
import type { PresenceDocument, ReplyDocument } from '../../protocol/documents/node.js';
import type { Clock } from '../../protocol/ports.js';
import { PieceGatherer } from '../../protocol/reply.js';
import type { NodeCommands } from '../link/commands.js';

/** The pieces of an answer follow each other; the clock runs from the last one. */
const PATIENCE_MS = 5_000;
const PATIENCE_MAX_MS = 60_000;

export interface Question {
  readonly want: KeptAsk['want'];
  readonly digest?: string;
  readonly rootVersion?: number;
  /** Of the answer. */
  readonly bytesMax: number;
}

export interface QuestionsParts {
  readonly node: string;
  /** Heard of the same presence before. */
  readonly commands: Pick<NodeCommands, 'send'>;
  readonly clock: Clock;
  readonly randomId: () => string;
  /** Aborted when nothing is to be asked any more. */
  readonly signal: AbortSignal;
}

interface Open {
  readonly request: string;
  readonly gatherer: PieceGatherer;
  readonly settle: (answer: Buffer | null) => void;
  /** Something came, or another session began: patience begins anew. */
  stir: () => void;
  bad: boolean;
}

export class Questions {
  readonly #parts: QuestionsParts;
  #session: string | null = null;
  #open: Open | null = null;
  #arrived: () => void = () => undefined;

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
  }

  /** The node's newest presence, verified and in order. */
  presence({ session, online }: Pick<PresenceDocument, 'session' | 'online'>): void {
    if (online && session === this.#session) return;
    this.#session = online ? session : null;
    this.#arrived();
    this.#open?.stir();
  }

  /** Verified as the node's. One to no open question is ignored. */
  reply(document: ReplyDocument): void {
    const open = this.#open;
    if (open?.request !== document.request || open.bad) return;
    const result = open.gatherer.add(document);
    if (result === 'bad') open.bad = true;
    else if (result === 'absent') open.settle(null);
    else if (result !== 'more') open.settle(result);
    else open.stir();
  }

  /** The node's answer; null when it has no such thing. Rejects when the signal aborts. One at a time. */
  async ask(question: Question): Promise<Buffer | null> {
    const { clock, signal } = this.#parts;
    for (let patience = PATIENCE_MS; ; patience = Math.min(PATIENCE_MAX_MS, 2 * patience)) {
      await this.#untilPresent();
      signal.throwIfAborted();
      const answer = await this.#once(question, patience);
      signal.throwIfAborted();
      if (answer !== undefined) return answer;
      // A node that comes and goes is not asked in a tight loop.
      await clock.sleep(100, signal);
    }
  }

  async #untilPresent(): Promise<void> {
    const { signal } = this.#parts;
    while (this.#session === null && !signal.aborted) {
      await new Promise<void>(resolve => {
        const end = () => {
          signal.removeEventListener('abort', end);
          resolve();
        };
        this.#arrived = end;
        signal.addEventListener('abort', end, { once: true });
      });
    }
  }

  /** Undefined: no answer in time, none that fits together, or the session ended. */
  async #once(question: Question, patience: number): Promise<Buffer | null | undefined> {
    const { clock, randomId, signal } = this.#parts;
    const session = this.#session;
    if (session === null) return undefined;
    let answer: Buffer | null | undefined;
    let waiting = new AbortController();
    const open: Open = {
      request: randomId(),
      gatherer: new PieceGatherer(question.bytesMax),
      settle: result => {
        answer = result;
        waiting.abort();
      },
      stir: () => waiting.abort(),
      bad: false,
    };
    this.#open = open;
    this.#send(open.request, question);
    for (;;) {
      waiting = new AbortController();
      const current = waiting;
      await clock.sleep(patience, AbortSignal.any([current.signal, signal]));
      if (answer !== undefined || signal.aborted || session !== this.#session) break;
      if (!current.signal.aborted || open.bad) break;
    }
    this.#open = null;
    return answer;
  }

  #send(request: string, { want, digest, rootVersion = 0 }: Question): void {
    const { node, commands } = this.#parts;
    commands.send(node, request, { kind: 'kept', want, digest: digest ?? null, rootVersion });
  }
}
