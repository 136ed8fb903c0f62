/** `flotilla-agent pods`: what runs on this node, hub or no hub. */
import { Command } from 'commander';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { stringify } from 'yaml';
import { CliError } from '../../protocol/cli-error.js';
import { ageText, layOut } from '../../protocol/columns.js';
import type { CliContext } from './context.js';
import { getJson } from './socket-client.js';

interface PodsOptions {
  dataDir: string;
  output?: string;
}

export function podsCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('pods'))
    .summary('show the pods of this node')
    .option('-o, --output <format>', 'wide | json | yaml | name')
    .action(async (options: PodsOptions) => {
      const list = await getJson<{ items: Pod[] }>(options.dataDir, '/pods');
      switch (options.output) {
        case 'json':
          return context.print(JSON.stringify(list, null, 4));
        case 'yaml':
          return context.print(stringify(list).trimEnd());
        case 'name':
          return list.items.forEach(pod => context.print(`pod/${pod.metadata?.name ?? ''}`));
        case 'wide':
        case undefined: {
          if (list.items.length === 0) return context.print('No pods on this node.');
          const rows = podRows(list.items, {
            now: context.clock.now(),
            wide: options.output === 'wide',
          });
          return layOut(rows).forEach(line => context.print(line));
        }
        default:
          throw new CliError('refused', `-o ${options.output}: not one of wide, json, yaml, name`);
      }
    });
}

/** Head and one row a pod. Pure. */
export function podRows(
  pods: readonly Pod[],
  { now, wide }: { now: number; wide: boolean },
): string[][] {
  const head = [
    'NAMESPACE',
    'NAME',
    'READY',
    'STATUS',
    'RESTARTS',
    'AGE',
    ...(wide ? ['IP', 'SOURCE'] : []),
  ];
  return [
    head,
    ...pods.map(pod => {
      const statuses = pod.status?.containerStatuses ?? [];
      const ready = statuses.filter(s => s.ready).length;
      const restarts = statuses.reduce((sum, s) => sum + s.restartCount, 0);
      const annotations = pod.metadata?.annotations ?? {};
      const source =
        annotations['flotilla.dev/bundle'] ?? annotations['kubernetes.io/config.source'] ?? '';
      return [
        pod.metadata?.namespace ?? '',
        pod.metadata?.name ?? '',
        `${ready}/${pod.spec?.containers.length ?? 0}`,
        statusText(pod),
        String(restarts),
        ageText(now - Date.parse(String(pod.status?.startTime ?? ''))),
        ...(wide ? [pod.status?.podIP ?? '<none>', source] : []),
      ];
    }),
  ];
}

/** What kubectl's printer shows: the first waiting or failed container's reason, else the phase. */
function statusText(pod: Pod): string {
  if (pod.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  if (pod.status?.reason) return pod.status.reason;
  for (const container of pod.status?.containerStatuses ?? []) {
    const reason = container.state?.waiting?.reason ?? container.state?.terminated?.reason;
    if (reason) return reason;
  }
  return pod.status?.phase ?? 'Unknown';
}
