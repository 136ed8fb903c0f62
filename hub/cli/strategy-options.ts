/** How nodes judge the passage to a revision, as `apply` and `bundle build` take it from the command line. */
import type { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { parseDurationMs } from '../../protocol/duration.js';
import { DEFAULT_STRATEGY, strategyFault } from '../../protocol/strategy.js';

export interface StrategyOptions {
  progressDeadline?: string;
  minReady?: string;
  onFailure?: string;
}

const FLAGS: Readonly<Record<keyof BundleStrategy, string>> = {
  progressDeadlineSeconds: '--progress-deadline',
  minReadySeconds: '--min-ready',
  onFailure: '--on-failure',
};

export function strategyOptions(command: Command): Command {
  const { progressDeadlineSeconds, minReadySeconds, onFailure } = DEFAULT_STRATEGY;
  return command
    .option(
      '--progress-deadline <duration>',
      `without progress for this long the revision failed on a node (new bundle: ${progressDeadlineSeconds}s)`,
    )
    .option(
      '--min-ready <duration>',
      `healthy is what was ready for this long (new bundle: ${minReadySeconds}s)`,
    )
    .option(
      '--on-failure <what>',
      `rollback: a node goes back to its last healthy revision; keep: it stays (new bundle: ${onFailure})`,
    );
}

/** What the options do not say stays as the bundle has it. Throws `CliError`. */
export function strategyAfter(
  options: StrategyOptions,
  current: BundleStrategy | null,
): BundleStrategy {
  const { progressDeadline, minReady, onFailure } = options;
  const strategy: BundleStrategy = {
    ...(current ?? DEFAULT_STRATEGY),
    ...(progressDeadline === undefined
      ? {}
      : { progressDeadlineSeconds: seconds('--progress-deadline', progressDeadline) }),
    ...(minReady === undefined ? {} : { minReadySeconds: seconds('--min-ready', minReady) }),
    ...(onFailure === undefined ? {} : { onFailure: onFailure as BundleStrategy['onFailure'] }),
  };
  const fault = strategyFault(strategy);
  if (fault) throw new CliError('refused', `${FLAGS[fault.field]}: ${fault.message}`);
  return strategy;
}

/** `progress deadline 600s, min ready 10s, on failure rollback`: in the words of the flags. */
export function strategyText(strategy: BundleStrategy): string {
  const { progressDeadlineSeconds, minReadySeconds, onFailure } = strategy;
  return `progress deadline ${progressDeadlineSeconds}s, min ready ${minReadySeconds}s, on failure ${onFailure}`;
}

/** A duration such as 90s or 5m; a bare number is seconds, as in a manifest. */
function seconds(flag: string, text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : parseDurationMs(text);
  if (ms !== null && ms % 1000 === 0) return ms / 1000;
  throw new CliError('refused', `${flag} ${text}: whole seconds, such as 90s, 5m or 90`);
}
