/** What the thread that fuzzes is given and what it says. */
import type { Report } from './engine.js';
import type { Finding } from './judge.js';
import type { Outcome } from './target.js';

/** Of the shared numbers: how many inputs were begun, and how long the one at hand is; its bytes follow them. */
export const BEAT = 0;
export const LENGTH = 1;
export const INPUT_BYTES_MAX = 256 * 1024;
export const SHARED_BYTES = 8 + INPUT_BYTES_MAX;

export interface TargetJob {
  readonly target: string;
  readonly runs: number;
  /** This one alone, in place of runs. */
  readonly input: Uint8Array | null;
}

export interface Job {
  readonly memory: SharedArrayBuffer;
  /** Beginnings of the URLs of modules that get counters. */
  readonly roots: readonly string[];
  /** URLs of modules that export `targets`. */
  readonly modules: readonly string[];
  readonly seed: number;
}

export interface NamedShare {
  readonly name: string;
  readonly share: number;
}

/** The answer to `targets`. */
export interface Plan {
  readonly jobs: readonly TargetJob[];
  readonly limitMs: number;
}

export type ToParent =
  | { readonly is: 'targets'; readonly targets: readonly NamedShare[] }
  | { readonly is: 'begun'; readonly target: string }
  | { readonly is: 'report'; readonly report: Report }
  | { readonly is: 'judged'; readonly outcome: Outcome; readonly finding: Finding | null }
  | { readonly is: 'done' };
