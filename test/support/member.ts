/**
 * A member of the fleet in the hub's store as a join leaves it there, without the join: for tests of what comes after. A name
 * that is taken is the store's error, unless the test expects `any`.
 */
import { joinedNode } from '../../hub/enrolment/node-object.js';
import type { Controller } from '../../hub/rollout/controller.js';
import type { IdentityRecord, Mutation, Store } from '../../hub/store/store.js';
import { keyId } from '../../protocol/keys.js';

/** Active, and known by keys that no other node has: words that stand for keys, unless `change` brings real ones. */
export function memberRecord(node: string, change: Partial<IdentityRecord> = {}): IdentityRecord {
  return {
    ...{ node, identityKey: node, tlsKey: node, sealingKey: node, certificate: '' },
    ...{ state: 'active', joinedAt: '2026-01-01T00:00:00.000Z', token: 'test' },
    ...{ labels: {}, suspectedAt: null },
    ...change,
  };
}

/** Its identity and its Node. */
export function enrolled(record: IdentityRecord, expect: 'absent' | 'any' = 'absent'): Mutation[] {
  const object = joinedNode({ identity: record, now: record.joinedAt, existing: null });
  return [
    { type: 'identity', expect, record },
    { type: 'put', object, expect },
  ];
}

/** What a join does in its transaction, the first assignment with it where somebody assigns. */
export async function enrolMember(
  { store, controller }: { readonly store: Store; readonly controller: Controller | null },
  record: IdentityRecord,
): Promise<void> {
  const { node, identityKey, labels } = record;
  const first = await controller?.firstAssignment({
    ...{ node, nodeKey: keyId(identityKey), nonce: '0'.repeat(32) },
    ...{ labels, enrolled: labels, keepsSecrets: false },
  });
  const mutations = [...enrolled(record), ...(first?.mutations ?? [])];
  await store.commit({ kind: 'node', name: node }, mutations);
}
