/**
 * Follows one conversation with the hub and says when it is one: `decide.ts` with its facts kept and its times waited for. Twice the same
 * word changes nothing. Nothing is sent from here; where the hub came back and said nothing, it asks to be asked.
 */
import { Alarm } from '../intake/alarm.js';
import { ANSWER_WITHIN_MS, connectionReason, type ConnectionReason } from './decide.js';
import { Unconfirmed } from './unconfirmed.js';
import type { Clock } from '../../protocol/ports.js';

export interface HubConnectionOptions {
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Of this machine, in milliseconds: what `heard` is measured by. */
  readonly uptime: () => number;
  /** Ask the hub something that it answers: it is there and was not heard. */
  readonly ask: () => void;
  /** The reason became another. */
  readonly onChange: (reason: ConnectionReason) => void;
}

/** A hub that begins reads the nodes' retained words and confirms them before it says that it is online. */
const ASK_AFTER_MS = 10_000;
/** A fleet does not ask in one moment. */
const ASK_JITTER_MS = 20_000;

export class HubConnection {
  readonly #options: HubConnectionOptions;
  readonly #answerAlarm: Alarm;
  readonly #askAlarm: Alarm;
  #isLinkUp = false;
  /** Uptime of the newest CONNECT, or of the hub's end since: what was said before proves nothing now. */
  #since = 0;
  #hubOnline: boolean | null = null;
  #isHeard = false;
  /** Monotonic times. */
  readonly #unconfirmed = new Unconfirmed();
  #reason: ConnectionReason = 'LinkDown';

  constructor(options: HubConnectionOptions) {
    this.#options = options;
    this.#answerAlarm = new Alarm(options.clock, () => this.#look());
    this.#askAlarm = new Alarm(options.clock, () => this.#ask());
  }

  /** A CONNECT is made: nothing that was known of the hub holds any more. */
  connecting(): void {
    this.#since = this.#options.uptime();
    this.#hubOnline = null;
    this.#forget();
    this.#isLinkUp = false;
    this.#look();
  }

  linkUp(): void {
    this.#isLinkUp = true;
    this.#look();
  }

  linkDown(): void {
    this.#isLinkUp = false;
    this.#forget();
    this.#look();
  }

  /** By its presence. */
  hub(online: boolean): void {
    this.#hubOnline = online;
    if (!online) {
      this.#since = this.#options.uptime();
      this.#forget();
    }
    this.#look();
  }

  /** It spoke, and cannot have spoken before `asOf`, in uptime. */
  heard(asOf: number): void {
    if (asOf < this.#since) return;
    this.#isHeard = true;
    this.#look();
  }

  /** The status of this number goes out, which the hub has to confirm. */
  said(counter: number): void {
    this.#unconfirmed.said(counter, this.#options.clock.monotonic());
    this.#look();
  }

  /** The status of this number is safe at the hub, or a newer one than any before it. */
  confirmed(counter: number): void {
    this.#unconfirmed.confirmed(counter);
    this.#look();
  }

  /** Counts as a link that is down. */
  close(): void {
    this.linkDown();
    this.#answerAlarm.close();
    this.#askAlarm.close();
  }

  #forget(): void {
    this.#isHeard = false;
    this.#unconfirmed.clear();
  }

  #ask(): void {
    if (this.#reason === 'NotHeard') this.#options.ask();
  }

  #look(): void {
    const { clock, random, onChange } = this.#options;
    const now = clock.monotonic();
    const said = this.#unconfirmed.oldest();
    const reason = connectionReason({
      isLinkUp: this.#isLinkUp,
      hubOnline: this.#hubOnline,
      isHeard: this.#isHeard,
      unansweredMs: said === null ? null : now - said,
    });
    this.#answerAlarm.set(reason === 'Connected' && said !== null ? said + ANSWER_WITHIN_MS : null);
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#askAlarm.set(
      reason === 'NotHeard' ? now + ASK_AFTER_MS + random() * ASK_JITTER_MS : null,
    );
    onChange(reason);
  }
}
