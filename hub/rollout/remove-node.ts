/**
 * Takes a node out of the fleet in one transaction: its identity, so that it has to join anew, its Node, pods, its place in rollouts and
 * what the broker holds for it. Counters stay: should the same device join again, its journal knows how far it was; an assignment
 * that began at generation 1 would be a rollback there, and its events would look lost. Implements `NodeWriter`.
 */
import { topicsOf } from '../../protocol/topics.js';
import type { PodObject } from '../objects.js';
import { RequestError, type NodeWriter } from '../ports.js';
import { retried } from '../store/retry.js';
import type { Mutation, Store } from '../store/store.js';

export interface RemoveNodeParts {
  readonly store: Store;
  readonly fleet: string;
  /** Cuts the node's live connection; it is not let in again. */
  readonly disconnect: (node: string) => void;
}

export function nodeWriter({ store, fleet, disconnect }: RemoveNodeParts): NodeWriter {
  return {
    remove: (actor, { name, dryRun }) =>
      retried(async () => {
        const node = await store.get('Node', '', name);
        if (!node) throw new RequestError('NotFound', `nodes "${name}" not found`);
        if (dryRun) return;
        const { items } = await store.list('Pod');
        const pods = (items as readonly PodObject[]).filter(pod => pod.spec.nodeName === name);
        const reporters = await store.reporters(name);
        const mutations: Mutation[] = [
          { type: 'delete', kind: 'Node', namespace: '', name },
          { type: 'dropIdentity', node: name },
          { type: 'dropRolloutNode', node: name },
          { type: 'dropExperience', node: name },
          ...reporters.map((record): Mutation => {
            return { type: 'reporter', record: { ...record, online: false } };
          }),
          { type: 'publish', topic: topicsOf(fleet).node(name, 'assignment'), payload: null },
          ...pods.map((pod): Mutation => {
            const { namespace, name: podName } = pod.metadata;
            return { type: 'delete', kind: 'Pod', namespace, name: podName };
          }),
        ];
        await store.commit(actor, mutations);
        disconnect(name);
      }),
  };
}
