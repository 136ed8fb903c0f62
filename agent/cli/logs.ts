/** `flotilla-agent logs`: a container's output as the engine kept it, hub or no hub. */
import { once } from 'node:events';
import { Command } from 'commander';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { CliError } from '../../protocol/cli-error.js';
import { parseDurationMs } from '../../protocol/duration.js';
import type { CliContext } from './context.js';
import { podsNamed } from './pods.js';
import { getJson, openSocket } from './socket-client.js';

/** kubectl's: the container that is meant where none is named. */
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

interface LogsOptions {
  dataDir: string;
  namespace: string;
  container?: string;
  follow?: boolean;
  tail?: string;
  since?: string;
  previous?: boolean;
  timestamps?: boolean;
}

export function logsCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('logs'))
    .summary('print the output of a container of this node')
    .argument('<pod>', "name of the pod; the node's suffix may be left out")
    .argument('[container]', 'name of the container; else the first, or the one annotated')
    .option('-n, --namespace <ns>', 'namespace', 'default')
    .option('-c, --container <name>', 'name of the container')
    .option('-f, --follow', 'go on with what comes')
    .option('--tail <lines>', 'only the last lines')
    .option('--since <duration>', 'only what is newer than 5s, 2m, 3h')
    .option('-p, --previous', 'of the run before')
    .option('--timestamps', 'a time in front of each line')
    .action(async (pod: string, container: string | undefined, options: LogsOptions) => {
      const given = options.container ?? container ?? '';
      const name = given === '' ? await defaultContainer(context, pod, options) : given;
      const path = logPath({ pod, container: name, options });
      const response = await openSocket(options.dataDir, path, { signal: context.signal });
      try {
        for await (const chunk of response as AsyncIterable<Buffer>) {
          if (!context.stdout.write(chunk)) await once(context.stdout, 'drain');
        }
      } catch (error) {
        if (!context.signal.aborted) throw error;
      }
    });
}

/** Empty when there is no such pod: then the agent says so. */
async function defaultContainer(
  context: CliContext,
  name: string,
  { dataDir, namespace }: LogsOptions,
): Promise<string> {
  const { items } = await getJson<{ items: Pod[] }>(dataDir, '/pods');
  const [pod] = podsNamed(items, { name, namespace });
  if (pod === undefined) return '';
  const { container, note } = chosenContainer(pod);
  if (note !== null) context.tell(note);
  return container;
}

/** As `kubectl logs` chooses and says it (`podcmd.FindOrDefaultContainerByName`). Pure. */
export function chosenContainer({ metadata, spec }: Pod): {
  readonly container: string;
  readonly note: string | null;
} {
  const { containers = [], initContainers = [] } = spec ?? {};
  const all = [...containers, ...initContainers].map(one => one.name);
  const annotated = metadata?.annotations?.[DEFAULT_CONTAINER] ?? '';
  if (all.includes(annotated)) return { container: annotated, note: null };
  const [first] = containers;
  if (first === undefined) return { container: '', note: null };
  if (all.length === 1) return { container: first.name, note: null };
  const names = [
    ...containers.map(one => one.name),
    ...initContainers.map(one => `${one.name} (init)`),
  ];
  return {
    container: first.name,
    note: `Defaulted container "${first.name}" out of: ${names.join(', ')}`,
  };
}

function logPath(target: { pod: string; container: string; options: LogsOptions }): string {
  const { pod, container, options } = target;
  const query = new URLSearchParams();
  if (options.follow) query.set('follow', 'true');
  if (options.previous) query.set('previous', 'true');
  if (options.timestamps) query.set('timestamps', 'true');
  if (options.tail !== undefined && options.tail !== '-1') {
    if (!/^\d+$/.test(options.tail))
      throw new CliError('refused', `--tail ${options.tail}: not a number of lines`);
    query.set('tailLines', options.tail);
  }
  if (options.since !== undefined) {
    const ms = parseDurationMs(options.since);
    if (ms === null)
      throw new CliError('refused', `--since ${options.since}: not a duration such as 5m`);
    query.set('sinceSeconds', String(Math.ceil(ms / 1000)));
  }
  const parts = [options.namespace, pod.replace(/^pod\//, ''), container].map(encodeURIComponent);
  return `/containerLogs/${parts.join('/')}?${query.toString()}`;
}
