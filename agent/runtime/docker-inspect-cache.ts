/**
 * Remembers what the engine said of each container, so that looking at fifty pods costs one call and not a hundred. Only
 * while an event stream is watched, for events tell what changed; without one every look asks the engine anew.
 */
import type { ContainerInspectInfo } from 'dockerode';
import { isGone } from './docker-errors.js';

export interface InspectCache {
  /** Null when the container went meanwhile. `state` and `status` are the list's: a change of either asks anew. */
  get(id: string, state: string, status: string): Promise<ContainerInspectInfo | null>;
  drop(id: string): void;
  /** Forgets what is not listed any more. */
  keepOnly(ids: readonly string[]): void;
  /** From now to `end` events are watched. */
  watching(): { changed(id: string): void; end(): void };
  readonly imageDigests: Map<string, readonly string[]>;
}

interface Entry {
  readonly key: string;
  readonly info: ContainerInspectInfo;
}

/** `Up 5 minutes` says nothing new; `Exited (1) 5 minutes ago` says the exit code. */
function keyOf(state: string, status: string): string {
  return `${state} ${/\((\d+)\)/.exec(status)?.[1] ?? ''}`;
}

export function inspectCache(inspect: (id: string) => Promise<ContainerInspectInfo>): InspectCache {
  const entries = new Map<string, Entry>();
  /** Changes seen: an answer that an event overtook is not kept. */
  let changes = 0;
  let watchers = 0;
  const forget = () => {
    changes++;
    entries.clear();
  };
  return {
    imageDigests: new Map(),
    get: async (id, state, status) => {
      const key = keyOf(state, status);
      const known = entries.get(id);
      if (watchers > 0 && known?.key === key) return known.info;
      const before = changes;
      try {
        const info = await inspect(id);
        // The list is older than this answer: a state that moved on between them is looked at again.
        const settled = info.State.Status === state;
        if (watchers > 0 && before === changes && settled) entries.set(id, { key, info });
        return info;
      } catch (error) {
        if (isGone(error)) return null;
        throw error;
      }
    },
    drop: id => {
      changes++;
      entries.delete(id);
    },
    keepOnly: ids => {
      const listed = new Set(ids);
      for (const id of entries.keys()) if (!listed.has(id)) entries.delete(id);
    },
    watching: () => {
      watchers++;
      forget();
      return {
        changed: id => {
          changes++;
          entries.delete(id);
        },
        end: () => {
          watchers--;
          forget();
        },
      };
    },
  };
}
