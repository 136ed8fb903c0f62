/**
 * The embedded broker's retained messages, indexed. aedes' own memory store scans all retained
 * topics for every SUBSCRIBE, so that N nodes cost O(N²) when they reconnect; here an exact filter
 * and one that ends in `/+` are answered from maps, and only the hub's wildcards scan.
 */
import { Readable } from 'node:stream';

interface RetainedPacket {
  readonly topic: string;
  readonly payload: string | Buffer;
}

/** The part of aedes' persistence that is replaced. */
export interface RetainedStore {
  storeRetained(packet: RetainedPacket): Promise<void>;
  createRetainedStreamCombi(filters: readonly string[]): Readable;
}

type Level = Map<string, RetainedPacket>;

/**
 * Puts the index before `store`, in place; `store` still holds everything, for the filters that
 * scan.
 */
export function indexRetained(store: RetainedStore): void {
  const byParent = new Map<string, Level>();
  const keep = store.storeRetained.bind(store);
  const scan = store.createRetainedStreamCombi.bind(store);

  store.storeRetained = packet => {
    const parent = parentOf(packet.topic);
    let level = byParent.get(parent);
    if (packet.payload.length > 0) {
      if (!level) byParent.set(parent, (level = new Map<string, RetainedPacket>()));
      level.set(packet.topic, { ...packet });
    } else if (level) {
      level.delete(packet.topic);
      if (level.size === 0) byParent.delete(parent);
    }
    return keep(packet);
  };

  const answer = (filter: string): readonly RetainedPacket[] | null => {
    const parent = parentOf(filter);
    if (/[+#]/.test(parent)) return null;
    const level = byParent.get(parent);
    const last = filter.slice(parent.length);
    if (last === '/+') return [...(level?.values() ?? [])];
    if (/[+#]/.test(last)) return null;
    const packet = level?.get(filter);
    return packet ? [packet] : [];
  };

  store.createRetainedStreamCombi = filters => {
    const found: RetainedPacket[] = [];
    for (const filter of filters) {
      const packets = answer(filter);
      if (!packets) return scan(filters);
      found.push(...packets);
    }
    return Readable.from(found);
  };
}

function parentOf(topic: string): string {
  return topic.slice(0, Math.max(0, topic.lastIndexOf('/')));
}
