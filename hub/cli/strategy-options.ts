/** How nodes judge the passage to a revision, as `apply` and `bundle build` take it from the command line. */
import type { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type {
  BundleStrategy,
  MaintenanceWindow,
  Requirement,
} from '../../protocol/documents/bundle.js';
import { parseDurationMs } from '../../protocol/duration.js';
import { parseWindowText, windowText } from '../../protocol/maintenance-window.js';
import { DEFAULT_STRATEGY, plainStrategy, strategyFault } from '../../protocol/strategy.js';

export interface StrategyOptions {
  progressDeadline?: string;
  minReady?: string;
  onFailure?: string;
  window?: readonly string[];
  require?: string;
}

const FLAGS: Readonly<Record<keyof BundleStrategy, string>> = {
  progressDeadlineSeconds: '--progress-deadline',
  minReadySeconds: '--min-ready',
  onFailure: '--on-failure',
  maintenanceWindows: '--window',
  require: '--require',
};

/** In the words of the command line. */
const REQUIRE_WORDS: Readonly<Record<Requirement, string>> = {
  aloneReady: 'alone-ready',
  undoReady: 'undo-ready',
};

/** In the place of windows or requirements: the bundle has none any more. */
const NO_WINDOW = 'none';

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
    )
    .option(
      '--window <window>',
      'nodes switch only then, such as "0 2 * * sun for 4h in Europe/Berlin"; may be given again; none: at any time',
      (value: string, former: string[] | undefined) => [...(former ?? []), value],
    )
    .option(
      '--require <what,...>',
      'alone-ready: healthy is a node only if it could start the revision without network, clock and hub; undo-ready: a node ' +
        'switches only if it could go back; none: neither',
    );
}

/** What the options do not say stays as the bundle has it. Throws `CliError`. */
export function strategyAfter(
  options: StrategyOptions,
  current: BundleStrategy | null,
): BundleStrategy {
  const { progressDeadline, minReady, onFailure, window, require } = options;
  const strategy: BundleStrategy = plainStrategy({
    ...(current ?? DEFAULT_STRATEGY),
    ...(progressDeadline === undefined
      ? {}
      : { progressDeadlineSeconds: seconds('--progress-deadline', progressDeadline) }),
    ...(minReady === undefined ? {} : { minReadySeconds: seconds('--min-ready', minReady) }),
    ...(onFailure === undefined ? {} : { onFailure: onFailure as BundleStrategy['onFailure'] }),
    ...(window === undefined ? {} : { maintenanceWindows: windowsOf(window) }),
    ...(require === undefined ? {} : { require: requirementsOf(require) }),
  });
  const fault = strategyFault(strategy);
  if (fault) {
    const { field, at = '', message } = fault;
    const where = at === '' ? '' : `: ${at.replace(/^.*\./, '')}`;
    throw new CliError('refused', `${FLAGS[field]}${where}: ${message}`);
  }
  return strategy;
}

/** `progress deadline 600s, min ready 10s, on failure rollback`: in the words of the flags. */
export function strategyText(strategy: BundleStrategy): string {
  const { progressDeadlineSeconds, minReadySeconds, onFailure } = strategy;
  const { maintenanceWindows: windows = [], require = [] } = strategy;
  const what = require.map(one => REQUIRE_WORDS[one]).join(',');
  const required = what === '' ? '' : `, require ${what}`;
  const when = windows.map(window => `, window ${windowText(window)}`).join('');
  return `progress deadline ${progressDeadlineSeconds}s, min ready ${minReadySeconds}s, on failure ${onFailure}${when}${required}`;
}

function requirementsOf(text: string): Requirement[] {
  if (text === NO_WINDOW) return [];
  const all = Object.entries(REQUIRE_WORDS) as [Requirement, string][];
  return text.split(',').map(word => {
    const found = all.find(([, known]) => known === word.trim());
    if (found !== undefined) return found[0];
    throw new CliError(
      'refused',
      `--require ${text}: use alone-ready, undo-ready, both with a comma between them, or none`,
    );
  });
}

function windowsOf(texts: readonly string[]): MaintenanceWindow[] {
  if (texts.length === 1 && texts[0] === NO_WINDOW) return [];
  return texts.map(text => {
    const window = parseWindowText(text);
    if (window !== null) return window;
    const form = '"CRON for DURATION in ZONE", such as "0 2 * * sun for 4h in Europe/Berlin"';
    const alone = text === NO_WINDOW ? 'none stands alone; else use ' : 'use ';
    throw new CliError('refused', `--window ${text}: ${alone}${form}`);
  });
}

/** A duration such as 90s or 5m; a bare number is seconds, as in a manifest. */
function seconds(flag: string, text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : parseDurationMs(text);
  if (ms !== null && ms % 1000 === 0) return ms / 1000;
  throw new CliError('refused', `${flag} ${text}: whole seconds, such as 90s, 5m or 90`);
}
