/**
 * What the node asks the hub for: blobs, a root, a fresh assignment. An assignment is asked for
 * with back-off from ten seconds to an hour, for as long as the journal wants a fresh one or the hub
 * speaks of a newer one, and once after each refused one, less and less often while such come.
 */
import type { RequestDocument } from '../../protocol/documents/node.js';
import { sealPacked } from '../../protocol/envelope.js';
import type { Clock } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import type { Refusal } from '../../protocol/refusal.js';
import { Alarm } from './alarm.js';
import { PATIENCE_MS } from './fetch.js';
import type { Journal } from '../journal/journal.js';
import type { Link } from '../link/link-options.js';
import type { Message } from '../report/messages.js';
import { stampOf, type NodeIdentity } from '../report/node.js';

const ASK_AGAIN_MAX_MS = 3_600_000;
/** Open requests whose answers are still listened to. */
const NONCES_MAX = 64;
/** Limit of the document. */
const DIGESTS_MAX = 256;
/** One question may get lost. */
const VAIN = 2;

export interface RequestsOptions {
  readonly identity: NodeIdentity;
  readonly journal: Pick<Journal, 'id' | 'boot' | 'nextCounter' | 'freshNonce'>;
  readonly link: Pick<Link, 'connected' | 'publish'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomId: () => string;
  /** A fresh assignment was asked for. */
  readonly onAsked?: () => void;
  /** Nothing better came. */
  readonly onVain?: (held: HeldRefusal) => void;
}

/** An assignment that is of before the question, as it seems: it may have crossed it. */
export interface HeldRefusal {
  readonly refusal: Refusal;
  readonly payload: Buffer;
  readonly topic: string;
}

export class Requests {
  readonly #options: RequestsOptions;
  readonly #alarm: Alarm;
  readonly #nonces = new Set<string>();
  #asked = 0;
  #isBehind = false;
  /** Waits for an assignment since one came. */
  #waited = 0;
  #held: HeldRefusal | null = null;
  /** Questions that refused assignments brought, while never an hour passed without one. */
  #spoilt = 0;
  #spoiltAt = Number.NEGATIVE_INFINITY;
  #isSpoilt = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => {
      this.#waited++;
      this.#askForAssignment();
    });
  }

  blobs(digests: readonly string[]): void {
    for (let i = 0; i < digests.length; i += DIGESTS_MAX) {
      this.#send({ want: 'blobs', digests: digests.slice(i, i + DIGESTS_MAX) });
    }
  }

  root(version: number): void {
    this.#send({ want: 'root', rootVersion: version });
  }

  /** For a file, where no link is: the request for a fresh assignment; null when none is needed. */
  forFreshAssignment(): Message | null {
    if (this.#options.journal.freshNonce() === null) return null;
    return this.#message({ want: 'assignment' });
  }

  /** True once for each request of this node. */
  isAnswered(nonce: string): boolean {
    return this.#nonces.delete(nonce);
  }

  /** A new connection or a new hub: what was in vain may not be any more. */
  beginAnew(): void {
    this.#asked = 0;
    if (this.#goesOn()) this.#askForAssignment();
  }

  /** The hub speaks of a newer assignment than the one that is here. */
  behind(): void {
    if (this.#isBehind) return;
    this.#isBehind = true;
    this.assignmentSoon();
  }

  /** It was asked for, and asked for again. */
  isWithheld(): boolean {
    return this.#isBehind && this.#waited >= VAIN;
  }

  /** True: it is told when the question was in vain, for what answers it is on its way. */
  hold(held: HeldRefusal): boolean {
    if (this.#waited >= VAIN) return false;
    this.#held = held;
    return true;
  }

  assignmentSoon(): void {
    this.#soon(this.#asked);
  }

  /**
   * One came and was refused. Each question has the hub sign and both sides write: whoever can spoil the topic must not decide how often.
   */
  assignmentRefused(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#spoiltAt > ASK_AGAIN_MAX_MS) this.#spoilt = 0;
    this.#spoiltAt = now;
    this.#isSpoilt = true;
    this.#soon(Math.max(this.#asked, this.#spoilt));
  }

  #soon(asked: number): void {
    const { clock, random } = this.#options;
    const waitMs = Math.min(ASK_AGAIN_MAX_MS, PATIENCE_MS * 2 ** Math.min(asked, 9));
    this.#alarm.setBefore(clock.monotonic() + waitMs * (0.5 + random()));
  }

  assignmentCame(): void {
    this.#asked = 0;
    this.#waited = 0;
    this.#isBehind = false;
    this.#held = null;
    this.#alarm.set(null);
  }

  close(): void {
    this.#alarm.close();
  }

  #askForAssignment(): void {
    this.#alarm.set(null);
    this.#asked++;
    if (this.#isSpoilt) this.#spoilt++;
    this.#isSpoilt = false;
    this.#send({ want: 'assignment' });
    if (this.#goesOn()) this.assignmentSoon();
    this.#options.onAsked?.();
    if (this.#held === null || this.#waited < VAIN) return;
    this.#options.onVain?.(this.#held);
    this.#held = null;
  }

  #goesOn(): boolean {
    return this.#isBehind || this.#options.journal.freshNonce() !== null;
  }

  #send(wanted: Pick<RequestDocument, 'want'> & Partial<RequestDocument>): void {
    const { link } = this.#options;
    if (!link.connected()) return;
    const { topic, payload } = this.#message(wanted);
    void link.publish(topic, payload, { retain: false });
  }

  #message(wanted: Pick<RequestDocument, 'want'> & Partial<RequestDocument>): Message {
    const { identity, journal, randomId } = this.#options;
    const fresh = wanted.want === 'assignment' ? journal.freshNonce() : null;
    const nonce = fresh ?? randomId();
    if (this.#nonces.size >= NONCES_MAX) this.#nonces.delete([...this.#nonces][0] ?? '');
    this.#nonces.add(nonce);
    const document: RequestDocument = {
      ...stampOf(identity, journal),
      counter: journal.nextCounter(),
      nonce,
      digests: [],
      rootVersion: 0,
      ...wanted,
    };
    const topic = topicsOf(identity.fleet).node(identity.node, 'request');
    return { topic, payload: sealPacked('request', document, [identity.signer]) };
  }
}
