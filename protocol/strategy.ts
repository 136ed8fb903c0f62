/**
 * How the passage to a revision is judged unless the operator says otherwise, and what no strategy may say. Names and the
 * deadline are those of a Deployment. Pure.
 */
import { canonicalJson } from './canonical.js';
import type { BundleStrategy, Requirement } from './documents/bundle.js';
import { windowsFault } from './maintenance-window.js';

/**
 * Ten seconds, not the zero of a Deployment: a node has no second replica, and a process that lives for a second before it
 * crashes was ready for that second.
 */
export const DEFAULT_STRATEGY: BundleStrategy = {
  progressDeadlineSeconds: 600,
  minReadySeconds: 10,
  onFailure: 'rollback',
};

const SECONDS_MAX = 2_147_483_647;

/** Every field that a strategy may have. */
export const STRATEGY_FIELDS: readonly (keyof BundleStrategy)[] = [
  'progressDeadlineSeconds',
  'minReadySeconds',
  'onFailure',
  'maintenanceWindows',
  'require',
];

/** As they are sorted where they are signed. */
export const REQUIREMENTS: readonly Requirement[] = ['aloneReady', 'undoReady'];

export interface StrategyFault {
  readonly field: keyof BundleStrategy;
  /** Below the field, where that is a list: `[0].schedule`; else empty. */
  readonly at?: string;
  readonly message: string;
}

/** What is wrong with the values, as Kubernetes' validation says it; null: nothing. */
export function strategyFault(strategy: BundleStrategy): StrategyFault | null {
  const { progressDeadlineSeconds: deadline, minReadySeconds: minReady } = strategy;
  const isSeconds = (value: number, least: number) =>
    Number.isInteger(value) && value >= least && value <= SECONDS_MAX;
  if (!isSeconds(deadline, 1)) {
    return { field: 'progressDeadlineSeconds', message: 'must be whole seconds, 1 or more' };
  }
  if (!isSeconds(minReady, 0)) {
    return { field: 'minReadySeconds', message: 'must be whole seconds, 0 or more' };
  }
  if (deadline <= minReady) {
    const message = `must be greater than minReadySeconds (${minReady})`;
    return { field: 'progressDeadlineSeconds', message };
  }
  if (!['rollback', 'keep'].includes(strategy.onFailure)) {
    return { field: 'onFailure', message: 'must be rollback or keep' };
  }
  const { require = [] } = strategy;
  if (!Array.isArray(require) || !require.every(one => REQUIREMENTS.includes(one))) {
    return { field: 'require', message: `must be a list of ${REQUIREMENTS.join(', ')}` };
  }
  if (new Set(require).size < require.length) {
    return { field: 'require', message: 'names something twice' };
  }
  const fault = windowsFault(strategy.maintenanceWindows ?? []);
  return fault && { field: 'maintenanceWindows', ...fault };
}

/** An empty list of windows, or of requirements, and none are the same. */
export function sameStrategy(a: BundleStrategy, b: BundleStrategy): boolean {
  return canonicalJson(plainStrategy(a)) === canonicalJson(plainStrategy(b));
}

/** As it is signed: an empty list is left out. */
export function plainStrategy(strategy: BundleStrategy): BundleStrategy {
  const { maintenanceWindows = [], require = [], ...rest } = strategy;
  return {
    ...rest,
    ...(maintenanceWindows.length === 0 ? {} : { maintenanceWindows }),
    ...(require.length === 0 ? {} : { require: [...require].sort() }),
  };
}
