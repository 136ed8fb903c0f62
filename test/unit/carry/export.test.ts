/** What is exported is what was applied before, however busy the hub is with assigning it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exportFor } from '../../../hub/carry/export.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { startController, type Controller } from '../../../hub/rollout/controller.js';
import { generatePrivateKey } from '../../../hub/setup/keys.js';
import type { Actor } from '../../../hub/store/store.js';
import type { AssignmentDocument } from '../../../protocol/documents/assignment.js';
import { openEnvelope } from '../../../protocol/envelope.js';
import { rawPublicKey } from '../../../protocol/keys.js';
import { topicsOf } from '../../../protocol/topics.js';
import { hubFixture, type HubFixture } from '../../support/hub-fixture.js';
import { enrolMember, memberRecord } from '../../support/member.js';

const ADMIN: Actor = { kind: 'user', name: 'ada' };
const NODE = 'edge-1';

let fixture: HubFixture;
let controller: Controller;

before(async () => {
  fixture = await hubFixture();
  const { hub, store, clock, log } = fixture;
  const { hubSigner } = hub;
  controller = startController({ store, root: () => hub.root, hubSigner, clock, log });
  const identityKey = rawPublicKey(generatePrivateKey('ed25519'));
  const joinedAt = new Date(clock.now()).toISOString();
  await enrolMember({ store, controller }, memberRecord(NODE, { identityKey, joinedAt }));
});
after(async () => {
  await controller.close();
  await fixture.close();
});

function assignmentIn(messages: readonly { topic: string; payload: Uint8Array }[]) {
  const { fleet } = fixture.hub.root.document;
  const topic = topicsOf(fleet).node(NODE, 'assignment');
  const found = messages.find(message => message.topic === topic);
  const opened = openEnvelope(Buffer.from(found?.payload ?? []), {
    ...{ kind: 'assignment', bytesMax: 1 << 20 },
  });
  assert.ok(opened.ok);
  return JSON.parse(opened.value.payload.toString('utf8')) as AssignmentDocument;
}

test('each revision that was applied is in the export that follows it', async () => {
  const { hub, store, clock } = fixture;
  const { hubSigner, releaseSigner } = hub;
  const { fleet } = hub.root.document;
  const bundles = bundleWriter({ store, root: () => hub.root, releaseSigner, clock });
  for (let revision = 1; revision <= 20; revision++) {
    const env = [{ name: 'N', value: String(revision) }];
    const spec = { containers: [{ name: 'app', image: 'busybox:1', env }] };
    const { object } = await bundles.apply(ADMIN, {
      ...{ namespace: 'default', name: 'web', labels: {}, annotations: {} },
      spec: {
        nodeSelector: '',
        manifests: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec }],
      },
      ...{ expect: 'any', dryRun: false },
    });
    await controller.settle();
    const { messages } = await exportFor({ store, fleet, hubSigner }, [NODE]);
    const assigned = assignmentIn(messages).bundles.map(one => one.digest);
    assert.deepEqual(assigned, [object.status.digest], `revision ${revision}`);
  }
});
