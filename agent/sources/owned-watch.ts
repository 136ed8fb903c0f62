/**
 * Tells when the agent's own files in the static pod directory may be gone or changed, on a node where a kubelet reads
 * the directory and so no file source of the agent does (`runtime: none`).
 *
 * Also when it becomes unsafe or safe again. Reads no file and decides nothing: whoever owns the files compares them with what the journal promises. Its own writing
 * is told as well, once.
 */
import { statSync } from 'node:fs';
import type { Clock } from '../../protocol/ports.js';
import { OWNED_FILE_PREFIX } from '../../protocol/names.js';
import { staticPodPathFault } from '../safe-directory.js';
import { WATCH_RETRY_MS, watchPath } from './watch-path.js';

/** What is done to several files in a row, `rm -r` for example, is told once and after its end. */
export const SETTLED_MS = 500;

export interface OwnedWatchOptions {
  /** A directory; it may be missing for a while. */
  readonly path: string;
  readonly clock: Clock;
  /** How often it is looked at although nothing was heard. */
  readonly everyMs: number;
  /** Of this process: who else may write there makes it unsafe. */
  readonly uid: number;
  readonly onDoubt: () => void;
}

export interface OwnedWatch {
  stop(): Promise<void>;
}

function identityOf(path: string): string | null {
  try {
    const { ino, birthtimeNs } = statSync(path, { bigint: true });
    return `${ino}/${birthtimeNs}`;
  } catch {
    return null;
  }
}

/** Watches when it returns; what is there then is not in doubt. */
export function watchOwnedFiles(options: OwnedWatchOptions): OwnedWatch {
  const { path, clock, everyMs, uid, onDoubt } = options;
  let wake = new AbortController();
  let isTouched = false;
  let isEnding = false;
  const watching = watchPath(path, (_kind, name) => {
    isTouched ||= name?.startsWith(OWNED_FILE_PREFIX) === true;
    wake.abort();
  });

  let known = identityOf(path);
  let fault = staticPodPathFault(path, uid)?.what;
  watching.ensure(known);

  async function run(): Promise<void> {
    for (;;) {
      const waitMs = watching.isAlive() ? everyMs : Math.min(everyMs, WATCH_RETRY_MS);
      if (!isTouched) await clock.sleep(waitMs, wake.signal);
      if (isEnding) return;
      wake = new AbortController();
      if (isTouched) await clock.sleep(SETTLED_MS);
      const found = identityOf(path);
      watching.ensure(found);
      const nowFault = staticPodPathFault(path, uid)?.what;
      const isOther = found !== known || nowFault !== fault;
      known = found;
      fault = nowFault;
      if (!isTouched && !isOther) continue;
      isTouched = false;
      onDoubt();
    }
  }

  const running = run();
  return {
    async stop() {
      isEnding = true;
      watching.close();
      wake.abort();
      await running;
    },
  };
}
