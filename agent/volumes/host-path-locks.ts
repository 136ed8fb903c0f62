/**
 * Looks for update locks below hostPath volumes, where a file server may hang: no look is waited for. It is begun by whoever asks, and its
 * answer is there when that one asks again soon after. Reads nothing of the file and follows no link below the volume.
 */
import type { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../protocol/ports.js';
import type { HostPathPatience } from './host-path-patience.js';

/** Since when something lies there (milliseconds since 1970); null: nothing does, or a link is in the way. */
export type LockFound = number | null;

export type LockLook =
  | LockFound
  /** It is asked for: ask again in a moment. */
  | 'looking'
  /** The node's file system keeps silent. */
  | 'unanswered';

/** An answer is as good as new for so long. */
const FRESH_MS = 2_000;
const REMEMBERED = 256;

export class HostPathLocks {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #patience: Pick<HostPathPatience, 'ask'>;
  readonly #answers = new Map<string, { readonly answer: LockLook; readonly at: number }>();
  readonly #asking = new Set<string>();

  constructor(parts: {
    readonly clock: Pick<Clock, 'monotonic'>;
    readonly patience: Pick<HostPathPatience, 'ask'>;
  }) {
    this.#clock = parts.clock;
    this.#patience = parts.patience;
  }

  /** `steps`: below `root`, none of them `.` or `..`. */
  look(root: string, steps: readonly string[]): LockLook {
    const key = JSON.stringify([root, ...steps]);
    const known = this.#answers.get(key);
    if (known !== undefined && this.#clock.monotonic() - known.at <= FRESH_MS) return known.answer;
    if (!this.#asking.has(key)) void this.#ask(key, { root, steps });
    return known?.answer === 'unanswered' ? known.answer : 'looking';
  }

  /** Never rejects. */
  async #ask(key: string, { root, steps }: { root: string; steps: readonly string[] }) {
    this.#asking.add(key);
    const found = () => foundAt(root, steps);
    const answer = await this.#patience.ask(root, found).catch(() => 'unanswered' as const);
    this.#asking.delete(key);
    if (this.#answers.size >= REMEMBERED) this.#answers.clear();
    this.#answers.set(key, { answer, at: this.#clock.monotonic() });
  }
}

/** Anything else is no answer: a file server that is away says nothing of the lock. */
const NOTHING_THERE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

function nothingThere(error: NodeJS.ErrnoException): null {
  if (NOTHING_THERE.has(error.code)) return null;
  throw error;
}

async function foundAt(root: string, steps: readonly string[]): Promise<LockFound> {
  let path = root;
  let found: Stats | null = null;
  for (const step of steps) {
    path = join(path, step);
    found = await lstat(path).catch(nothingThere);
    if (found === null || found.isSymbolicLink()) return null;
  }
  return found?.mtimeMs ?? null;
}
