/** What one probe answers, and what it has to know of its container. Types, and their few constructors. */
import type { ProbeKind } from './decide.js';
import type { ProbeTarget } from '../pods/health.js';

/**
 * `message` travels in an event: never what a program printed or a server sent.
 *
 * - `warning`: counts as success, and is told;
 * - `error`: the probe could not be made although the engine is there; it is tried again at once, and the third time counts as
 *   failure (the kubelet never counts it, row 97);
 * - `nothing`: the engine or the container is away, which is no word about the container's health.
 */
export type ProbeAnswer =
  | { readonly is: 'success' }
  | { readonly is: 'warning' | 'failure' | 'error' | 'nothing'; readonly message: string };

/** The longest that a timer of Node takes, 24 days: beyond it, it goes off at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

export const SUCCESS: ProbeAnswer = { is: 'success' };

export const failure = (message: string): ProbeAnswer => ({ is: 'failure', message });

export const probeError = (message: string): ProbeAnswer => ({ is: 'error', message });

export interface ProbeCall {
  readonly target: ProbeTarget;
  readonly timeoutMs: number;
  /** Aborts at the timeout, or when the answer is not wanted any more. */
  readonly signal: AbortSignal;
}

/** Makes one probe. Never throws; an aborted one answers soon, with what nobody reads. */
export type ProbeRun = (
  kind: ProbeKind,
  target: ProbeTarget,
  signal: AbortSignal,
) => Promise<ProbeAnswer>;
