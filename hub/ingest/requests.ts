/**
 * What nodes ask for: blobs and roots are published again, a fresh assignment is made. Each node's requests are taken in
 * their order, once, and no faster than they can be of use.
 */
import type { AnswerDocument } from '../../protocol/documents/hub.js';
import type { RequestDocument } from '../../protocol/documents/node.js';
import type { Clock } from '../../protocol/ports.js';
import type { NodeMessenger } from '../link/messages.js';

/** An agent asks for eight blobs at a time, at most every ten seconds. */
const REQUESTS_MAX = 60;
const PERIOD_MS = 60_000;
const FRESH_EVERY_MS = 10_000;

export interface RequestParts {
  readonly messenger: NodeMessenger;
  readonly clock: Clock;
  readonly freshAssignment: (node: string, nonce: string) => Promise<void>;
  readonly republish: (
    digests: readonly string[],
  ) => Promise<Pick<AnswerDocument, 'published' | 'absent'>>;
  readonly republishRoot: (version: number) => Promise<void>;
}

interface Asked {
  readonly journal: string;
  readonly boot: number;
  readonly counter: number;
  readonly since: number;
  readonly count: number;
  readonly freshAt: number;
}

export class Requests {
  readonly #parts: RequestParts;
  readonly #asked = new Map<string, Asked>();

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** Of the node's current journal, verified. An old one, or one too many, is dropped: the node asks again. */
  async answer(request: RequestDocument): Promise<void> {
    const { fleet, node, nonce, want, digests, rootVersion } = request;
    const { messenger, clock, republish, republishRoot, freshAssignment } = this.#parts;
    if (!this.#admit(request)) return;
    switch (want) {
      case 'blobs': {
        const { published, absent } = await republish(digests);
        return messenger.answer(node, { fleet, node, nonce, published, absent });
      }
      case 'root':
        return republishRoot(rootVersion);
      case 'assignment':
        return freshAssignment(node, nonce);
      case 'time': {
        const time = new Date(clock.now()).toISOString();
        return messenger.time(node, { fleet, node, nonce, time });
      }
    }
  }

  #admit({ node, journal, boot, counter, want }: RequestDocument): boolean {
    const now = this.#parts.clock.monotonic();
    const before = this.#asked.get(node);
    const isNew =
      before?.journal !== journal ||
      boot > before.boot ||
      (boot === before.boot && counter > before.counter);
    if (!isNew) return false;
    const period = before && now - before.since < PERIOD_MS ? before : { since: now, count: 0 };
    const lastFresh = before?.freshAt ?? Number.NEGATIVE_INFINITY;
    const isSoon = want === 'assignment' && now - lastFresh < FRESH_EVERY_MS;
    this.#asked.set(node, {
      ...{ journal, boot, counter },
      since: period.since,
      count: period.count + 1,
      freshAt: want === 'assignment' && !isSoon ? now : lastFresh,
    });
    return !isSoon && period.count < REQUESTS_MAX;
  }
}
