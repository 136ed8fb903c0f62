/**
 * Follows one conversation with the hub and says when it is one: `decide.ts` with its facts kept and its times waited for. Twice the same
 * word changes nothing. Nothing is sent from here; where the hub came back and said nothing, it asks to be asked.
 */
import { Alarm } from '../intake/alarm.js';
import { ANSWER_WITHIN_MS, connectionReason, type ConnectionReason } from './decide.js';
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
  /** Uptime of the newest CONNECT. */
  #connectedAt = 0;
  #hubOnline: boolean | null = null;
  #isHeard = false;
  /** Monotonic; of the first status since the newest confirmation. */
  #saidAt: number | null = null;
  #reason: ConnectionReason = 'LinkDown';

  constructor(options: HubConnectionOptions) {
    this.#options = options;
    this.#answerAlarm = new Alarm(options.clock, () => this.#look());
    this.#askAlarm = new Alarm(options.clock, () => this.#ask());
  }

  /** A CONNECT is made: nothing that was known of the hub holds any more. */
  connecting(): void {
    this.#connectedAt = this.#options.uptime();
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
    if (!online) this.#forget();
    this.#look();
  }

  /** It spoke, and cannot have spoken before `asOf`, in uptime. */
  heard(asOf: number): void {
    if (asOf < this.#connectedAt) return;
    this.#isHeard = true;
    this.#look();
  }

  /** A status goes out that the hub has to confirm. */
  said(): void {
    this.#saidAt ??= this.#options.clock.monotonic();
    this.#look();
  }

  /** The newest status is safe at the hub. */
  confirmed(): void {
    this.#saidAt = null;
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
    this.#saidAt = null;
  }

  #ask(): void {
    if (this.#reason === 'NotHeard') this.#options.ask();
  }

  #look(): void {
    const { clock, random, onChange } = this.#options;
    const now = clock.monotonic();
    const said = this.#saidAt;
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
