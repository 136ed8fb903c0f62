/**
 * Pods whose recorded document is not the one that the node's status names: after 30 s the hub says
 * what it has, and the node sends what differs; doubling to an hour, 100 in one message. Holds state,
 * does no I/O; the time is an argument.
 */
const FIRST_MS = 30_000;
const LAST_MS = 3_600_000;
const BATCH = 100;

interface Entry {
  dueAt: number;
  attempt: number;
  /** What the status names: another one begins anew. */
  readonly digest: string;
}

export class PodRepair {
  readonly #nodes = new Map<string, Map<string, Entry>>();

  /** The complete list of a node's pods that differ, with the digests that its status names. */
  note(node: string, differing: ReadonlyMap<string, string>, now: number): void {
    if (differing.size === 0) {
      this.#nodes.delete(node);
      return;
    }
    const before = this.#nodes.get(node);
    const entries = [...differing].map(([key, digest]): [string, Entry] => {
      const known = before?.get(key);
      return [
        key,
        known?.digest === digest ? known : { dueAt: now + FIRST_MS, attempt: 0, digest },
      ];
    });
    this.#nodes.set(node, new Map(entries));
  }

  /** Keys to be asked for now, at most 100 a node; asked again later unless they come. */
  take(now: number): ReadonlyMap<string, readonly string[]> {
    const due = new Map<string, readonly string[]>();
    for (const [node, entries] of this.#nodes) {
      const keys = [...entries].filter(([, { dueAt }]) => dueAt <= now).slice(0, BATCH);
      if (keys.length === 0) continue;
      for (const [, entry] of keys) {
        entry.dueAt = now + Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(++entry.attempt, 10));
      }
      due.set(
        node,
        keys.map(([key]) => key),
      );
    }
    return due;
  }
}
