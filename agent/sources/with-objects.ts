/** A source of pods with objects beside what it has itself: sealed Secrets of bundles, the node's parameters. */
import type { ConfigObject } from '../pods/config-objects.js';
import type { PodSource } from '../pods/desired.js';

export interface ObjectsBeside {
  objects(): readonly ConfigObject[];
  /** Called after each change; the returned function ends it. */
  onChange(listener: () => void): () => void;
}

export function withObjects(source: PodSource, beside: readonly ObjectsBeside[]): PodSource {
  return {
    snapshot() {
      const snapshot = source.snapshot();
      return { ...snapshot, objects: [...snapshot.objects, ...beside.flatMap(b => b.objects())] };
    },
    onChange(listener) {
      const ends = [source, ...beside].map(one => one.onChange(listener));
      return () => ends.forEach(end => end());
    },
  };
}
