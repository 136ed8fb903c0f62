/** Which pod, and which container of it, the words of `logs`, `exec`, `attach`, `port-forward` and `cp` mean. */
import type { PodSpec } from 'kubernetes-types/core/v1.js';
import type { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { ApiList, ApiObject } from './client.js';
import type { Connected } from './context.js';
import { pathOf, resourceOf } from './resources.js';

export const PODS = resourceOf('pods');

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

export interface PodOptions {
  container?: string;
  node?: string;
}

/** `-c`, `--node`. */
export function withPod(command: Command): Command {
  return command
    .option('-c, --container <name>', 'container (default: the first, or the one the pod names)')
    .option('--node <name>', 'where the pod is given without its node’s name: which one');
}

function nodeOf(pod: ApiObject): string {
  return (pod.spec as { nodeName?: string }).nodeName ?? '';
}

/** The name that a manifest gives: the mirror's without `-NODE`. */
function ownName(pod: ApiObject): string {
  const suffix = `-${nodeOf(pod).toLowerCase()}`;
  const { name } = pod.metadata;
  return name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}

/** NAME or pod/NAME. */
function nameIn(word: string): string {
  const [kind, name, more] = word.split('/');
  if (name === undefined) return word;
  if (name !== '' && more === undefined && resourceOf(kind ?? '') === PODS) return name;
  throw new CliError('refused', `"${word}" is not a pod: give its name, or pod/NAME`);
}

/** The pod as it is listed, or as its manifest names it where that is on one node alone. Throws `CliError`. */
export async function findPod(
  { client, namespace }: Connected,
  word: string,
  node: string | undefined,
): Promise<ApiObject> {
  const name = nameIn(word);
  const whole = await client.get<ApiObject>(pathOf(PODS, namespace, name));
  if (whole && (node === undefined || nodeOf(whole) === node)) return whole;
  const { items } = await client.call<ApiList>({ path: pathOf(PODS, namespace) });
  const named = items.filter(pod => ownName(pod) === name);
  const found = named.filter(pod => node === undefined || nodeOf(pod) === node);
  const [pod, another] = found;
  const where = node === undefined ? '' : ` on node ${node}`;
  if (!pod) {
    throw new CliError(
      'refused',
      `there is no pod ${name}${where} in namespace ${namespace}`,
      'flotilla get pods -A shows which there are',
    );
  }
  if (!another) return pod;
  const nodes = found.map(nodeOf).sort();
  const shown = nodes.length > 5 ? `${nodes.slice(0, 5).join(', ')} …` : nodes.join(', ');
  throw new CliError(
    'refused',
    `pod ${name} is on ${nodes.length} nodes: ${shown}`,
    'say which: --node NAME',
  );
}

export function containersOf(pod: ApiObject): { init: string[]; app: string[] } {
  const spec = pod.spec as Partial<PodSpec>;
  const names = (list: readonly { name: string }[] | undefined) => (list ?? []).map(c => c.name);
  return { init: names(spec.initContainers), app: names(spec.containers) };
}

/** The asked one; else the one that the pod names as its default, else the first, which is said. */
export function containerOf(
  pod: ApiObject,
  asked: string | undefined,
  warn: (line: string) => void,
): string | undefined {
  if (asked !== undefined) return asked;
  const { app } = containersOf(pod);
  const named = pod.metadata.annotations?.[DEFAULT_CONTAINER];
  if (named !== undefined && app.includes(named)) return named;
  if (app.length > 1) warn(`Defaulted container "${app[0] ?? ''}" out of: ${app.join(', ')}`);
  return app[0];
}
