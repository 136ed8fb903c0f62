/** `flotilla logs`: what containers said, of one pod or of all that a selector matches, as kubectl shows it. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { parseDurationMs } from '../../protocol/duration.js';
import type { ApiList, ApiObject } from './client.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { LogPrinter } from './log-printer.js';
import {
  containerOf,
  containersOf,
  findPod,
  PODS,
  withPod,
  type PodOptions,
} from './pod-choice.js';
import { pathOf } from './resources.js';

interface LogOptions extends ConnectionOptions, PodOptions {
  follow?: boolean;
  tail?: string;
  since?: string;
  sinceTime?: string;
  previous?: boolean;
  timestamps?: boolean;
  limitBytes?: string;
  allContainers?: boolean;
  selector?: string;
  allNamespaces?: boolean;
  prefix?: boolean;
  maxLogRequests: string;
}

const EXAMPLES = `
Examples:
  flotilla logs web-edge-1 --tail 100 -f
  flotilla logs web --node edge-1 -c web --since 1h
  flotilla logs -l app=web --all-containers --prefix`;

export function logsCommand(context: Context): Command {
  return withPod(withConnection(new Command('logs')))
    .summary('show what the containers of a pod said')
    .argument('[pod]', 'pod, with or without its node’s name; or -l')
    .option('-f, --follow', 'go on as more is said')
    .option('--tail <lines>', 'the last lines only (default: all; with -l: 10)')
    .option('--since <duration>', 'not older than this: 30s, 5m, 1h')
    .option('--since-time <time>', 'not older than this time (RFC 3339)')
    .option('-p, --previous', 'of the run before this one')
    .option('--timestamps', 'each line begins with its time')
    .option('--limit-bytes <bytes>', 'at most so many bytes')
    .option('--all-containers', 'of every container of the pod, init containers too')
    .option('-l, --selector <labels>', 'of every pod with these labels')
    .option('-A, --all-namespaces', 'with -l: in all namespaces')
    .option('--prefix', 'each line begins with its pod and container')
    .option('--max-log-requests <n>', 'with -f and -l: at most so many streams', '5')
    .addHelpText('after', EXAMPLES)
    .action((pod: string | undefined, options: LogOptions) =>
      connected(context, options, hub => logs(context, hub, { pod, options })),
    );
}

function whole(name: string, text: string | undefined, min: number): string | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text) && Number(text) >= min) return text;
  // kubectl's way to say all of it.
  if (name === '--tail' && text === '-1') return undefined;
  throw new CliError('refused', `${name}: "${text}" is not a whole number of at least ${min}`);
}

function seconds(since: string | undefined): string | undefined {
  if (since === undefined) return undefined;
  const ms = parseDurationMs(since);
  if (ms === null || ms === 0) {
    throw new CliError('refused', `--since: "${since}" is not a duration such as 30s or 5m`);
  }
  return String(Math.ceil(ms / 1000));
}

interface Source {
  readonly pod: ApiObject;
  readonly container: string | undefined;
}

async function podsOf(
  hub: Connected,
  { pod, options }: { pod: string | undefined; options: LogOptions },
): Promise<ApiObject[]> {
  const { selector } = options;
  if ((pod === undefined) === (selector === undefined)) {
    throw new CliError('refused', 'give the name of a pod, or a selector with -l: one of them');
  }
  if (pod !== undefined && options.allNamespaces) {
    throw new CliError('refused', 'a name needs one namespace: -n instead of -A');
  }
  if (pod !== undefined) return [await findPod(hub, pod, options.node)];
  const fieldSelector = options.node === undefined ? undefined : `spec.nodeName=${options.node}`;
  const query = { labelSelector: selector, fieldSelector };
  return (
    await hub.client.call<ApiList>({
      path: pathOf(PODS, options.allNamespaces ? null : hub.namespace),
      query,
    })
  ).items;
}

function sourcesOf(context: Context, pod: ApiObject, options: LogOptions): Source[] {
  if (options.allContainers) {
    if (options.container !== undefined) {
      throw new CliError('refused', '--all-containers and -c: one of them');
    }
    const { init, app } = containersOf(pod);
    return [...init, ...app].map(container => ({ pod, container }));
  }
  const warn = (line: string) => context.terminal.warn(line);
  return [{ pod, container: containerOf(pod, options.container, warn) }];
}

async function logs(
  context: Context,
  hub: Connected,
  request: { pod: string | undefined; options: LogOptions },
): Promise<void> {
  const { options } = request;
  const tail = whole('--tail', options.tail, 0);
  const query = {
    follow: options.follow ? 'true' : undefined,
    previous: options.previous ? 'true' : undefined,
    timestamps: options.timestamps ? 'true' : undefined,
    tailLines:
      tail ?? (options.selector !== undefined && options.tail === undefined ? '10' : undefined),
    limitBytes: whole('--limit-bytes', options.limitBytes, 1),
    sinceSeconds: seconds(options.since),
    sinceTime: options.sinceTime,
  };
  const most = Number(whole('--max-log-requests', options.maxLogRequests, 1));
  const pods = await podsOf(hub, request);
  const sources = pods.flatMap(pod => sourcesOf(context, pod, options));
  if (sources.length === 0) {
    context.terminal.warn(`No resources found in ${hub.namespace} namespace.`);
    return;
  }
  if (options.follow && sources.length > most) {
    const hint = `choose fewer, or allow it: --max-log-requests ${sources.length}`;
    throw new CliError('refused', `${sources.length} logs to follow: at most ${most}`, hint);
  }
  const { stdout } = context.terminal.streams;
  const show = async ({ pod, container }: Source) => {
    const { namespace = hub.namespace, name } = pod.metadata;
    const prefix = options.prefix ? `[pod/${name}/${container ?? ''}] ` : '';
    const printer = new LogPrinter(stdout, { prefix, lines: sources.length > 1 });
    const path = `${pathOf(PODS, namespace, name)}/log`;
    const { signal } = context;
    try {
      for await (const bytes of hub.client.bytes({
        path,
        query: { ...query, container },
        signal,
      })) {
        await printer.print(bytes);
      }
    } catch (error) {
      if (signal.aborted) throw new Error('interrupted', { cause: error });
      throw error;
    } finally {
      await printer.end();
    }
  };
  if (options.follow) await Promise.all(sources.map(show));
  else for (const source of sources) await show(source);
}
