/** Rollouts and fleets as values, for tables: what is left out is the ordinary. */
import { DEFAULT_PLAN, plainPlan, type RolloutPlan } from '../../hub/rollout/waves/plan.js';
import type {
  RevisionName,
  RolloutNode,
  RolloutSpec,
  RolloutStatus,
} from '../../hub/rollout/waves/rollout-object.js';
import type { FleetNode, Word } from '../../hub/rollout/waves/stand.js';
import type { Fate } from '../../hub/rollout/fate.js';

export const T0 = Date.parse('2026-06-01T00:00:00.000Z');
export const at = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString();

export const named = (revision: number): RevisionName => ({
  revision,
  digest: String(revision).repeat(64).slice(0, 64),
  size: 100,
});

export const OLD = named(1);
export const NEW = named(2);

export function specOf(
  plan: Partial<RolloutPlan> = {},
  change: Partial<RolloutSpec> = {},
): RolloutSpec {
  return {
    plan: plainPlan({ ...DEFAULT_PLAN, ...plan }),
    ...{ to: NEW, base: OLD, unproven: [] },
    begun: { by: 'ann', at: at(0), reason: '' },
    ...{ paused: null, aborted: null, resumed: 0, promoted: 0, forced: 0 },
    ...change,
  };
}

export const BEGUN: RolloutStatus = {
  phase: 'progressing',
  reason: 'Nodes',
  message: '',
  since: at(0),
  waves: [],
};

export interface NodeWords {
  readonly labels?: Readonly<Record<string, string>>;
  readonly offline?: boolean;
  readonly barrier?: string;
  /** Default: the old one. */
  readonly has?: RevisionName | null;
  /** What it says of what it has; default healthy; null: nothing at all. */
  readonly says?: Fate | null;
  /** Whereof it speaks instead. */
  readonly of?: RevisionName;
  readonly isFormer?: boolean;
  /** What a person has to mend. */
  readonly obstacle?: string;
}

export function node(name: string, words: NodeWords = {}): FleetNode {
  const { labels = {}, offline = false, barrier = null, has = OLD, says = 'healthy' } = words;
  const spoken = words.of ?? has;
  const { isFormer = false } = words;
  const word: Word | null =
    says === null || spoken === null
      ? null
      : {
          digest: spoken.digest,
          active: says === 'healthy' || says === 'unknown' ? spoken.digest : OLD.digest,
          ...{ fate: says, isFormer },
          ...(words.obstacle === undefined ? {} : { obstacle: words.obstacle }),
        };
  return { name, labels, isOnline: !offline, barrier, assigned: has, word };
}

export function row(name: string, change: Partial<RolloutNode> = {}): RolloutNode {
  const nothing = {
    toldAt: null,
    isBack: false,
    isExcused: false,
    isReleased: false,
    obstacle: null,
  };
  return { node: name, wave: 0, ...nothing, ...change };
}
