/**
 * A person's change of one node's parameters, whichever: the next signed assignment of that node, with the bundles that it has, in one
 * transaction with what else is to be written. They are the place's, not the device's: one that takes the node's name has them too.
 */
import { parametersSizeFault, type Parameters } from '../../protocol/node-parameters.js';
import { topicsOf } from '../../protocol/topics.js';
import type { NodeObject } from '../objects.js';
import { RequestError } from '../ports.js';
import { refuseWhileLearning } from '../recovery/gate.js';
import { heldNodes } from '../recovery/held-nodes.js';
import { retried } from '../store/retry.js';
import type { Actor, Mutation, Store } from '../store/store.js';
import { assignmentFault, assignmentOf, compose, signAssignment } from './director.js';
import type { ReassignParts } from './reassign.js';

export interface ParametersChange {
  readonly node: string;
  /** Pure; called again when somebody else was faster. May throw `RequestError`. */
  readonly change: (before: Parameters) => Parameters;
  /** For the audit log: what a person changed, in words. */
  readonly wish: (before: Parameters, after: Parameters) => string;
  /** Committed with it. */
  readonly beside?: (node: NodeObject) => Mutation;
}

export interface Changed {
  readonly before: Parameters;
  readonly after: Parameters;
}

/** The node and what it is assigned. Throws `RequestError` NotFound, Conflict. */
async function member(store: Store, node: string) {
  const object = (await store.get('Node', '', node)) as NodeObject | null;
  if (!object) throw new RequestError('NotFound', `nodes "${node}" not found`);
  const record = await store.assignment(node);
  if (record) return { object, record };
  const message = `node "${node}" was not let in yet: it has no assignment that could say it`;
  throw new RequestError('Conflict', message);
}

/** Throws `RequestError` NotFound, Conflict. */
export async function parametersOf(store: Store, node: string): Promise<Parameters> {
  return assignmentOf((await member(store, node)).record).parameters;
}

/** The same again changes nothing. Throws `RequestError` NotFound, Conflict, Invalid for more than an assignment holds. */
export function changeParameters(
  parts: ReassignParts,
  actor: Actor,
  { node, change, wish, beside }: ParametersChange,
): Promise<Changed> {
  return retried(async () => {
    const { store, root, hubSigner, clock } = parts;
    await refuseWhileLearning(store);
    const { object, record } = await member(store, node);
    if ((await heldNodes(store, root().document.epoch)).has(node)) {
      const message = `node "${node}" was not heard since the hub was restored: what it has is not known`;
      throw new RequestError('Conflict', message);
    }
    const current = assignmentOf(record);
    const before = current.parameters;
    const after = change(before);
    const size = parametersSizeFault(after);
    if (size !== null) throw new RequestError('Invalid', `node "${node}": ${size}`);
    const { fleet, epoch, version } = root().document;
    const document = compose({
      ...{ fleet, epoch, rootVersion: version, node, nodeKey: current.nodeKey },
      ...{ bundles: current.bundles, secrets: current.secrets, current, parameters: after },
      generationFloor: record.generation,
      nonce: null,
      now: clock.now(),
    });
    if (document === null) return { before, after };
    const fault = assignmentFault(document);
    if (fault !== null) throw new RequestError('Invalid', `node "${node}": ${fault}`);
    const { mutations } = signAssignment(document, hubSigner, topicsOf(fleet));
    const told = mutations.map(one =>
      one.type === 'assignment' ? { ...one, wish: wish(before, after) } : one,
    );
    await store.commit(actor, [...told, ...(beside === undefined ? [] : [beside(object)])]);
    return { before, after };
  });
}
