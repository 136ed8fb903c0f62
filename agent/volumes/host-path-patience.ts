/**
 * How long the node's own paths are waited for: a file server that hangs lets no call about its files return, and must hold up its own
 * pods alone. A call that hangs cannot be ended and keeps one of the process's few threads for files: so a path is first reached without
 * one, and not asked about a second time before it has answered. Decides nothing about what the answers mean.
 */
import type { ReachPath } from './host-path-reach.js';
import { MountError } from './mount-error.js';
import type { Clock } from '../../protocol/ports.js';

/** Longer than a disk takes to wake up. */
export const HOST_PATH_ANSWER_MS = 10_000;

export class HostPathPatience {
  readonly #clock: Clock;
  readonly #reach: ReachPath;
  /** By path: the question that has not been answered yet. */
  readonly #open = new Map<string, Promise<unknown>>();
  /** Those that were given up. */
  readonly #silent = new Set<string>();

  constructor(clock: Clock, reach: ReachPath) {
    this.#clock = clock;
    this.#reach = reach;
  }

  /** The answer to `question`. Throws `MountError` when there is none in time, and at once while there is none still. */
  async ask<T>(path: string, question: () => Promise<T>): Promise<T> {
    if (this.#silent.has(path)) throw this.#noAnswer(path);
    // Several pods may ask of one path at a time, and each may mean something else by it.
    await this.#inTime(
      path,
      this.#open.get(path)?.catch(() => undefined),
    );
    const answer = this.#reach(path).then(question);
    this.#open.set(path, answer);
    try {
      return await this.#inTime(path, answer);
    } finally {
      const over = () => {
        if (this.#open.get(path) !== answer) return;
        this.#open.delete(path);
        this.#silent.delete(path);
      };
      answer.then(over, over);
    }
  }

  async #inTime<T>(path: string, answer: Promise<T> | undefined): Promise<T> {
    const answered = new AbortController();
    const late = this.#clock.sleep(HOST_PATH_ANSWER_MS, answered.signal).then((): never => {
      if (!answered.signal.aborted) this.#silent.add(path);
      throw this.#noAnswer(path);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([answer as Promise<T>, late]);
    } finally {
      answered.abort();
    }
  }

  #noAnswer(path: string): MountError {
    return new MountError(
      `hostPath type check failed: ${path} does not answer (waited ${HOST_PATH_ANSWER_MS / 1000} s): ` +
        'is its file server away?',
    );
  }
}
