/**
 * A revision that comes with the assignment, as a patch on what the node runs, against a real broker: it is enough, and whatever is wrong
 * with it costs nothing but the blobs being fetched as ever.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seal } from '../../protocol/envelope.js';
import { withPatches } from '../../protocol/patches.js';
import { assigned, assignmentDocument, HUB, NODE_NAME, signer } from '../support/fleet.js';
import { publish, revision, world, type World } from '../support/intake-world.js';
import { patchFrom, type MadeRevision } from '../support/patched.js';
import { eventually } from '../support/wait.js';

const STRANGER = signer('a stranger');

/** The assignment of a generation with what is said to travel with it. */
async function assign(
  { hub }: World,
  generation: number,
  of: { readonly next: MadeRevision; readonly body: Buffer; readonly bundle?: number },
): Promise<void> {
  const document = assignmentDocument({ generation, bundles: [assigned(of.next.document)] });
  const patch = { bundle: of.bundle ?? 0, body: of.body };
  const payload = withPatches(seal('assignment', document, [HUB]), [patch]);
  await hub.publish(hub.topics.node(NODE_NAME, 'assignment'), payload);
}

/** A node that runs revision 1. */
async function running(): Promise<World> {
  const it = await world();
  await publish(it.hub, 8, revision(1));
  await eventually('revision 1', () => it.node.images()[0] === 'web:1');
  return it;
}

describe('a patch that came with the assignment', () => {
  test('is enough: nothing is fetched and nothing asked for, also after a restart in between', async () => {
    const it = await running();
    const { hub } = it;
    try {
      await assign(it, 9, { next: revision(2), body: patchFrom(revision(1), revision(2)) });
      await eventually('revision 2', () => it.node.images()[0] === 'web:2');
      // Accepted without what it needs: what is published nowhere comes when the same one comes again.
      const next = revision(3);
      await hub.assign({ generation: 10, bundles: [assigned(next.document)] });
      await hub.statusWhere('generation 10', status => status.generation === 10);
      await it.node.stop();
      it.node = it.start();
      await assign(it, 10, { next, body: patchFrom(revision(2), next) });
      await eventually('revision 3', () => it.node.images()[0] === 'web:3');
      assert.ok(hub.said.request.every(({ want }) => want !== 'blobs'));
      assert.equal(it.node.session.intake.state().lastRefusal, null);
    } finally {
      await it.stop();
    }
  });

  const body = patchFrom(revision(1), revision(2));
  const SPOILT: readonly [string, { readonly body: Buffer; readonly bundle?: number }][] = [
    [
      'with another letter in it',
      { body: Buffer.from(body.map((byte, at) => (at === 130 ? byte ^ 1 : byte))) },
    ],
    ['cut off', { body: body.subarray(0, 120) }],
    ['on a revision that the node does not have', { body: patchFrom(revision(5), revision(2)) }],
    ['for another bundle than there are', { body, bundle: 9 }],
    ['to another revision', { body: patchFrom(revision(1), revision(3)) }],
    [
      'signed by a stranger',
      { body: patchFrom(revision(1), revision(2), { signers: [STRANGER] }) },
    ],
    ['without a signature', { body: patchFrom(revision(1), revision(2), { signers: [] }) }],
    [
      'that makes what no document is',
      { body: Buffer.concat([body.subarray(0, 105), Buffer.alloc(200, 0xff)]) },
    ],
  ];
  test('and is spoilt is nothing: the assignment stands, and the blobs are fetched in seconds', async () => {
    const it = await running();
    const { hub, node } = it;
    try {
      let generation = 9;
      for (const [sentence, spoilt] of SPOILT) {
        const next = revision(2);
        await assign(it, generation, { next, ...spoilt });
        await hub.statusWhere(`generation ${generation}`, one => one.generation === generation);
        assert.deepEqual(node.images(), ['web:1'], sentence);
        assert.equal(node.session.intake.state().lastRefusal, null, sentence);
        await hub.publishBundle(next.document, next.pods);
        await eventually(sentence, () => node.images()[0] === 'web:2', { withinMs: 8000 });
        // Back to where the next patch begins; the broker forgets the blobs.
        await publish(hub, generation + 1, revision(1));
        await eventually('revision 1 again', () => node.images()[0] === 'web:1');
        await hub.clearBlobs(next.document);
        generation += 2;
      }
    } finally {
      await it.stop();
    }
  });
});
