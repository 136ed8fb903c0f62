/** Why a node has what it has, in a sentence: what `rollout status --why` prints. Pure. */
import { opensText, placeText } from './hours.js';
import type { Member } from './member.js';
import type { RolloutObject } from './rollout-object.js';
import { isReachable } from './stand.js';

/** What was decided about a node; `budget`, `pace` and the time at which its wave takes nodes again: it is its turn, but for that. */
export type Turn =
  'tell' | 'back' | 'budget' | 'pace' | 'none' | { readonly opensAt: number | null };

type Rollout = Pick<RolloutObject, 'spec' | 'status'>;

export function reasonFor(rollout: Rollout, member: Member, turn: Turn): string {
  const { spec, status } = rollout;
  const { plan, to, base } = spec;
  const former = base === null ? 'has nothing of the bundle' : `gets revision ${base.revision}`;
  const place = member.wave === null ? '' : `wave ${placeText(spec, member.wave)}: `;
  if (member.obstacle !== null && !member.needsPerson) {
    const isLetGo = member.waitedUntil === null ? '; it is not waited for' : '';
    return `${place}more is meant for it than an assignment holds: ${member.obstacle}; it keeps what it has${isLetGo}`;
  }
  if (typeof turn === 'object') {
    const wave = member.wave ?? 0;
    return `waits for its turn: ${opensText(spec, wave, turn.opensAt)}`;
  }
  if (member.node.isCordoned === true && turn !== 'back' && member.stand === 'waiting') {
    return `${place}${member.node.barrier ?? 'cordoned'}; it is not waited for`;
  }
  switch (turn) {
    case 'tell':
      return `${place}gets revision ${to.revision} now`;
    case 'back':
      return `${overText(rollout)}: ${former} again`;
    case 'pace':
      return `${place}waits for its turn: at most ${plan.nodesPerMinute} nodes a minute`;
    case 'budget':
      return `${place}waits for its turn: at most ${plan.maxUnavailable} may be on the way at once`;
    case 'none':
      break;
  }
  if (member.stand !== 'waiting') return `${place}${standText(rollout, member)}`;
  if (status.phase === 'aborted' || status.reason === 'Withdrawn') {
    return `${overText(rollout)}: ${former}`;
  }
  if (member.needsPerson) {
    return `${place}keeps what it has until a person says otherwise: flotilla rollout activate --now --node NODE`;
  }
  if (!isReachable(member.node)) {
    return `${place}${member.node.barrier ?? 'offline'}; its turn comes when it can be reached`;
  }
  if (status.phase === 'paused') return `${place}the rollout is paused`;
  if (status.reason === 'Window') return `its wave has not begun: ${status.message}`;
  const under = placeText(spec, status.waves.length - 1);
  return `its wave has not begun: wave ${under} is under way`;
}

function overText({ spec: { to }, status }: Rollout): string {
  const isAborted = status.phase === 'aborted';
  return isAborted
    ? `revision ${to.revision} was aborted`
    : `the root withdraws revision ${to.revision}`;
}

function standText({ spec }: Rollout, { node, stand, row, waitedUntil }: Member): string {
  const what = `revision ${spec.to.revision}`;
  const away = node.barrier ?? 'offline';
  const isLetGo = waitedUntil === null ? '; it is not waited for' : '';
  switch (stand) {
    case 'healthy':
      return `${what} is healthy there`;
    case 'failed':
      return `${what} failed there${row?.isExcused === true ? ', which was known when the rollout was resumed' : ''}`;
    case 'aside':
      return `a person at the device keeps or restored what was there before; it is not waited for`;
    case 'unknown':
      return `has ${what} and cannot know how its pods are${isLetGo}`;
    case 'window':
      return `waits for its maintenance window${isLetGo}`;
    case 'obstructed':
      return `${node.word?.obstacle ?? 'something is in its way'}${isLetGo}`;
    case 'silent':
      return `was told of ${what} and has not answered: ${away}${isLetGo}`;
    default:
      return `on the way to ${what}`;
  }
}
