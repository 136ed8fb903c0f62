/** A rehearsal in words: how far the runs lie apart, and what stands behind them. Pure. */
import { counted } from '../../protocol/counted.js';
import { humanDuration } from '../../protocol/human-duration.js';
import type { Rehearsal, Spread, WaveRehearsal } from '../foresight/rehearse.js';
import { ASSUMED_SECONDS } from '../foresight/temper.js';
import { namedUpTo } from './counted-names.js';

const NAMES_SHOWN = 5;
const STANDS_SHOWN = 3;

/** `what`: the revision and its plan, in words. */
export function rehearsalLines(rehearsal: Rehearsal, what: string): string[] {
  const { runs, seed, horizonMs, nodes, waves, ends, completes } = rehearsal;
  const horizon = `${humanDuration(horizonMs)} ahead`;
  return [
    `${what}, rehearsed ${counted(runs, 'time')} with seed ${seed}, ${horizon}`,
    historyText(rehearsal),
    ...assumedLines(rehearsal),
    `healthy on ${rehearsal.healthy
      .map(
        ({ percent, after }) =>
          `${percent}% of ${counted(nodes, 'node')} ${afterText(after, runs)}`,
      )
      .join(', ')}`,
    unreachedText(rehearsal),
    ...waves.map((wave, i) => waveText(wave, { at: i, of: waves.length, runs })),
    [
      `complete in ${ends.completed} of ${counted(runs, 'run')}`,
      ...(completes.median === null ? [] : [` ${afterText(completes, completes.runs)}`]),
      ...(ends.paused === 0 ? [] : [`, paused in ${ends.paused}`]),
      ...(ends.aborted === 0 ? [] : [`, rolled back in ${ends.aborted}`]),
      ...(ends.progressing === 0 ? [] : [`, under way still in ${ends.progressing}`]),
    ].join(''),
  ];
}

/** `from 6d of 18 nodes and 41 passages (2 failed); 3 nodes have no history and were taken as the others are`. */
function historyText({ nodes, history }: Rehearsal): string {
  const { passages, failures, spanMs } = history;
  const of = history.isOfOthers ? ' of other bundles' : '';
  const failed = `${counted(passages, 'passage')}${of} (${failures} failed)`;
  const without = nodes - history.nodes;
  if (history.nodes === 0) {
    return `from ${failed}; no node has a history of connections: each was taken to stay as it is now`;
  }
  const missing =
    without === 0
      ? ''
      : `; ${counted(without, 'node')} ${without === 1 ? 'has' : 'have'} no history and ${without === 1 ? 'was' : 'were'} taken as the others are`;
  return `from ${humanDuration(spanMs)} of ${counted(history.nodes, 'node')} and ${failed}${missing}`;
}

function assumedLines({ history, promoted }: Rehearsal): string[] {
  return [
    ...(history.seconds > 0
      ? []
      : [`nobody was ever timed: each node was taken to need ${ASSUMED_SECONDS}s`]),
    ...(promoted === 0
      ? []
      : [`a person was taken to promote, up to ${counted(promoted, 'time')}`]),
  ];
}

/** `after 4m12s (3m50s to 6m)`; in how many runs, where not in all. */
function afterText({ runs: reached, median, low, high }: Spread, runs: number): string {
  if (median === null) return 'in no run';
  const [least, most] = [humanDuration(low ?? median), humanDuration(high ?? median)];
  const spread = least === most ? '' : ` (${least} to ${most})`;
  const share = reached === runs ? '' : ` in ${reached} of ${counted(runs, 'run')}`;
  return `after ${humanDuration(median)}${spread}${share}`;
}

function unreachedText({ unreached, failed, never }: Rehearsal): string {
  const count = ({ median, low, high }: Spread) =>
    low === high ? String(median ?? 0) : `${median ?? 0} (${low ?? 0} to ${high ?? 0})`;
  const names = never.length === 0 ? '' : `: ${namedUpTo(never, NAMES_SHOWN)} in most runs`;
  return `never reached: ${count(unreached)}${names}; failed: ${count(failed)}`;
}

function waveText(
  { of, nodes, passes, stands }: WaveRehearsal,
  { at, of: count, runs }: { readonly at: number; readonly of: number; readonly runs: number },
): string {
  const size =
    at === count - 1 || nodes.median === null ? '' : `, ${counted(nodes.median, 'node')}`;
  const passed = passes.runs === 0 ? [] : [`passes ${afterText(passes, runs)}`];
  const stood = stands.slice(0, STANDS_SHOWN).map(one => {
    const why = one.message === '' ? one.reason : `${one.reason}: ${one.message}`;
    return `stands in ${one.runs} of ${runs}: ${why}`;
  });
  const said = [...passed, ...stood];
  const nothing = nodes.runs === 0 ? 'never begins' : 'says nothing within the horizon';
  return `wave ${at + 1} of ${count} (${of}${size}): ${said.length === 0 ? nothing : said.join('; ')}`;
}
