/** `flotilla-agent describe`: all that the agent knows of a pod on one page, hub or no hub. */
import { Command } from 'commander';
import type { Event, Pod } from 'kubernetes-types/core/v1.js';
import { CliError } from '../../protocol/cli-error.js';
import {
  eventLines,
  fields,
  pairs,
  podLines,
  type DescribedPod,
} from '../../protocol/description.js';
import type { CliContext } from './context.js';
import { agentNow } from './events.js';
import { podsNamed } from './pods.js';
import { getJson } from './socket-client.js';

export function describeCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('describe'))
    .summary('show all that is known of a pod')
    .argument('<pod>', "name of the pod; the node's suffix and `pod` in front may be left out")
    .argument('[name]', 'after `pod`')
    .option('-n, --namespace <ns>', 'only of this namespace')
    .action(async (first: string, second: string | undefined, options: DescribeOptions) => {
      if (second !== undefined && !/^pods?$|^po$/.test(first)) {
        throw new CliError('refused', `"${first}": only pods are described at the device`);
      }
      const name = second ?? first;
      const { dataDir, namespace = null } = options;
      const { items } = await getJson<{ items: Pod[] }>(dataDir, '/pods');
      const pods = podsNamed(items, { name, namespace });
      if (pods.length === 0) throw new CliError('refused', `no pod "${name}" on this node`);
      const events = (await getJson<{ items: Event[] }>(dataDir, '/events')).items;
      const now = await agentNow(dataDir);
      const texts = pods.map(pod => describePod(pod, events, now).join('\n'));
      context.print(texts.join('\n\n\n'));
    });
}

interface DescribeOptions {
  dataDir: string;
  namespace?: string;
}

/** In the layout of `kubectl describe pod`. `events`: of the whole node; `now` in milliseconds since 1970. Pure. */
export function describePod(pod: Pod, events: readonly Event[], now: number): string[] {
  const { metadata = {}, spec, status = {} } = pod;
  const { annotations = {} } = metadata;
  const bundle = annotations['flotilla.dev/bundle'];
  const own = events.filter(
    ({ involvedObject: { kind, name, namespace } }) =>
      kind === 'Pod' && name === metadata.name && namespace === metadata.namespace,
  );
  return [
    ...fields([
      ['Name', metadata.name ?? ''],
      ['Namespace', metadata.namespace ?? ''],
      ['Labels', pairs(metadata.labels)],
      ['Annotations', pairs(annotations)],
    ]),
    ...podLines({
      nodeName: spec?.nodeName ?? '',
      origin:
        bundle === undefined
          ? (annotations['kubernetes.io/config.source'] ?? '')
          : `bundle ${bundle}`,
      status: status as unknown as DescribedPod['status'],
    }),
    ...eventLines(
      own.map(({ type = '', reason = '', lastTimestamp, source, message = '' }) => ({
        type,
        reason,
        lastTimestamp: String(lastTimestamp),
        source: { component: source?.component ?? '', host: source?.host ?? '' },
        message,
      })),
      now,
    ),
  ];
}
