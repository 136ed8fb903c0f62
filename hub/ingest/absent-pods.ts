/**
 * Pods of a node that is not connected: after a grace they are not shown as if somebody knew. What was known last stays in the object,
 * and comes back with the node. Standard: Kubernetes' node lifecycle controller, node-monitor-grace-period (40 s), reason `NodeLost`.
 */
import type { PodCondition } from 'kubernetes-types/core/v1.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { podSummary } from '../../protocol/pod-summary.js';
import type { NodeObject, PodObject } from '../objects.js';
import { retried } from '../store/retry.js';
import type { Actor, Mutation, Store } from '../store/store.js';

const ACTOR: Actor = { kind: 'hub', name: 'nodes' };
/** An agent that is started anew, or a short loss of its link, changes no pod. */
const GRACE_MS = 40_000;
const NODE_LOST = 'NodeLost';
const READY = 'Ready';

type Status = PodObject['status'];

export interface Silence {
  readonly node: string;
  /** RFC 3339. */
  readonly since: string;
}

/** Null: there is nothing to say, for the pod is over, or it was said. */
export function lostStatus(pod: PodObject, { node, since }: Silence): Status | null {
  const { status, spec } = pod;
  const isOver = status.phase === 'Succeeded' || status.phase === 'Failed';
  if (isOver || status.flotilla.lastKnown !== undefined) return null;
  const { phase, reason, message } = status;
  const conditions = status.conditions ?? [];
  const known = podSummary({ spec, status }, Date.parse(since));
  const notReady = (condition: PodCondition): PodCondition =>
    condition.type === READY && condition.status === 'True'
      ? { ...condition, status: 'False', reason: 'NodeNotReady', lastTransitionTime: since }
      : condition;
  return {
    ...status,
    phase: 'Unknown',
    reason: NODE_LOST,
    message:
      `node ${node} is not connected since ${since}; the pod runs on there. ` +
      `Last known: ${known.status}, ${known.ready} ready, as it is shown below`,
    conditions: conditions.map(notReady),
    flotilla: {
      ...status.flotilla,
      lastKnown: {
        ...(phase === undefined ? {} : { phase }),
        ...(reason === undefined ? {} : { reason }),
        ...(message === undefined ? {} : { message }),
        conditions,
      },
    },
  };
}

/** As it was before. Null: it was not lost. */
export function foundStatus({ status }: Pick<PodObject, 'status'>): Status | null {
  const { lastKnown, ...extra } = status.flotilla;
  if (lastKnown === undefined) return null;
  const { phase: _phase, reason: _reason, message: _message, ...rest } = status;
  return { ...rest, ...lastKnown, conditions: [...lastKnown.conditions], flotilla: extra };
}

function put(pod: PodObject, status: Status): Mutation {
  const { kind, spec } = pod;
  const { namespace, name, labels, annotations, resourceVersion } = pod.metadata;
  const object = { kind, metadata: { namespace, name, labels, annotations }, spec, status };
  return { type: 'put', object, expect: { resourceVersion } };
}

async function podsOf(store: Store, { metadata, status }: NodeObject): Promise<PodObject[]> {
  const held = await Promise.all(
    Object.entries(status.flotilla.recorded).map(([key, { name }]) =>
      store.get('Pod', key.split('/')[0] ?? '', name),
    ),
  );
  return (held as (PodObject | null)[]).flatMap(pod =>
    pod?.spec.nodeName === metadata.name ? [pod] : [],
  );
}

function silenceOf({ metadata, status }: NodeObject): Silence | null {
  const ready = status.conditions?.find(({ type }) => type === READY);
  if (ready?.status !== 'Unknown') return null;
  return { node: metadata.name, since: String(ready.lastTransitionTime) };
}

/** For the turn in which a node is heard again; `but`: keys of pods of which that turn says more. */
export async function foundAgain(
  store: Store,
  node: NodeObject,
  but: { readonly has: (key: string) => boolean },
): Promise<Mutation[]> {
  if (silenceOf(node) === null) return [];
  const names = new Map(
    Object.entries(node.status.flotilla.recorded).map(([key, { name }]) => [
      `${key.split('/')[0] ?? ''}/${name}`,
      key,
    ]),
  );
  return (await podsOf(store, node)).flatMap(pod => {
    const key = names.get(`${pod.metadata.namespace}/${pod.metadata.name}`) ?? '';
    const status = but.has(key) ? null : foundStatus(pod);
    return status === null ? [] : [put(pod, status)];
  });
}

/** Which nodes are silent since when; in a new process all are looked at once. */
export class AbsentPods {
  readonly #parts: { readonly store: Store; readonly clock: Clock; readonly log: Log };
  /** Monotonic times. */
  readonly #due = new Map<string, number>();
  #isNew = true;

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly log: Log }) {
    this.#parts = parts;
  }

  note(node: string, isThere: boolean): void {
    if (isThere) this.#due.delete(node);
    else if (!this.#due.has(node)) this.#due.set(node, this.#parts.clock.monotonic() + GRACE_MS);
  }

  /** To be called now and then. What fails is tried again at the next call. */
  async look(): Promise<void> {
    const { store, clock, log } = this.#parts;
    if (this.#isNew) {
      const { items } = await store.list('Node');
      for (const node of items as readonly NodeObject[]) {
        if (silenceOf(node) !== null) this.note(node.metadata.name, false);
      }
      this.#isNew = false;
    }
    for (const [node, dueAt] of this.#due) {
      if (clock.monotonic() < dueAt) continue;
      const lost = await retried(() => this.#lose(node));
      this.#due.delete(node);
      if (lost > 0) log.info('pods of a silent node are shown as unknown', { node, pods: lost });
    }
  }

  async #lose(name: string): Promise<number> {
    const { store } = this.#parts;
    const node = (await store.get('Node', '', name)) as NodeObject | null;
    const silence = node && silenceOf(node);
    if (!node || !silence) return 0;
    const pods = (await podsOf(store, node)).flatMap(pod => {
      const status = lostStatus(pod, silence);
      return status === null ? [] : [put(pod, status)];
    });
    if (pods.length === 0) return 0;
    const { kind, metadata, spec, status } = node;
    const { namespace, labels, annotations, resourceVersion } = metadata;
    // Unchanged: whoever hears the node meanwhile changes its version, and this is thought out anew.
    const object = { kind, metadata: { namespace, name, labels, annotations }, spec, status };
    const guard: Mutation = { type: 'put', object, expect: { resourceVersion } };
    await store.commit(ACTOR, [guard, ...pods]);
    return pods.length;
  }
}
