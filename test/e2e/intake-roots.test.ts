/** Roots that a node walks on a real broker: 300 at once, forged ones, and a new epoch (S13, S14, S16, S17, S31). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { seal } from '../../protocol/envelope.js';
import { assigned, HUB, idOf, NODE_NAME, rootDocument, signer } from '../support/fleet.js';
import { publish, revision, world, type World } from '../support/intake-world.js';
import { chainedDocument, chainedRoot, rootKeyOf } from '../support/root-chain.js';
import { eventually } from '../support/wait.js';

const LAST = 301;
const NEW_HUB = signer('hub 2');

describe('a node walks the chain of roots', () => {
  let it: World;
  before(async () => {
    it = await world({ speed: 5 });
    await publish(it.hub, 8, revision(1));
    await eventually('revision 1', () => it.node.images()[0] === 'web:1');
  });
  after(() => it.stop());

  test('S13: a former version and other content for the one in force are refused', async () => {
    const { hub } = it;
    const other = rootDocument({ limits: { podsPerBundle: 5 } });
    await hub.publish(hub.topics.root(), seal('root', other, [rootKeyOf(1)]));
    await hub.statusWhere(
      'Equivocation',
      ({ lastRefusal }) => lastRefusal?.code === 'Equivocation',
    );
    assert.equal(it.node.journal.root()?.document.version, 1);
  });

  test('S14: 300 roots are walked to the last, each kept; no file is touched', async () => {
    const { hub, node } = it;
    const files = node.files();
    for (let version = 2; version <= LAST; version++) {
      await hub.publish(hub.topics.root(version), chainedRoot(version));
    }
    await hub.publish(hub.topics.root(), chainedRoot(LAST));
    await eventually('the last root', () => node.journal.root()?.document.version === LAST, {
      withinMs: 60_000,
    });
    assert.deepEqual(node.files(), files);
    assert.equal(node.journal.accepted()?.generation, 8);
    await hub.statusWhere('the new root', ({ rootVersion }) => rootVersion === LAST);
  });

  test('S13: a root far ahead that nobody signed for has the next asked for, and is refused when it does not come', async () => {
    const { hub } = it;
    const forged = seal('root', chainedDocument(LAST + 900), [signer('stranger')]);
    await hub.publish(hub.topics.root(), forged);
    await eventually('the question', () =>
      hub.said.request.some(({ want, rootVersion }) => want === 'root' && rootVersion === LAST + 1),
    );
    await hub.statusWhere(
      'BadSignature',
      ({ lastRefusal }) => lastRefusal?.code === 'BadSignature',
    );
    assert.equal(it.node.journal.root()?.document.version, LAST);
  });

  test('S17: a generation of 2^53 - 2 dated 2099 is undone by a root of a new epoch', async () => {
    const { hub, node } = it;
    const made = revision(1);
    await hub.assign({
      generation: Number.MAX_SAFE_INTEGER - 1,
      issued: '2099-01-01T00:00:00.000Z',
      notAfter: '2199-01-01T00:00:00.000Z',
      bundles: [],
    });
    await eventually('the forged assignment', () => node.images().length === 0);
    const version = LAST + 1;
    const base = chainedDocument(version);
    const keys = { ...base.keys, [idOf(NEW_HUB)]: NEW_HUB.publicKey };
    delete keys[idOf(HUB)];
    const roles = { ...base.roles, hub: { threshold: 1, keys: [idOf(NEW_HUB)] } };
    await hub.publish(hub.topics.root(), chainedRoot(version, { epoch: 2, keys, roles }));
    const bundles = [assigned(made.document)];
    await hub.assign({ epoch: 2, generation: 1, rootVersion: version, bundles }, [NEW_HUB]);
    await eventually('the pod again', () => node.images()[0] === 'web:1');
    const accepted = node.journal.accepted();
    assert.deepEqual([accepted?.epoch, accepted?.generation], [2, 1]);
  });

  test('S16: the old hub key is refused for ever, whatever it counts', async () => {
    const { hub, node } = it;
    await hub.assign({ epoch: 2, generation: 99, bundles: [] }, [HUB]);
    await hub.statusWhere('BadSignature', ({ lastRefusal }) => {
      return lastRefusal?.code === 'BadSignature' && lastRefusal.topic.includes(NODE_NAME);
    });
    assert.deepEqual(node.images(), ['web:1']);
    await hub.assign({ epoch: 1, generation: 100, bundles: [] }, [NEW_HUB]);
    await hub.statusWhere('Rollback', ({ lastRefusal }) => lastRefusal?.code === 'Rollback');
    assert.deepEqual(node.images(), ['web:1']);
  });
});
