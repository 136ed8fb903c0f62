/** Writes what a person changes of a Node, in one transaction, and says which bundles come to it and leave it by that. */
import type { BundleObject, NodeObject } from '../objects.js';
import { RequestError } from '../ports.js';
import { matches, parseSelector } from '../selectors.js';
import { retried } from '../store/retry.js';
import type { Actor, ObjectDraft, Store } from '../store/store.js';
import { wishFaults, wishOf, wishText, type NodeWish } from './node-wish.js';

export interface NodeEdited {
  readonly object: NodeObject;
  readonly before: NodeWish;
  readonly after: NodeWish;
  /** `namespace/name` of the bundles whose selectors match by the new labels, or no more. */
  readonly comes: readonly string[];
  readonly leaves: readonly string[];
}

/**
 * `wanted` is given the Node as it stands, again after a race; what it throws is thrown. Throws NotFound, Invalid with every fault.
 * The same wish again changes nothing.
 */
export interface NodeEditor {
  edit(
    actor: Actor,
    of: {
      readonly name: string;
      readonly dryRun: boolean;
      readonly wanted: (node: NodeObject) => NodeWish;
    },
  ): Promise<NodeEdited>;
}

export function nodeEditor(store: Store): NodeEditor {
  return {
    edit: (actor, { name, dryRun, wanted }) =>
      retried(async () => {
        const node = (await store.get('Node', '', name)) as NodeObject | null;
        if (!node) throw new RequestError('NotFound', `nodes "${name}" not found`);
        const [before, after] = [wishOf(node), wanted(node)];
        const faults = wishFaults(before, after);
        if (faults.length > 0) {
          const list = faults.map(({ field, message }) => `${field}: ${message}`).join('; ');
          throw new RequestError('Invalid', `Node "${name}" is invalid: ${list}`, faults);
        }
        const { comes, leaves } = await bundlesBetween(store, before, after);
        const draft = draftOf(node, after);
        const wish = wishText(before, after);
        const told = { before, after, comes, leaves };
        if (wish === '') return { object: node, ...told };
        if (dryRun) return { object: withDraft(node, draft), ...told };
        const { resourceVersion } = node.metadata;
        const put = { type: 'put', object: draft, expect: { resourceVersion }, wish } as const;
        const { objects } = await store.commit(actor, [put]);
        return { object: objects[0] as NodeObject, ...told };
      }),
  };
}

function draftOf(node: NodeObject, wish: NodeWish): ObjectDraft {
  const { unschedulable: _former, ...spec } = node.spec;
  const { labels, annotations, unschedulable } = wish;
  return {
    kind: 'Node',
    metadata: { namespace: '', name: node.metadata.name, labels, annotations },
    spec: unschedulable ? { ...spec, unschedulable } : spec,
    status: node.status,
  };
}

function withDraft(node: NodeObject, { metadata, spec }: ObjectDraft): NodeObject {
  const { labels = {}, annotations = {} } = metadata;
  return {
    ...node,
    metadata: { ...node.metadata, labels, annotations },
    spec: spec as NodeObject['spec'],
  };
}

async function bundlesBetween(store: Store, before: NodeWish, after: NodeWish) {
  const { items } = await store.list('Bundle');
  const matching = ({ labels }: NodeWish) =>
    (items as readonly BundleObject[])
      .filter(({ spec }) => matches(parseSelector(spec.nodeSelector), labels))
      .map(({ metadata: { namespace, name } }) => `${namespace}/${name}`);
  const [had, has] = [matching(before), matching(after)];
  return {
    comes: has.filter(name => !had.includes(name)),
    leaves: had.filter(name => !has.includes(name)),
  };
}
