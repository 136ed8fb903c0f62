/** What a person says to a rollout: pause, resume, promote, abort. Each gives what is to be written, or why not. Saying it twice is safe. Pure. */
import { memberOf } from './member.js';
import type {
  RolloutNode,
  RolloutObject,
  RolloutSpec,
  RolloutStatus,
  Said,
  SaidWord,
} from './rollout-object.js';
import type { FleetNode } from './stand.js';

export const VERBS = ['pause', 'resume', 'promote', 'abort'] as const;
export type Verb = (typeof VERBS)[number];

export interface Wish {
  readonly verb: Verb;
  readonly said: Said;
  /** Of promote: whatever stands in the way. */
  readonly isForced: boolean;
  /** Of promote, what that person saw: the revision, and the wave under way counted from 1. Null: not said. */
  readonly seen: { readonly revision: number; readonly wave: number } | null;
}

export type Answer =
  | {
      readonly ok: true;
      readonly spec: RolloutSpec;
      readonly status: RolloutStatus;
      readonly rows: readonly RolloutNode[];
      /** For the person. */
      readonly text: string;
    }
  /** What to do instead, in a sentence. */
  | { readonly ok: false; readonly refusal: string };

/** Kept with the rollout. */
const WORDS_MAX = 20;

type Rollout = Pick<RolloutObject, 'spec' | 'status'>;

interface Known {
  readonly fleet: readonly FleetNode[];
  readonly rows: ReadonlyMap<string, RolloutNode>;
}

/** What changes something is kept among the words, with who said it and why. */
export function answer(rollout: Rollout, wish: Wish, of: Known): Answer {
  const answered = answerTo(rollout, wish, of);
  if (!answered.ok || answered.spec === rollout.spec) return answered;
  const verb = wish.isForced ? `${wish.verb} --force` : wish.verb;
  const words = spokenOf(rollout.spec, { verb, ...wish.said });
  return { ...answered, spec: { ...answered.spec, words } };
}

/** With the newest word last. */
export function spokenOf({ words = [] }: Pick<RolloutSpec, 'words'>, word: SaidWord): SaidWord[] {
  return [...words, word].slice(-WORDS_MAX);
}

/** For the audit log: `pause: lunch`. */
export function wordText({ verb, reason }: Pick<SaidWord, 'verb' | 'reason'>): string {
  return reason === '' ? verb : `${verb}: ${reason}`;
}

function answerTo(rollout: Rollout, wish: Wish, of: Known): Answer {
  const { spec, status } = rollout;
  const what = `revision ${spec.to.revision}`;
  if (status.phase === 'completed') {
    return refused(`the rollout of ${what} is complete; apply another revision`);
  }
  if (status.phase === 'aborted' || spec.aborted !== null) {
    if (wish.verb === 'abort') return same(rollout, `${what} was aborted already`);
    return refused(`the rollout of ${what} was aborted, and never goes on; apply another revision`);
  }
  if (status.reason === 'Withdrawn' && wish.verb !== 'abort') {
    return refused(`the root withdraws ${what}: nobody begins with it; apply another revision`);
  }
  switch (wish.verb) {
    case 'pause':
      if (spec.paused !== null) return same(rollout, `${what} is paused already`);
      return changed(rollout, { paused: wish.said }, `${what} is paused`);
    case 'resume':
      return resumed(rollout, wish, of);
    case 'promote':
      return promoted(rollout, wish);
    case 'abort':
      return changed(rollout, { aborted: wish.said }, abortedText(rollout));
  }
}

function abortedText({ spec: { to, base } }: Rollout): string {
  const back = base === null ? 'the bundle leaves' : `revision ${base.revision} is put back on`;
  return `revision ${to.revision} is aborted: ${back} the nodes that have it`;
}

/** Failures that are known now are forgiven; new ones count. */
function resumed({ spec, status }: Rollout, { said }: Wish, { fleet, rows }: Known): Answer {
  const what = `revision ${spec.to.revision}`;
  if (spec.paused === null && status.phase !== 'paused') {
    return same({ spec, status }, `${what} is not paused`);
  }
  const excused = fleet.flatMap(node => {
    const row = rows.get(node.name);
    const { stand } = memberOf({ spec, status }, node, { row, now: Date.parse(said.at) });
    return row && stand === 'failed' && !row.isExcused ? [{ ...row, isExcused: true }] : [];
  });
  const forgiven = excused.length === 0 ? '' : `; ${excused.length} known failures count no more`;
  return {
    ok: true,
    spec: { ...spec, paused: null, resumed: spec.resumed + 1 },
    status: { ...status, phase: 'progressing', reason: 'Nodes', message: '', since: said.at },
    rows: excused,
    text: `${what} goes on${forgiven}`,
  };
}

function promoted(rollout: Rollout, { isForced, seen }: Wish): Answer {
  const { spec, status } = rollout;
  if (spec.paused !== null || status.phase === 'paused') {
    return refused(`the rollout of revision ${spec.to.revision} is paused; resume it first`);
  }
  const wave = Math.max(1, status.waves.length);
  const name = `wave ${wave} of ${spec.plan.waves.length}`;
  if (seen !== null && (seen.revision !== spec.to.revision || seen.wave !== wave)) {
    return refused(
      `revision ${spec.to.revision}, ${name} is under way, not revision ${seen.revision}, wave ${seen.wave}; look at it first`,
    );
  }
  if (isForced) {
    if (spec.forced >= wave) return same(rollout, `${name} passes already`);
    return changed(rollout, { forced: wave }, `${name} passes, whatever its nodes say`);
  }
  if (spec.promoted >= wave) return same(rollout, `${name} is promoted already`);
  const text = `${name} is promoted: it passes as soon as its nodes are well`;
  return changed(rollout, { promoted: wave }, text);
}

function changed({ spec, status }: Rollout, change: Partial<RolloutSpec>, text: string): Answer {
  return { ok: true, spec: { ...spec, ...change }, status, rows: [], text };
}

function same({ spec, status }: Rollout, text: string): Answer {
  return { ok: true, spec, status, rows: [], text };
}

function refused(refusal: string): Answer {
  return { ok: false, refusal };
}
