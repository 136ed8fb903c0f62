/** Waits for a rollout: live on a terminal, a line per change when piped, JSON events on request. */
import { parseDurationMs } from '../../protocol/duration.js';
import type { BundleApiObject } from './apply.js';
import { ApiError, type ApiList } from './client.js';
import type { Connected, Context } from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { pathOf, resourceOf } from './resources.js';
import {
  nodeViewOf,
  obstacleLines,
  progressBar,
  progressLine,
  progressOf,
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
}

const LOOK_MS = 1000;

async function look(hub: Connected, name: string): Promise<RolloutProgress> {
  const [bundle, nodes] = await Promise.all([
    hub.client.call<BundleApiObject>({ path: pathOf(resourceOf('bundles'), hub.namespace, name) }),
    hub.client.call<ApiList>({ path: pathOf(resourceOf('nodes'), null) }),
  ]);
  return progressOf(bundle, nodes.items.map(nodeViewOf));
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
  let said = '';
  let away = false;
  let answered = false;
  for (;;) {
    const progress = await lookAgain(context, hub, {
      name: request.name,
      first: !answered,
      said: away,
    });
    away = progress === null;
    if (progress === null) {
      expire(clock.monotonic() - start, limitMs, request);
      await clock.sleep(LOOK_MS, signal);
      if (signal.aborted) throw interrupted();
      continue;
    }
    answered = true;
    const verdict = verdictOf(progress);
    const line = progressLine(request.name, progress);
    if (request.output === 'json') {
      const text = JSON.stringify({ bundle: request.name, verdict, ...progress });
      if (text !== said) terminal.print(text);
      said = text;
    } else if (terminal.interactive && verdict === 'waiting' && request.watch !== false) {
      terminal.progress([
        line,
        progressBar(progress, terminal.width),
        ...obstacleLines(progress).slice(0, 5),
      ]);
    } else if (line !== said) {
      terminal.print(line);
      said = line;
    }
    if (verdict === 'healthy') {
      if (request.output === 'text') terminal.print(doneLine(request.name, progress));
      return;
    }
    if (verdict === 'failed') {
      throw new CliError(
        'rolloutFailed',
        [`bundle/${request.name} failed`, ...obstacleLines(progress)].join('\n'),
      );
    }
    if (request.watch === false) {
      for (const obstacle of obstacleLines(progress)) terminal.print(obstacle);
      return;
    }
    if (limitMs > 0 && clock.monotonic() - start >= limitMs) {
      throw new CliError(
        'timedOut',
        [
          `bundle/${request.name} is not healthy after ${request.timeout}`,
          ...obstacleLines(progress),
        ].join('\n'),
        `it goes on by itself; look again with \`flotilla rollout status bundle/${request.name}\``,
      );
    }
    await clock.sleep(LOOK_MS, signal);
    if (signal.aborted) throw interrupted();
  }
}

function doneLine(name: string, progress: RolloutProgress): string {
  if (progress.desired === 0) return `bundle/${name}: no node matches its selector yet`;
  return `bundle/${name} revision ${progress.revision} successfully rolled out`;
}

function interrupted(): CliError {
  return new CliError('failed', 'interrupted; the rollout goes on by itself');
}

function expire(waitedMs: number, limitMs: number, { name, timeout }: WaitRequest): void {
  if (limitMs === 0 || waitedMs < limitMs) return;
  throw new CliError('timedOut', `bundle/${name}: the hub did not answer, and ${timeout} are over`);
}

/** Null: a hub that answered before is away; whoever waits waits on. */
async function lookAgain(
  { terminal }: Context,
  hub: Connected,
  { name, first, said }: { name: string; first: boolean; said: boolean },
): Promise<RolloutProgress | null> {
  try {
    return await look(hub, name);
  } catch (error) {
    const isAway =
      error instanceof CliError && !(error instanceof ApiError) && error.exit === 'failed';
    if (first || !isAway) throw error;
    if (!said) terminal.warn(`${error.message}; trying again`);
    return null;
  }
}
