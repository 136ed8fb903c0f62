/**
 * Keeps the node a member: renews its certificate in time or when the broker refuses it, waits for
 * a person's approval, ends what was cut off, and changes keys when told to. Orders the calls;
 * upkeep.ts decides when, refresh.ts does it.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { SourceCondition } from '../ports.js';
import { lackedPins } from './hub-tls.js';
import type { StoredIdentity } from './identity.js';
import { JoinError } from './join-http.js';
import { isRenewalOpen, openRotation } from './next-keys.js';
import { renewMembership, resumeRotation, rotateKeys, type MemberParts } from './refresh.js';
import { identityPaths } from './private-keys.js';
import {
  doubtPauseMs,
  GRANTS_KEPT_MS,
  isBrokerRefusal,
  isShutOut,
  upkeepDelayMs,
  upkeepReason,
  type UpkeepReason,
} from './upkeep.js';

const LOOK_MS = 3_600_000;
const CLOSING_MS = 2_000;

export interface KeeperOptions {
  readonly dataDir: string;
  readonly identity: StoredIdentity;
  readonly root: () => TrustedRoot;
  readonly acceptRoot: (root: TrustedRoot) => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly chance: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** The conversation with the hub ends: what is said meanwhile would be said under a former key. */
  readonly onPause: () => Promise<void>;
  /** From now on this is who the node is. */
  readonly onIdentity: (identity: StoredIdentity) => Promise<void>;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #spread: number;
  #identity: StoredIdentity;
  #wake: () => void = () => undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #refused = false;
  #lostAt: number | null;
  #tries = 0;
  #lastTryAt = 0;
  #dueFor: UpkeepReason | null = null;
  #fault: JoinError | null = null;
  #renewedAt: number | null = null;
  /** Certificates that nothing but doubts brought, and when the last of them came. */
  #grants = { count: 0, at: Number.NEGATIVE_INFINITY };
  /** Pins of a root under which the hub was asked, and gave no certificate of theirs. */
  #notGiven: readonly string[] = [];

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#spread = options.chance();
    this.#lostAt = options.clock.monotonic();
    this.#done = this.#run();
  }

  linkUp(): void {
    this.#lostAt = null;
    this.#refused = false;
    this.#tries = 0;
    this.#fault = null;
  }

  linkDown(): void {
    this.#lostAt ??= this.#options.clock.monotonic();
  }

  /** Another root is in force. */
  rootChanged(): void {
    if (this.#reason() === 'Authority') this.#wake();
  }

  /** A connection to the broker came to nothing. */
  linkFailed(reason: string): void {
    this.linkDown();
    if (isBrokerRefusal(reason)) this.doubt();
  }

  /** Somebody who need not be believed says that this node is no member: the hub is asked, and what runs goes on. */
  doubt(): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#wake();
  }

  /** For the person at the device: while these are true, the hub does not hear them. */
  conditions(): SourceCondition[] {
    const type = 'Enrolled';
    if (this.#identity.membership.renewAfter === null) {
      const { node, nodeKey } = this.#identity;
      const message =
        `waits for approval: have an operator compare the key sha256:${nodeKey} and run ` +
        `\`flotilla node approve ${node}\``;
      return [{ type, status: 'False', reason: 'PendingApproval', message }];
    }
    if (!this.#fault) return [];
    const { code, message } = this.#fault;
    const isOther = this.#lacksAuthority() && !this.#refused;
    const what = isOther ? 'HubAuthority' : type;
    const told = isShutOut(this.#fault) ? this.#shutOutText(message) : message;
    return [{ type: what, status: 'False', reason: `Renewal${code}`, message: told }];
  }

  #shutOutText(hubSays: string): string {
    const { dataDir, identity } = this.#options;
    const isRevoked = /is revoked/.test(hubSays);
    const why = isRevoked ? '' : ' (it was deleted at the hub, or another device took its name)';
    return (
      `${hubSays.replace(/: to bring it back.*$/, '')}${why}. What runs goes on. To be a member again: ` +
      '`flotilla token create > FILE` at the hub, then here stop the agent, ' +
      `\`rm -r ${identityPaths(dataDir).directory}\`, \`flotilla-agent join --token-file FILE ` +
      `--node-name ${identity.node} --data-dir ${dataDir}\`, and start it`
    );
  }

  #lacksAuthority(): boolean {
    const { tls } = this.#options.root().document;
    return lackedPins(this.#identity.tls.ca, tls).some(pin => !this.#notGiven.includes(pin));
  }

  /** Throws `JoinError`; the keys on the way are kept, and tried again. */
  async rotate(what: { readonly identity: boolean }): Promise<StoredIdentity> {
    return this.#inTurn(() => this.#apart(() => rotateKeys(this.#parts(), what)));
  }

  async #apart(exchange: () => Promise<StoredIdentity>): Promise<StoredIdentity> {
    await this.#options.onPause();
    try {
      this.#identity = await exchange();
    } finally {
      await this.#options.onIdentity(this.#identity);
    }
    return this.#identity;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    const done = Promise.all([this.#done, this.#turn]);
    // A hub that does not answer is not waited for: what was begun is ended by the next start.
    await Promise.race([done, this.#options.clock.sleep(CLOSING_MS)]);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #run(): Promise<void> {
    const { clock, chance } = this.#options;
    while (!this.#stop.signal.aborted) {
      const reason = this.#reason();
      if (reason !== this.#dueFor && this.#tries === 0) this.#lastTryAt = clock.monotonic();
      this.#dueFor = reason;
      const dueAt = reason && this.#lastTryAt + upkeepDelayMs(reason, this.#tries, chance());
      const lookMs = Math.min(LOOK_MS, this.#pauseMs() || LOOK_MS);
      const waitMs = dueAt === null ? lookMs : dueAt - clock.monotonic();
      if (waitMs > 0) await this.#sleep(waitMs);
      if (this.#stop.signal.aborted) return;
      const still = this.#reason();
      if (dueAt === null || still === null || clock.monotonic() < dueAt) continue;
      await this.#inTurn(() => this.#try(still));
    }
  }

  /** Until a doubt that is there counts; 0: it does, or none is there. */
  #pauseMs(): number {
    if (!this.#refused) return 0;
    const { count, at } = this.#grants;
    return Math.max(0, at + doubtPauseMs(count) - this.#options.clock.monotonic());
  }

  #granted(reason: UpkeepReason, now: number): void {
    this.#renewedAt = now;
    if (reason !== 'Refused') return;
    const before = now - this.#grants.at < GRANTS_KEPT_MS ? this.#grants.count : 0;
    this.#grants = { count: before + 1, at: now };
  }

  #reason(): UpkeepReason | null {
    const { clock, root, dataDir } = this.#options;
    const { renewAfter } = this.#identity.membership;
    const state = {
      isPending: renewAfter === null,
      isOpen: isRenewalOpen(dataDir) || openRotation(dataDir, this.#identity.keys) !== null,
      renewAfter: renewAfter === null ? null : Date.parse(renewAfter),
      now: Math.max(clock.now(), Date.parse(root().document.issued)),
      renewedAgoMs: this.#renewedAt === null ? null : clock.monotonic() - this.#renewedAt,
      isRefused: this.#refused && this.#pauseMs() === 0,
      lacksAuthority: this.#lacksAuthority(),
      unreachableMs: this.#lostAt === null ? 0 : clock.monotonic() - this.#lostAt,
    };
    return upkeepReason(state, this.#spread);
  }

  async #try(reason: UpkeepReason): Promise<void> {
    const { log, clock, dataDir } = this.#options;
    this.#tries++;
    this.#lastTryAt = clock.monotonic();
    try {
      const isRotating = openRotation(dataDir, this.#identity.keys) !== null;
      if (isRotating) await this.#apart(() => resumeRotation(this.#parts()));
      if (isRotating && reason === 'Unfinished' && !isRenewalOpen(dataDir)) return;
      const renewed = await renewMembership(this.#parts());
      this.#refused = false;
      this.#fault = null;
      if (renewed.tls.cert === null) return;
      const { renewAfter } = renewed.membership;
      log.info('the hub gave this node a new certificate', { reason, renewAfter });
      this.#identity = renewed;
      this.#notGiven = lackedPins(renewed.tls.ca, renewed.root.document.tls);
      this.#granted(reason, clock.monotonic());
      await this.#options.onIdentity(renewed);
    } catch (error) {
      const { message } = error as Error;
      if (this.#fault?.message !== message) {
        log.warn('the hub was asked for a new certificate in vain', { reason, error });
      }
      // A full disk is no end: what could not be kept is asked for again.
      this.#fault = error instanceof JoinError ? error : new JoinError('Local', message);
    }
  }

  #parts(): MemberParts {
    const { dataDir, root, acceptRoot, random } = this.#options;
    return { dataDir, identity: this.#identity, root: root(), acceptRoot, random };
  }

  async #sleep(ms: number): Promise<void> {
    const waiting = new AbortController();
    this.#wake = () => waiting.abort();
    await this.#options.clock.sleep(ms, waiting.signal);
    this.#wake = () => undefined;
  }
}
