/** Waits for a rollout: live on a terminal, a line per change when piped, JSON events on request. */
import { parseDurationMs } from '../../protocol/duration.js';
import type { BundleApiObject } from './bundle-write.js';
import { HubUnreachable, type ApiList } from './client.js';
import type { Connected, Context } from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { pathOf, resourceOf } from './resources.js';
import {
  isCounted,
  nodeViewOf,
  nowhereText,
  obstacleLines,
  standstills,
  progressBar,
  progressLine,
  progressOf,
  retryHint,
  verdictOf,
  type RolloutProgress,
} from './rollout-progress.js';

export interface WaitRequest {
  readonly name: string;
  /** Go duration; `0` waits for ever, as in kubectl. */
  readonly timeout: string;
  readonly output: 'text' | 'json';
  /** False: say how it stands and leave. */
  readonly watch?: boolean;
  /** Nodes that cannot know how their pods are count as done. */
  readonly allowUnknown?: boolean;
}

const LOOK_MS = 1000;
/** Whoever reads the bundle after the wait is to find what was waited for: this long for the hub to count it. */
const COUNT_MS = 5_000;
const COUNT_LOOK_MS = 200;

interface Seen {
  readonly progress: RolloutProgress;
  readonly isCounted: boolean;
}

async function look(hub: Connected, name: string): Promise<Seen> {
  const [bundle, nodes] = await Promise.all([
    hub.client.call<BundleApiObject>({ path: pathOf(resourceOf('bundles'), hub.namespace, name) }),
    hub.client.call<ApiList>({ path: pathOf(resourceOf('nodes'), null) }),
  ]);
  const progress = progressOf(bundle, nodes.items.map(nodeViewOf));
  return { progress, isCounted: isCounted(bundle.status, progress) };
}

/** Looks again; null while a hub that answered before is away, for the rollout goes on meanwhile. */
function patientLook(
  { terminal }: Context,
  hub: Connected,
  name: string,
): () => Promise<Seen | null> {
  let reached: boolean | null = null;
  return async () => {
    try {
      const seen = await look(hub, name);
      reached = true;
      return seen;
    } catch (error) {
      if (!(error instanceof HubUnreachable) || reached === null) throw error;
      if (reached) terminal.warn(`${error.message}; trying again`);
      reached = false;
      return null;
    }
  };
}

/** Says how it stands, if that is news: live on a terminal. */
function teller({ terminal }: Context, request: WaitRequest): (progress: RolloutProgress) => void {
  let said = '';
  const reasons = new Set<string>();
  return progress => {
    const verdict = verdictOf(progress);
    const line = progressLine(request.name, progress);
    if (request.output === 'json') {
      const text = JSON.stringify({ bundle: request.name, verdict, ...progress });
      if (text !== said) terminal.print(text);
      said = text;
    } else if (terminal.interactive && verdict === 'waiting' && request.watch !== false) {
      const obstacles = obstacleLines(progress).slice(0, 5);
      terminal.progress([line, progressBar(progress, terminal.width), ...obstacles]);
    } else {
      if (line !== said) terminal.print(line);
      said = line;
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
  const lookAgain = patientLook(context, hub, request.name);
  const tell = teller(context, request);
  let endedAt: number | null = null;
  for (;;) {
    const seen = await lookAgain();
    const progress = seen?.progress;
    const obstacles = progress ? obstacleLines(progress) : ['  the hub does not answer'];
    if (progress) {
      tell(progress);
      const said = verdictOf(progress);
      const verdict = said === 'unknown' && request.allowUnknown === true ? 'healthy' : said;
      endedAt = verdict === 'waiting' ? null : (endedAt ?? clock.monotonic());
      const isLate = endedAt !== null && clock.monotonic() - endedAt >= COUNT_MS;
      if (endedAt !== null && !seen.isCounted && !isLate && request.watch !== false) {
        await clock.sleep(COUNT_LOOK_MS, signal);
        if (!signal.aborted) continue;
      }
      if (verdict === 'healthy') {
        if (request.output === 'text') terminal.print(doneLine(request.name, progress));
        for (const line of warningLines(request.name, progress)) terminal.warn(line);
        return;
      }
      if (verdict === 'failed' || verdict === 'unknown') {
        const text = [`bundle/${request.name} ${endOf(progress)}`, ...obstacles].join('\n');
        const hint = verdict === 'unknown' ? UNKNOWN_HINT : retryHint(request.name, hub.namespace);
        throw new CliError('rolloutFailed', text, progress.withdrawn === null ? hint : null);
      }
      if (request.watch === false) return obstacles.forEach(line => terminal.print(line));
    }
    if (limitMs > 0 && clock.monotonic() - start >= limitMs) {
      throw new CliError(
        'timedOut',
        [`bundle/${request.name} is not healthy after ${request.timeout}`, ...obstacles].join('\n'),
        `it goes on by itself; look again with \`flotilla rollout status bundle/${request.name} -n ${hub.namespace}\``,
      );
    }
    await clock.sleep(LOOK_MS, signal);
    if (signal.aborted) throw new CliError('failed', 'interrupted; the rollout goes on by itself');
  }
}

const UNKNOWN_HINT =
  'set kubeletPods on these nodes (docs/node.md), or count them as done: --allow-unknown';

function endOf({ withdrawn, failed, undone }: RolloutProgress): string {
  if (withdrawn !== null) return 'is withdrawn by the root';
  if (failed > 0) return 'failed';
  return undone > 0 ? 'was undone' : 'may be healthy or not: nobody knows';
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

function doneLine(name: string, progress: RolloutProgress): string {
  if (progress.desired === 0) return `bundle/${name}: no node matches its selector yet`;
  return `bundle/${name} revision ${progress.revision} successfully rolled out`;
}
