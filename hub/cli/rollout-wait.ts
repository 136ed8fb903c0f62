/** Waits for a rollout: live on a terminal, a line per change when piped, JSON events on request. */
import { parseDurationMs } from '../../protocol/duration.js';
import type { BundleApiObject } from './bundle-write.js';
import { HubUnreachable, type ApiList } from './client.js';
import type { Connected, Context } from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { counted } from '../../protocol/counted.js';
import { lateHint } from './rollout-late.js';
import { pathOf, resourceOf } from './resources.js';
import {
  countsText,
  phaseText,
  reasonLines,
  waveBars,
  waveLines,
  wordLines,
  type RolloutView,
} from './rollout-view.js';
import { askLastWords, nodesToAsk, type WordsByNode } from './last-words.js';
import { timeLeftText } from './time-left.js';
import {
  isCounted,
  nodeViewOf,
  nowhereText,
  obstacleLines,
  standstills,
  progressBar,
  progressLine,
  progressOf,
  mendHint,
  verdictOf,
  type RolloutProgress,
  type Verdict,
} from './rollout-progress.js';

export interface WaitRequest {
  readonly name: string;
  /** Go duration; `0` waits for ever, as in kubectl. */
  readonly timeout: string;
  readonly output: 'text' | 'json';
  /** False: say how it stands and leave. */
  readonly watch?: boolean;
  /** The hub took what is waited for: one that is away from the start comes back. */
  readonly hasAnswered?: boolean;
  /** Nodes that cannot know how their pods are count as done. */
  readonly allowUnknown?: boolean;
}

const LOOK_MS = 1000;
/** Whoever reads the bundle after the wait is to find what was waited for: this long for the hub to count it. */
const COUNT_MS = 5_000;
const COUNT_LOOK_MS = 200;

interface Seen {
  /** Null: the newest revision went to all nodes at once. */
  readonly rollout: RolloutView | null;
  readonly progress: RolloutProgress;
  readonly isCounted: boolean;
}

async function look(hub: Connected, name: string): Promise<Seen> {
  const path = pathOf(resourceOf('bundles'), hub.namespace, name);
  const [bundle, nodes, rollout] = await Promise.all([
    hub.client.call<BundleApiObject>({ path }),
    hub.client.call<ApiList>({ path: pathOf(resourceOf('nodes'), null) }),
    hub.client.get<RolloutView>(`${path}/rollout`),
  ]);
  const progress = progressOf(bundle, nodes.items.map(nodeViewOf));
  return { progress, rollout, isCounted: isCounted(bundle.status, progress) };
}

/** Looks again; null while a hub that answered before is away, for the rollout goes on meanwhile. */
function patientLook(
  { terminal, signal }: Context,
  hub: Connected,
  { name, hasAnswered = false }: Pick<WaitRequest, 'name' | 'hasAnswered'>,
): () => Promise<Seen | null> {
  let reached: boolean | null = hasAnswered ? true : null;
  return async () => {
    try {
      const seen = await look(hub, name);
      reached = true;
      return seen;
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof HubUnreachable) || reached === null) throw error;
      if (reached) terminal.warn(`${error.message}; trying again`);
      reached = false;
      return null;
    }
  };
}

/** Says how it stands, if that is news: live on a terminal. */
function teller({ terminal, clock }: Context, request: WaitRequest): (seen: Seen) => void {
  let said = '';
  const reasons = new Set<string>();
  return seen => {
    const { progress, rollout } = seen;
    const verdict = verdictNow(seen);
    const phase = rollout === null ? '' : `; ${phaseText(rollout)}`;
    const line = `${progressLine(request.name, progress)}${phase}`;
    if (request.output === 'json') {
      const waves = rollout === null ? {} : { rollout: eventOf(rollout) };
      const text = JSON.stringify({ bundle: request.name, verdict, ...progress, ...waves });
      if (text !== said) terminal.print(text);
      said = text;
    } else if (terminal.interactive && verdict === 'waiting' && request.watch !== false) {
      const obstacles = obstacleLines(progress).slice(0, 5);
      const left = rollout === null ? '' : timeLeftText(rollout, clock.now());
      const waves = rollout === null ? [] : waveBars(rollout);
      const bar = `${progressBar(progress, terminal.width)}${left === '' ? '' : `  ${left}`}`;
      terminal.progress([line, bar, ...waves, ...obstacles]);
    } else {
      if (line !== said) terminal.print(line);
      said = line;
      const left = rollout === null ? '' : timeLeftText(rollout, clock.now());
      if (request.watch === false && left !== '') terminal.print(left);
      if (verdict !== 'waiting' || request.watch === false) return;
      for (const { reason, text } of standstills(progress)) {
        if (!reasons.has(reason)) terminal.print(text);
        reasons.add(reason);
      }
    }
  };
}

/** Throws `CliError`: `timedOut` (3) and `rolloutFailed` (4), each with what stands in the way. */
export async function waitForRollout(
  context: Context,
  hub: Connected,
  request: WaitRequest,
): Promise<void> {
  const { terminal, clock, signal } = context;
  const limitMs = parseDurationMs(request.timeout);
  if (limitMs === null) {
    throw new CliError(
      'refused',
      `--timeout: "${request.timeout}" is not a duration such as 90s or 5m`,
    );
  }
  const start = clock.monotonic();
  const lookAgain = patientLook(context, hub, request);
  const tell = teller(context, request);
  let endedAt: number | null = null;
  for (;;) {
    const seen = await lookAgain();
    const progress = seen?.progress;
    const obstacles = seen ? linesOf(seen) : ['  the hub does not answer'];
    if (progress) {
      tell(seen);
      const said = verdictNow(seen);
      const verdict = said === 'unknown' && request.allowUnknown === true ? 'healthy' : said;
      endedAt = verdict === 'waiting' ? null : (endedAt ?? clock.monotonic());
      const isLate = endedAt !== null && clock.monotonic() - endedAt >= COUNT_MS;
      if (endedAt !== null && !seen.isCounted && !isLate && request.watch !== false) {
        await clock.sleep(COUNT_LOOK_MS, signal);
        if (!signal.aborted) continue;
      }
      if (verdict === 'healthy') {
        if (request.output === 'text') {
          terminal.print(doneLine(request.name, seen));
          for (const line of stillInTheWay(seen)) terminal.print(line);
        }
        for (const line of warningLines(request.name, progress)) terminal.warn(line);
        return;
      }
      if (verdict === 'failed' || verdict === 'unknown') {
        const told = linesOf(seen, await wordsIn(hub, request.name, progress));
        const text = [`bundle/${request.name} ${endOf(seen)}`, ...told].join('\n');
        const hint =
          verdict === 'unknown' ? UNKNOWN_HINT : hintOf(seen, request.name, hub.namespace);
        throw new CliError('rolloutFailed', text, progress.withdrawn === null ? hint : null);
      }
      if (request.watch === false) {
        const told = linesOf(seen, await wordsIn(hub, request.name, progress));
        return told.forEach(line => terminal.print(line));
      }
    }
    if (limitMs > 0 && clock.monotonic() - start >= limitMs) {
      throw new CliError(
        'timedOut',
        [`bundle/${request.name} is not healthy after ${request.timeout}`, ...obstacles].join('\n'),
        seen === null
          ? AWAY_HINT
          : lateHint({ ...seen, name: request.name, namespace: hub.namespace }),
      );
    }
    await clock.sleep(LOOK_MS, signal);
    if (signal.aborted) throw new CliError('failed', 'interrupted; the rollout goes on by itself');
  }
}

const AWAY_HINT = 'nodes go on without the hub; start it, and look again';
const UNKNOWN_HINT =
  'set kubeletPods on these nodes (docs/node.md), or count them as done: --allow-unknown';

/** A rollout in waves is over when its phase says so; until then what nodes lack is to come. */
function verdictNow({ progress, rollout }: Seen): Verdict {
  if (rollout === null || progress.withdrawn !== null) return verdictOf(progress);
  const { phase } = rollout.status;
  return phase === 'completed' ? 'healthy' : phase === 'progressing' ? 'waiting' : 'failed';
}

const wordsIn = ({ client, namespace }: Connected, name: string, progress: RolloutProgress) =>
  askLastWords(client, { namespace, name }, nodesToAsk(progress));

function linesOf({ progress, rollout }: Seen, words?: WordsByNode): string[] {
  if (rollout === null || progress.withdrawn !== null) return obstacleLines(progress, words);
  const failures = obstacleLines({ ...progress, open: [] }, words);
  return [...waveLines(rollout), ...wordLines(rollout), ...failures, ...reasonLines(rollout)];
}

/** Of one that is complete: nodes that joined since, and cannot begin as they are. */
function stillInTheWay({ rollout }: Seen): string[] {
  return rollout !== null && rollout.total.obstructed > 0 ? reasonLines(rollout) : [];
}

function hintOf({ progress, rollout }: Seen, name: string, namespace: string): string {
  const what = `bundle/${name} -n ${namespace}`;
  if (rollout?.status.phase === 'paused') {
    return `go on with \`flotilla rollout resume ${what}\`, or go back with \`flotilla rollout abort ${what}\``;
  }
  if (rollout !== null) return 'it never goes on; apply a mended revision';
  return mendHint(progress, { name, namespace });
}

function eventOf({ spec, status, waves, total }: RolloutView): object {
  const { phase, reason, message } = status;
  return { phase, reason, message, waves, total, words: spec.words ?? [] };
}

function endOf({ progress, rollout }: Seen): string {
  const { withdrawn, failed, undone, revision } = progress;
  if (withdrawn !== null) return 'is withdrawn by the root';
  if (rollout !== null) return `revision ${revision} ${phaseText(rollout)}`;
  if (failed > 0) return 'failed';
  return undone > 0
    ? `was undone on ${counted(undone, 'node')}`
    : 'may be healthy or not: nobody knows';
}

/** What is well as far as it goes, and not as somebody may think. */
function warningLines(name: string, progress: RolloutProgress): string[] {
  const { withdrawn, desired, selector } = progress;
  return [
    ...(desired === 0 ? [nowhereText(name, selector)] : []),
    ...(withdrawn === null
      ? []
      : [`warning: bundle/${name}: no further node begins with it: ${withdrawn.message}`]),
  ];
}

function doneLine(name: string, { progress, rollout }: Seen): string {
  if (progress.desired === 0) return `bundle/${name}: no node matches its selector yet`;
  const isWhole = rollout === null || rollout.total.healthy === rollout.total.nodes;
  const rest = isWhole ? '' : `: ${countsText(rollout.total)}`;
  return `bundle/${name} revision ${progress.revision} successfully rolled out${rest}`;
}
