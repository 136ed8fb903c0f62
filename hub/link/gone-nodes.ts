/**
 * Empties what nodes left on the broker that were taken out of the fleet: their retained presence and status, at once, and what comes of
 * their will, or of a device that still has a certificate, some seconds later. Only of names that this hub once had: of a node that joined
 * after the backup which a hub was restored from, it knows nothing, and leaves that.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import type { Topics } from '../../protocol/topics.js';
import { CLEARED_KINDS } from '../broker/access.js';
import type { Store } from '../store/store.js';
import type { Guest, GuestConnection, Received } from './link-options.js';

/** For each topic: whoever writes there does not make the hub write as fast. */
const AGAIN_MS = 5_000;

export interface GoneNodesOptions {
  readonly store: Pick<Store, 'identities' | 'identity' | 'onCommit' | 'reporters'>;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly log: Log;
}

export function goneNodes(options: GoneNodesOptions): Guest {
  return connection => {
    const watch = new Watch(options, connection);
    void watch.run();
    return message => watch.receive(message);
  };
}

/** On one connection. */
class Watch {
  readonly #options: GoneNodesOptions;
  readonly #connection: GuestConnection;
  readonly #clearedAt = new Map<string, number>();
  readonly #pending = new Set<string>();
  /** Those there were at the beginning, and who was heard since. Null: not read yet. */
  #members: Set<string> | null = null;

  constructor(options: GoneNodesOptions, connection: GuestConnection) {
    this.#options = options;
    this.#connection = connection;
  }

  async run(): Promise<void> {
    const { store } = this.#options;
    const end = store.onCommit(touched => {
      if (touched.has('dropIdentity')) void this.#compare();
    });
    this.#connection.ended.addEventListener('abort', end, { once: true });
    await this.#compare();
  }

  /** For others too: never true. */
  receive({ topic, payload }: Received): boolean {
    const address = this.#options.topics.parse(topic);
    const isLeft = CLEARED_KINDS.some(kind => kind === address?.kind) && payload.byteLength > 0;
    if (!isLeft || !address || !('node' in address)) return false;
    if (this.#members?.has(address.node) !== true) void this.#clear(address.node, topic);
    return false;
  }

  async #compare(): Promise<void> {
    const { store, topics, log } = this.#options;
    try {
      const members = new Set((await store.identities()).map(({ node }) => node));
      const left = [...(this.#members ?? [])].filter(node => !members.has(node));
      this.#members = members;
      for (const node of left) {
        for (const kind of CLEARED_KINDS) await this.#clear(node, topics.node(node, kind));
      }
    } catch (error) {
      log.warn('what deleted nodes left on the broker was not cleared', { error });
    }
  }

  async #clear(node: string, topic: string): Promise<void> {
    if (this.#pending.has(topic)) return;
    this.#pending.add(topic);
    const { store, clock, log } = this.#options;
    const { ended, publish } = this.#connection;
    try {
      const since = clock.monotonic() - (this.#clearedAt.get(topic) ?? -Infinity);
      if (since < AGAIN_MS) await clock.sleep(AGAIN_MS - since, ended);
      const identity = await store.identity(node);
      if (identity !== null) this.#members?.add(node);
      const wasHere = identity === null && (await store.reporters(node)).length > 0;
      // What comes from now on is cleared next time.
      this.#pending.delete(topic);
      if (!wasHere || ended.aborted) return;
      this.#clearedAt.set(topic, clock.monotonic());
      await publish(topic, new Uint8Array(), { retain: true });
    } catch (error) {
      log.warn('what a deleted node left on the broker was not cleared', { node, error });
    } finally {
      this.#pending.delete(topic);
    }
  }
}
