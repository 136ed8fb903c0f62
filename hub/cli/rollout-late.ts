/** What to do about a rollout whose wait is over while it is under way. Pure. */
import { NEVER_OPEN } from '../../protocol/maintenance-window.js';
import type { RolloutProgress } from './rollout-progress.js';
import type { RolloutView } from './rollout-view.js';

interface Late {
  readonly name: string;
  readonly namespace: string;
  readonly progress: Pick<RolloutProgress, 'open'>;
  /** Null: the newest revision went to all nodes at once. */
  readonly rollout: Pick<RolloutView, 'status' | 'total'> | null;
}

export function lateHint({ name, namespace, ...seen }: Late): string {
  const what = `bundle/${name} -n ${namespace}`;
  if (seen.rollout?.status.phase === 'progressing' && seen.rollout.status.reason === 'Promotion') {
    return `it goes on when a person says so: \`flotilla rollout promote ${what}\``;
  }
  if (seen.rollout?.status.phase === 'progressing' && seen.rollout.status.reason === 'OnDelete') {
    return `each node goes on when a person says so: \`flotilla rollout activate ${what} --now --node NODE\``;
  }
  if (isShutOutForEver(seen)) {
    return `no node goes on by itself: apply it with other windows (--window), or \`flotilla rollout activate ${what} --now\``;
  }
  return `it goes on by itself; look again with \`flotilla rollout status ${what}\``;
}

/** Everybody who was told and is not there waits for windows that are never open together. */
function isShutOutForEver({ progress, rollout }: Pick<Late, 'progress' | 'rollout'>): boolean {
  const shut = progress.open.filter(({ text }) => text.includes(NEVER_OPEN)).length;
  if (shut === 0) return false;
  if (rollout === null) return shut === progress.open.length;
  const { window, underWay, obstructed, silent } = rollout.total;
  return shut === window && underWay + obstructed + silent === 0;
}
