/** Two that give away the last place of a bundle at once: one of them is told to look again. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { BundleObject } from '../../../hub/objects.js';
import { placesIn } from '../../../hub/rollout/places.js';
import { candidateOf } from '../../../hub/rollout/rollout.js';
import { signAssignment } from '../../../hub/rollout/director.js';
import { StoreError, type Actor } from '../../../hub/store/store.js';
import { topicsOf } from '../../../protocol/topics.js';
import { assigned, assignmentDocument, bundleDocument } from '../../support/fleet.js';
import { hubFixture, type HubFixture } from '../../support/hub-fixture.js';
import { enrolled, memberRecord } from '../../support/member.js';

const ACTOR: Actor = { kind: 'hub', name: 'controller' };
const NOW = '2026-06-01T00:00:00.000Z';
const document = bundleDocument();
const root = { denied: [], floors: {} };

describe('the places of a bundle whose number of nodes is limited', () => {
  let hub: HubFixture;
  before(async () => {
    hub = await hubFixture();
    const nodes = { desired: 0, updated: 0, healthy: 0, failed: 0, offline: 0 };
    await hub.store.commit(ACTOR, [
      {
        type: 'put',
        expect: 'absent',
        object: {
          kind: 'Bundle',
          metadata: { namespace: 'default', name: 'shop' },
          spec: { nodeSelector: '', manifests: [] },
          status: { revision: 1, digest: assigned(document).digest, nodes },
        },
      },
    ]);
    for (const node of ['a', 'b', 'c']) {
      await hub.store.commit(ACTOR, enrolled(memberRecord(node)));
    }
  });
  after(() => hub.close());

  /** As a join or the controller does it: read, decide; what is to be written. */
  const decided = async (node: string, now: string) => {
    const { items } = await hub.store.list('Bundle');
    const limit = { mostFor: () => 2 };
    const [candidate] = (items as readonly BundleObject[]).map(bundle =>
      candidateOf(bundle, { size: 1, limit, root }),
    );
    assert.ok(candidate);
    const places = await placesIn(hub.store, [candidate]);
    const bundles = places.take(candidate, { node, labels: {} }) ? [assigned(document)] : [];
    const { fleet } = hub.hub.root.document;
    const made = assignmentDocument({ fleet, node, bundles });
    const { mutations } = signAssignment(made, hub.hub.hubSigner, topicsOf(fleet));
    const isNew = places.isNew(node);
    return { count: bundles.length, isNew, mutations: [...mutations, ...places.claims(now)] };
  };

  test('are given away one after the other', async () => {
    const first = await decided('a', NOW);
    assert.deepEqual([first.count, first.isNew, first.mutations.length], [1, true, 3]);
    await hub.store.commit(ACTOR, first.mutations);
    const again = await decided('a', NOW);
    assert.deepEqual([again.count, again.isNew, again.mutations.length], [1, false, 2]);
  });

  test('the last one is not given to two that ask at once', async () => {
    const [b, c] = [await decided('b', `${NOW}.b`), await decided('c', `${NOW}.c`)];
    assert.deepEqual([b.count, c.count], [1, 1], 'each saw a place');
    await hub.store.commit(ACTOR, b.mutations);
    await assert.rejects(
      hub.store.commit(ACTOR, c.mutations),
      (error: unknown) => error instanceof StoreError && error.code === 'Conflict',
    );
    assert.equal((await decided('c', NOW)).count, 0, 'who looks again sees none');
  });
});
