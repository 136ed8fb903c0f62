/**
 * Watches the retained topics that the hub alone may write, on a broker that may let others (security.md
 * S61): what lies there and is not what the store says is replaced by it, and said: in the log once a
 * minute at most, at the node whose assignment it was as an event. Nodes refuse such a thing by
 * themselves; this is for those that come later, and for people. What the store knows nothing of is
 * said and left: a restored hub may have forgotten it.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { Address, Topics } from '../../protocol/topics.js';
import { hubEventDraft } from '../ingest/mirror.js';
import { heldNodes } from '../recovery/held-nodes.js';
import type { Publication, Store } from '../store/store.js';
import type { Guest, GuestConnection, Received } from './link-options.js';

/** Our own words come back too: what came in this time may still be followed by the right ones. */
const SETTLE_MS = 2_000;
/** Whoever writes faster than this does not make the hub write as fast. */
const AGAIN_MS = 10_000;
const SAY_MS = 60_000;
const EVENT_MS = 600_000;
/** Topics in doubt; beyond that they are not looked at. */
const TOPICS_MAX = 100_000;

export interface OwnTopicsOptions {
  readonly store: Store;
  readonly topics: Topics;
  /** Of the root in force. */
  readonly epoch: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

export type Verdict = 'ours' | 'wait' | 'foreign' | 'unknown';

/**
 * What to think of a topic on which bytes of this digest lie, null for none. Pure. `covered`: the
 * broker acknowledged all publications up to this number, so that what differs from them is not ours,
 * or not ours any more.
 */
export function judge(
  digest: string | null,
  publication: Publication | null,
  covered: number,
): Verdict {
  if (!publication) return digest === null ? 'ours' : 'unknown';
  const { payload } = publication;
  const own = payload === null || payload.byteLength === 0 ? null : sha256Hex(payload);
  if (own === digest) return 'ours';
  return publication.number > covered ? 'wait' : 'foreign';
}

interface Sight {
  /** Null: the topic was emptied. */
  readonly digest: string | null;
  readonly atMs: number;
}

export function ownTopics(options: OwnTopicsOptions): Guest {
  const reporter = new Reporter(options);
  return connection => {
    const watch = new Watch(options, connection, reporter);
    void watch.run();
    return message => watch.receive(message);
  };
}

/** On one connection. */
class Watch {
  readonly #options: OwnTopicsOptions;
  readonly #connection: GuestConnection;
  readonly #reporter: Reporter;
  readonly #seen = new Map<string, Sight>();
  readonly #restoredAt = new Map<string, number>();

  constructor(options: OwnTopicsOptions, connection: GuestConnection, reporter: Reporter) {
    this.#options = options;
    this.#connection = connection;
    this.#reporter = reporter;
  }

  receive({ topic, payload }: Received): boolean {
    const kind = this.#options.topics.parse(topic)?.kind;
    if (kind !== 'root' && kind !== 'blob' && kind !== 'assignment') return false;
    if (this.#seen.size < TOPICS_MAX || this.#seen.has(topic)) {
      const digest = payload.byteLength === 0 ? null : sha256Hex(payload);
      this.#seen.set(topic, { digest, atMs: this.#options.clock.monotonic() });
    }
    return true;
  }

  async run(): Promise<void> {
    const { clock } = this.#options;
    const { ended } = this.#connection;
    let isSubscribed = false;
    while (!ended.aborted) {
      await clock.sleep(SETTLE_MS, ended);
      // This process may have stood still: what came meanwhile is read before anything is judged by its age.
      await clock.sleep(0, ended);
      if (ended.aborted) return;
      try {
        isSubscribed ||= await this.#subscribe();
        if (this.#seen.size > 0) await this.#sweep();
        await this.#reporter.say();
        this.#reporter.works();
      } catch (error) {
        this.#reporter.fails(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** Not before all is said that we have to say: what came before it would be in doubt for nothing. */
  async #subscribe(): Promise<boolean> {
    const { store, topics } = this.#options;
    if (this.#connection.covered() < (await store.lastPublication())) return false;
    const shared = [topics.root(), `${topics.root()}/+`, topics.blob('+')];
    await this.#connection.subscribe([...shared, topics.everyNode('assignment')]);
    return true;
  }

  async #sweep(): Promise<void> {
    const { clock, store, epoch, topics } = this.#options;
    const held = await heldNodes(store, epoch());
    const now = clock.monotonic();
    for (const [topic, sight] of [...this.#seen]) {
      if (this.#connection.ended.aborted) return;
      if (now - sight.atMs < SETTLE_MS) continue;
      const address = topics.parse(topic);
      if (address && 'node' in address && held.has(address.node)) continue;
      const publication = await store.publication(topic);
      const verdict = judge(sight.digest, publication, this.#connection.covered());
      if (verdict === 'wait' || this.#seen.get(topic) !== sight) continue;
      if (verdict === 'foreign' && now - (this.#restoredAt.get(topic) ?? -Infinity) < AGAIN_MS) {
        continue;
      }
      this.#seen.delete(topic);
      if (verdict === 'ours' || !address) continue;
      this.#reporter.found(topic, address, verdict);
      if (verdict === 'unknown') continue;
      this.#restoredAt.set(topic, now);
      const payload = publication?.payload ?? new Uint8Array();
      await this.#connection.publish(topic, payload, { retain: true });
    }
    for (const [topic, at] of this.#restoredAt) {
      if (now - at >= AGAIN_MS) this.#restoredAt.delete(topic);
    }
  }
}

/** Over all connections. */
class Reporter {
  readonly #options: OwnTopicsOptions;
  readonly #toldAt = new Map<string, number>();
  readonly #nodes = new Set<string>();
  #restored = 0;
  #unknown = 0;
  #first = '';
  #saidAt = -Infinity;
  #isFailing = false;

  constructor(options: OwnTopicsOptions) {
    this.#options = options;
  }

  found(topic: string, address: Address, verdict: 'foreign' | 'unknown'): void {
    if (this.#first === '') this.#first = topic;
    if (verdict === 'unknown') this.#unknown++;
    else this.#restored++;
    if (verdict === 'foreign' && 'node' in address) this.#nodes.add(address.node);
  }

  /** Said once until it works again. */
  fails(reason: string): void {
    if (!this.#isFailing) {
      this.#options.log.warn('the topics of the hub cannot be watched', { reason });
    }
    this.#isFailing = true;
  }

  works(): void {
    this.#isFailing = false;
  }

  async say(): Promise<void> {
    const { clock, log } = this.#options;
    const now = clock.monotonic();
    if (this.#first !== '' && now - this.#saidAt >= SAY_MS) {
      this.#saidAt = now;
      log.warn('somebody else writes on topics that are the hub’s: check the rules of the broker', {
        first: this.#first,
        restored: this.#restored,
        unknown: this.#unknown,
      });
      [this.#first, this.#restored, this.#unknown] = ['', 0, 0];
    }
    for (const node of this.#nodes) {
      this.#nodes.delete(node);
      if (now - (this.#toldAt.get(node) ?? -Infinity) < EVENT_MS) continue;
      this.#toldAt.set(node, now);
      await this.#event(node);
    }
    for (const [node, at] of this.#toldAt) {
      if (now - at >= EVENT_MS) this.#toldAt.delete(node);
    }
  }

  async #event(node: string): Promise<void> {
    const { store, clock } = this.#options;
    const object = hubEventDraft({
      node,
      type: 'Warning',
      reason: 'ForeignPublication',
      message: 'somebody else wrote on the topic of its assignment; the hub published it again',
      now: new Date(clock.now()).toISOString(),
    });
    await store.commit({ kind: 'hub', name: 'link' }, [{ type: 'put', object, expect: 'any' }]);
  }
}
