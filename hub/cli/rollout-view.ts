/** A rollout in waves, as it is said to people. Pure. */
import { barOf } from './progress-bar.js';
import { namedUpTo } from './counted-names.js';
import type { RolloutView, StandCounts, WaveView } from '../rollout/waves/view.js';

export type { RolloutView };

/** What is waited for, by the reason why the rollout stands as it does. */
const WAITS = {
  Nodes: 'waits for its nodes',
  NoSuchNode:
    'no node has these labels: apply with others, or let it pass with `flotilla rollout promote`',
  NotProven: 'no node has shown yet that the revision is healthy',
  Away: 'none of its nodes can be reached; it passes when one has shown the revision, or with `flotilla rollout promote --force`',
  OnDelete:
    'waits for a person: `flotilla rollout activate --now --node NODE`, or `flotilla rollout promote` for all',
  Bake: 'its nodes are well, and it bakes',
  Promotion: 'its nodes are well; it waits for `flotilla rollout promote`',
} as const;

const SAMPLE =
  'the others cannot be reached; it passes when enough did, or with `flotilla rollout promote --force`';

/** `progressing, wave 2 of 3 (25%): waits for its nodes`. */
export function phaseText({ spec, status }: Pick<RolloutView, 'spec' | 'status'>): string {
  const { phase, reason, message, waves } = status;
  switch (phase) {
    case 'completed':
      return 'completed';
    case 'paused':
      return `paused ${reason === 'Person' ? saidText(spec.paused) : `(${message})`}`.trim();
    case 'aborted': {
      const why = reason === 'Person' ? saidText(spec.aborted) : `(${message})`;
      const { base } = spec;
      const back = base === null ? 'the bundle leaves them' : `they go back to ${base.revision}`;
      return `aborted ${why}; nodes that have it: ${back}`;
    }
    case 'progressing': {
      const name = `wave ${Math.max(1, waves.length)} of ${spec.plan.waves.length}`;
      if (reason === 'Window') return `progressing: ${message}`;
      if (reason === 'Sample') return `progressing, ${name}: ${message}; ${SAMPLE}`;
      const waits = reason in WAITS ? WAITS[reason as keyof typeof WAITS] : reason;
      return `progressing, ${name}: ${waits}`;
    }
  }
}

function saidText(said: RolloutView['spec']['paused']): string {
  if (said === null) return '';
  return `by ${said.by}${said.reason === '' ? '' : ` (${said.reason})`}`;
}

const COUNTS: readonly [keyof StandCounts, string][] = [
  ['failed', 'failed'],
  ['underWay', 'under way'],
  ['window', 'waiting for a window'],
  ['obstructed', 'obstructed'],
  ['unknown', 'unknown'],
  ['silent', 'silent'],
  ['aside', 'set aside at the device'],
  ['person', 'waiting for a person'],
  ['waiting', 'to be told'],
  ['away', 'away'],
];

/** `3 of 5 healthy, 1 failed, 1 away`. `isOver`: it was aborted, and nobody else is told. */
export function countsText(counts: StandCounts, isOver = false): string {
  const rest = COUNTS.flatMap(([name, text]) => {
    const what = isOver && name === 'waiting' ? 'without it' : text;
    return counts[name] === 0 ? [] : [`${counts[name]} ${what}`];
  });
  return [`${counts.healthy} of ${counts.nodes} healthy`, ...rest].join(', ');
}

/** A line for each wave. */
export function waveLines({ waves, status }: Pick<RolloutView, 'waves' | 'status'>): string[] {
  const isOver = status.phase === 'aborted';
  return waves.map((wave, i) => {
    const name = `wave ${i + 1} of ${waves.length} (${wave.of})`;
    return `  ${name}: ${isOver ? stateAfter(wave) : stateOf(wave)}`;
  });
}

function stateOf(wave: WaveView): string {
  if (wave.began === null) return 'has not begun';
  return `${wave.began.passedAt === null ? 'under way' : 'passed'}; ${countsText(wave)}`;
}

/** Of a rollout that was aborted: by what its nodes are assigned. */
function stateAfter(wave: WaveView): string {
  if (wave.began === null) return 'did not begin';
  const isGoing = wave.nodes > wave.waiting + wave.away;
  return `${isGoing ? 'going back' : 'sent back'}; ${countsText(wave, true)}`;
}

const BAR_ROOM = 10;

/** As `waveLines`, each with a bar of its nodes: for a terminal. */
export function waveBars(view: Pick<RolloutView, 'waves' | 'status'>): string[] {
  const bars = view.waves.map(({ nodes: of, healthy: done, failed, waiting, away }) => {
    return barOf({ done, failed, moving: of - done - failed - waiting - away, of }, BAR_ROOM);
  });
  return waveLines(view).map((line, i) => `  ${bars[i] ?? ''} ${line.trimStart()}`);
}

/** What people said of it, a line each, the newest last. */
export function wordLines({ spec }: Pick<RolloutView, 'spec'>): string[] {
  return (spec.words ?? []).map(({ verb, at, ...said }) => {
    return `  ${at.slice(0, 19)}Z ${verb} ${saidText({ at, ...said })}`;
  });
}

/** Why nodes do not have it healthy, a line per reason; long lists of nodes are cut. */
export function reasonLines({ reasons }: Pick<RolloutView, 'reasons'>): string[] {
  return reasons.map(({ reason, count, nodes }) => {
    const names = namedUpTo(nodes, nodes.length);
    const more = count > nodes.length ? ` and ${count - nodes.length} more` : '';
    return `  ${names}${more}: ${reason}`;
  });
}
