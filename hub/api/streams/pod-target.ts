/**
 * Which pod on which node a request for `pods/NAME/log`, `exec`, `attach` or `portforward` means, and which container
 * of it. Mirror pods bear their node's name as suffix; the node knows them without. Kubernetes' words for what is wrong.
 */
import type { PodSpec } from 'kubernetes-types/core/v1.js';
import { podFullName } from '../../../protocol/pod-identity.js';
import type { NodeObject } from '../../objects.js';
import { RequestError } from '../../ports.js';
import type { Store } from '../../store/store.js';
import { PODS } from '../resources.js';
import { notFound } from '../status.js';

export interface PodTarget {
  readonly namespace: string;
  /** Of the mirror. */
  readonly name: string;
  readonly node: string;
  /** On the node: without the suffix. */
  readonly pod: string;
  readonly containers: readonly string[];
  readonly initContainers: readonly string[];
}

/** The name with the node's suffix, which differs from the mirror's where another node's pod had that first. */
async function fullName(store: Store, node: string, mirror: { namespace: string; name: string }) {
  const object = (await store.get('Node', '', node)) as NodeObject | null;
  const prefix = `${mirror.namespace}/`;
  const found = Object.entries(object?.status.flotilla.recorded ?? {}).find(
    ([key, { name }]) => name === mirror.name && key.startsWith(prefix),
  );
  return found ? found[0].slice(prefix.length) : mirror.name;
}

function names(containers: readonly { readonly name: string }[] | undefined): readonly string[] {
  return (containers ?? []).map(({ name }) => name);
}

/** Throws NotFound. */
export async function podTarget(
  store: Store,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<PodTarget> {
  const stored = await store.get('Pod', namespace, name);
  if (!stored) throw notFound({ group: PODS.group, resource: PODS.name, name });
  const spec = stored.spec as Partial<PodSpec> & { readonly nodeName: string };
  const full = await fullName(store, spec.nodeName, { namespace, name });
  const suffix = podFullName('', spec.nodeName);
  return {
    namespace,
    name,
    node: spec.nodeName,
    pod: full.endsWith(suffix) ? full.slice(0, -suffix.length) : full,
    containers: names(spec.containers),
    initContainers: names(spec.initContainers),
  };
}

/** The container that is meant; the only one where none is named. Throws BadRequest, as Kubernetes does. */
export function containerOf(target: PodTarget, asked: string | null): string {
  const { name, containers, initContainers } = target;
  if (asked !== null && asked !== '') {
    if (containers.includes(asked) || initContainers.includes(asked)) return asked;
    throw new RequestError('BadRequest', `container ${asked} is not valid for pod ${name}`);
  }
  const [only, second] = containers;
  if (only !== undefined && second === undefined) return only;
  const init =
    initContainers.length === 0
      ? ''
      : ` or one of the init containers: [${initContainers.join(' ')}]`;
  throw new RequestError(
    'BadRequest',
    `a container name must be specified for pod ${name}, ` +
      `choose one of: [${containers.join(' ')}]${init}`,
  );
}
