/** A root that a broker acknowledged and lost: the node finds out by what it cannot verify, and nobody drowns in its complaints. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { seal } from '../../protocol/envelope.js';
import type { AckDocument } from '../../protocol/documents/hub.js';
import { FLEET, idOf, HUB, NODE_NAME, rootDocument, signer } from '../support/fleet.js';
import { publish, revision, world, type World } from '../support/intake-world.js';
import { chainedDocument, rootKeyOf } from '../support/root-chain.js';
import { eventually } from '../support/wait.js';

const NEW_HUB = signer('hub 2');
/** Much longer than a node waits for what else changes before it says so. */
const SAYS_SO_MS = 1_500;

describe('a root was lost on its way', () => {
  let it: World;
  before(async () => {
    it = await world();
    await publish(it.hub, 8, revision(1));
    await eventually('revision 1', () => it.node.images()[0] === 'web:1');
    await it.hub.statusWhere('its files', ({ bundles }) => bundles[0]?.state === 'activating');
  });
  after(() => it.stop());

  test('an acknowledgement that is refused brings no status of its own: that would be acknowledged again', async () => {
    const { hub, node } = it;
    const refused = () => node.session.refusals().get('BadSignature') ?? 0;
    const ack = { fleet: FLEET, node: NODE_NAME } as AckDocument;
    await hub.publish(hub.topics.node(NODE_NAME, 'ack'), seal('ack', ack, [NEW_HUB]));
    await eventually('the refusal', () => refused() === 1);
    await delay(SAYS_SO_MS);
    const topics = hub.said.status.map(({ lastRefusal }) => lastRefusal?.topic);
    assert.ok(!topics.some(topic => topic?.endsWith('/ack')), topics.join());
  });

  test('it is looked for: the next one, at the broker and then at the hub', async () => {
    const { hub, node } = it;
    await eventually('the question', () =>
      hub.said.request.some(({ want, rootVersion }) => want === 'root' && rootVersion === 2),
      { withinMs: 30_000 },
    );
    const base = chainedDocument(2);
    const keys = { ...base.keys, [idOf(NEW_HUB)]: NEW_HUB.publicKey };
    delete keys[idOf(HUB)];
    const roles = { ...base.roles, hub: { threshold: 1, keys: [idOf(NEW_HUB)] } };
    const root = seal('root', { ...rootDocument(base), keys, roles }, [rootKeyOf(1), rootKeyOf(2)]);
    await hub.publish(hub.topics.root(2), root);
    await eventually('root 2', () => node.journal.root()?.document.version === 2, {
      withinMs: 60_000,
    });
  });
});
