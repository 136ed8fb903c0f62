/**
 * A DaemonSet beside the options of a command: what it says is said there alone, and where its pods travel without it (a bundle file) it is
 * said again in the words of `apply`. Pure.
 */
import { CliError } from '../../protocol/cli-error.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import type { DaemonSetBundle } from '../daemonset/daemonset.js';
import { shellWord } from './shell-word.js';

interface Options {
  readonly nodes?: string;
  readonly allNodes?: boolean;
  readonly maxUnavailable?: string;
  readonly updateStrategy?: string;
  readonly atOnce?: boolean;
  readonly minReady?: string;
}

const NODES = 'spec.template.spec.nodeSelector or affinity.nodeAffinity; neither: every node';
const PLAN = 'spec.updateStrategy';

const SAID: Readonly<Record<keyof Options, readonly [flag: string, field: string]>> = {
  nodes: ['--nodes', NODES],
  allNodes: ['--all-nodes', NODES],
  maxUnavailable: ['--max-unavailable', `${PLAN}.rollingUpdate.maxUnavailable`],
  updateStrategy: ['--update-strategy', `${PLAN}.type`],
  atOnce: ['--at-once', `${PLAN}.rollingUpdate.maxUnavailable: 100%`],
  minReady: ['--min-ready', 'spec.minReadySeconds'],
};

/** Throws `CliError` (refused) for an option that would say what the DaemonSet says. */
export function refuseSaidTwice(daemonSet: DaemonSetBundle | null, options: Options): void {
  if (daemonSet === null) return;
  const keys = Object.keys(SAID) as (keyof Options)[];
  const twice = keys.find(key => options[key] !== undefined);
  if (twice === undefined) return;
  const [flag, field] = SAID[twice];
  throw new CliError(
    'refused',
    `${flag}: the DaemonSet "${daemonSet.name}" says that itself`,
    `change it in the file: ${field}`,
  );
}

/** What the bundle has, with what the DaemonSet says. */
export function strategyOf(
  daemonSet: DaemonSetBundle | null,
  current: BundleStrategy,
): BundleStrategy {
  return daemonSet === null ? current : { ...current, ...daemonSet.strategy };
}

/** For an `apply` of a file that its pod was built into: nodes and plan are no part of that. Ready for a shell. */
export function applyFlags({ nodeSelector, plan, changeCause }: DaemonSetBundle): string[] {
  const { updateStrategy, maxUnavailable } = plan;
  return [
    ...(nodeSelector === '' ? ['--all-nodes'] : [`--nodes ${shellWord(nodeSelector)}`]),
    `--update-strategy ${updateStrategy === 'onDelete' ? 'on-delete' : 'rolling'}`,
    `--max-unavailable ${maxUnavailable}`,
    ...(changeCause === '' ? [] : [`--change-cause ${shellWord(changeCause)}`]),
  ];
}

/** What is taken from the file and has no effect, a line each. */
export function daemonSetWarnings(daemonSet: DaemonSetBundle | null): string[] {
  return (daemonSet?.notes ?? []).map(
    note => `Warning: DaemonSet "${daemonSet?.name ?? ''}": ${note}`,
  );
}
