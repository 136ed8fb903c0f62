/** `flotilla-agent pods`: what runs on this node, hub or no hub. */
import { Command } from 'commander';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { stringify } from 'yaml';
import { CliError } from '../../protocol/cli-error.js';
import { ageText, layOut } from '../../protocol/columns.js';
import { podSummary } from '../../protocol/pod-summary.js';
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
      const { spec = {}, status = {} } = pod;
      const { ready, status: text, restarts } = podSummary({ spec, status }, now);
      const annotations = pod.metadata?.annotations ?? {};
      const source =
        annotations['flotilla.dev/bundle'] ?? annotations['kubernetes.io/config.source'] ?? '';
      return [
        pod.metadata?.namespace ?? '',
        pod.metadata?.name ?? '',
        ready,
        pod.metadata?.deletionTimestamp === undefined ? text : 'Terminating',
        restarts,
        ageText(now - Date.parse(String(pod.status?.startTime ?? ''))),
        ...(wide ? [pod.status?.podIP ?? '<none>', source] : []),
      ];
    }),
  ];
}
