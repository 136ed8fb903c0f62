/** The Node of a device that joins under a name that is known: what holds of the device before it, and what does not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { joinedNode } from '../../../hub/enrolment/node-object.js';
import type { NodeObject } from '../../../hub/objects.js';
import type { IdentityRecord } from '../../../hub/store/store.js';
import { signer } from '../../support/fleet.js';

const NOW = '2026-01-02T00:00:00.000Z';

const identity = (key: string): IdentityRecord => ({
  ...{ node: 'edge-1', identityKey: signer(key).publicKey, tlsKey: '', sealingKey: '' },
  ...{ certificate: '', state: 'active', joinedAt: NOW, token: 't', labels: {}, suspectedAt: null },
});

/** Reported by the device with the key `first`. */
function reported(): NodeObject {
  const { kind, metadata, spec, status } = joinedNode({
    ...{ identity: identity('first'), now: '2026-01-01T00:00:00.000Z', existing: null },
  });
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const conditions = [
    { type: 'Ready', status: 'True', reason: 'AgentReady', message: '', lastTransitionTime },
    { type: 'SecretsReadable', status: 'False', reason: 'SecretNotSealed', lastTransitionTime },
  ];
  const flotilla = {
    ...status.flotilla,
    ...{ reportedAt: NOW, journal: 'a'.repeat(32), generation: 7, clock: 'synced' as const },
    bundles: [{ name: 'web' } as never],
    recorded: { 'default/web-edge-1': {} as never },
    said: { boot: 1 } as never,
  };
  const times = { uid: 'u', generation: 1, resourceVersion: '1', creationTimestamp: NOW };
  return {
    ...{ kind, spec, status: { ...status, conditions, flotilla } },
    metadata: { annotations: {}, ...metadata, ...times },
  };
}

describe('a name that is known, joined again', () => {
  const types = (of: { status: NodeObject['status'] }) =>
    (of.status.conditions ?? []).map(({ type, reason }) => `${type} ${reason ?? ''}`);

  test('by the same device: what it reported stays', () => {
    const node = joinedNode({ identity: identity('first'), now: NOW, existing: reported() });
    assert.deepEqual(types(node), [
      'Ready AgentReady',
      'SecretsReadable SecretNotSealed',
      'Enrolled Approved',
    ]);
    assert.equal(node.status.flotilla.bundles.length, 1);
  });

  test('by another one: nothing of what the former said is shown as its word', () => {
    const node = joinedNode({ identity: identity('second'), now: NOW, existing: reported() });
    assert.deepEqual(types(node), ['Ready NodeStatusNeverUpdated', 'Enrolled Approved']);
    const { reportedAt, clock, bundles, said, generation, recorded } = node.status.flotilla;
    assert.deepEqual([reportedAt, clock, bundles, said], [null, null, [], undefined]);
    assert.equal(generation, 7, 'counters go on');
    assert.deepEqual(Object.keys(recorded), ['default/web-edge-1'], 'for its pods to be removed');
  });
});
