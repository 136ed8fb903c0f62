/** What a store out of a backup is changed to before a hub runs on it. Reads the store, writes nothing. */
import type { NodeCondition } from 'kubernetes-types/core/v1.js';
import type { NodeObject } from '../objects.js';
import type { RecoveryRecord } from '../store/recovery-records.js';
import type { Mutation, Store } from '../store/store.js';

export const RESTORING = 'Restoring';

export interface Restored {
  readonly mutations: readonly Mutation[];
  /** Members that have to be heard. */
  readonly nodes: readonly string[];
  readonly voidTokens: number;
}

/**
 * Members are unheard; what the backup says of them is as old as it is, so it is shown as unknown. Tokens are void: one
 * that the backup shows as open may have been used since. What nothing needed then may be needed by what the fleet runs now.
 */
export async function restoredMutations(
  store: Store,
  made: Omit<RecoveryRecord, 'learning'>,
): Promise<Restored> {
  const members = (await store.identities()).filter(({ state }) => state !== 'revoked');
  const nodes = members.map(({ node }) => node);
  const [objects, tokens] = await Promise.all([store.list('Node'), store.list('Token')]);
  const unneeded = await store.unneeded();
  const mutations: Mutation[] = [
    { type: 'recovery', record: { ...made, learning: nodes.length > 0 } },
    ...nodes.map((node): Mutation => ({ type: 'unheard', node })),
    ...(objects.items as readonly NodeObject[]).map((object): Mutation => {
      return { type: 'put', object: shownAsUnknown(object, made.restoredAt), expect: 'any' };
    }),
    ...tokens.items.map(({ metadata }): Mutation => {
      return { type: 'delete', kind: 'Token', namespace: '', name: metadata.name };
    }),
    ...[...unneeded.keys()].map((topic): Mutation => ({ type: 'unneeded', topic, since: null })),
  ];
  return { mutations, nodes, voidTokens: tokens.items.length };
}

function shownAsUnknown({ kind, metadata, spec, status }: NodeObject, now: string) {
  const at = `${now.slice(0, 19)}Z`;
  const kept = (status.conditions ?? []).filter(
    ({ type }) => type !== 'Ready' && type !== RESTORING,
  );
  const ready: NodeCondition = {
    type: 'Ready',
    status: 'Unknown',
    reason: 'HubRestored',
    message: 'the hub was restored and has not heard this node since',
    lastHeartbeatTime:
      status.conditions?.find(({ type }) => type === 'Ready')?.lastHeartbeatTime ?? at,
    lastTransitionTime: at,
  };
  const restoring: NodeCondition = {
    type: RESTORING,
    status: 'True',
    reason: 'NotHeard',
    message: 'nothing is sent to this node until it has said how far it is',
    lastTransitionTime: at,
  };
  const { namespace, name, labels, annotations } = metadata;
  const conditions = [ready, ...kept, restoring];
  return {
    kind,
    metadata: { namespace, name, labels, annotations },
    spec,
    status: { ...status, conditions },
  };
}
