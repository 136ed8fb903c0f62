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
  namespace?: string;
  output?: string;
}

export function podsCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('pods'))
    .summary('show the pods of this node')
    .argument('[pod]', "only this pod; the node's suffix may be left out")
    .option('-n, --namespace <ns>', 'only of this namespace')
    .option('-o, --output <format>', 'wide | json | yaml | name')
    .action(async (name: string | undefined, options: PodsOptions) => {
      const list = await getJson<{ items: Pod[] }>(options.dataDir, '/pods');
      const { namespace } = options;
      const items = podsNamed(list.items, { name: name ?? null, namespace: namespace ?? null });
      if (items.length === 0 && name !== undefined) {
        const where = namespace === undefined ? 'on this node' : `in namespace ${namespace}`;
        throw new CliError('refused', `no pod "${name}" ${where}`);
      }
      switch (options.output) {
        case 'json':
          return context.print(JSON.stringify({ ...list, items }, null, 4));
        case 'yaml':
          return context.print(stringify({ ...list, items }).trimEnd());
        case 'name':
          return items.forEach(pod => context.print(`pod/${pod.metadata?.name ?? ''}`));
        case 'wide':
        case undefined: {
          if (items.length === 0) return context.print('No pods on this node.');
          const wide = options.output === 'wide';
          const rows = podRows(items, { now: context.clock.now(), wide });
          return layOut(rows).forEach(line => context.print(line));
        }
        default:
          throw new CliError('refused', `-o ${options.output}: not one of wide, json, yaml, name`);
      }
    });
}

export interface PodChoice {
  /** With `pod/` in front or without, with the node's suffix or without. */
  readonly name: string | null;
  readonly namespace: string | null;
}

/** A pod of just that name goes before those that bear it with their node's suffix. Pure. */
export function podsNamed(pods: readonly Pod[], { name, namespace }: PodChoice): readonly Pod[] {
  const there = pods.filter(
    ({ metadata }) => namespace === null || metadata?.namespace === namespace,
  );
  if (name === null) return there;
  const wanted = name.replace(/^pods?\//, '');
  const same = there.filter(({ metadata }) => metadata?.name === wanted);
  if (same.length > 0) return same;
  return there.filter(({ metadata, spec }) => {
    const suffix = spec?.nodeName;
    return suffix !== undefined && metadata?.name === `${wanted}-${suffix.toLowerCase()}`;
  });
}

/** Head and one row a pod, in the words of `kubectl get pods`. Pure. */
export function podRows(
  pods: readonly Pod[],
  { now, wide }: { now: number; wide: boolean },
): string[][] {
  const head = [
    ...['NAMESPACE', 'NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE'],
    ...(wide ? ['IP', 'SOURCE'] : []),
  ];
  return [head, ...pods.map(pod => podRow(pod, { now, wide }))];
}

function podRow(pod: Pod, { now, wide }: { now: number; wide: boolean }): string[] {
  const { metadata = {}, spec = {}, status = {} } = pod;
  const isDeleted = metadata.deletionTimestamp !== undefined;
  const { ready, status: text, restarts } = podSummary({ spec, status, isDeleted }, now);
  const { annotations = {} } = metadata;
  const source =
    annotations['flotilla.dev/bundle'] ?? annotations['kubernetes.io/config.source'] ?? '';
  return [
    metadata.namespace ?? '',
    metadata.name ?? '',
    ready,
    text,
    restarts,
    ageText(now - Date.parse(String(status.startTime ?? ''))),
    ...(wide ? [status.podIP ?? '<none>', source] : []),
  ];
}
