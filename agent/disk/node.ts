/** The disks of a node: its data, its static pod directory, its engine. */
import { watchDisks, type DiskWatch, type DiskWatchOptions } from './watch.js';
import type { Place } from './pressure.js';
import { RuntimeError } from '../runtime/runtime.js';

export interface NodeDisks extends Pick<DiskWatchOptions, 'clock' | 'log' | 'onChange'> {
  readonly dataDir: string;
  readonly staticPodPath: string;
  /** Throws `RuntimeError` while the engine does not answer, and where the agent does not see it; null: somebody else runs the pods. */
  readonly engineDirectory: (() => Promise<{ readonly path: string }>) | null;
}

/** The engine is asked for its directory until it answers, and waited for by nobody. */
export function placesOf({
  dataDir,
  staticPodPath,
  engineDirectory,
}: Pick<NodeDisks, 'dataDir' | 'staticPodPath' | 'engineDirectory'>): () => readonly Place[] {
  const own: readonly Place[] = [
    { what: 'the journal and the files of pods', path: dataDir },
    { what: 'the static pod directory', path: staticPodPath },
  ];
  let engine: readonly Place[] = [];
  let isAsked = engineDirectory === null;
  const ask = async () => {
    try {
      const found = await engineDirectory?.();
      if (found !== undefined) engine = [{ what: 'the engine', path: found.path }];
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      isAsked = false;
    }
  };
  return () => {
    if (!isAsked) {
      isAsked = true;
      void ask();
    }
    return [...own, ...engine];
  };
}

export function watchNodeDisks(options: NodeDisks): DiskWatch {
  return watchDisks({ ...options, places: placesOf(options) });
}
