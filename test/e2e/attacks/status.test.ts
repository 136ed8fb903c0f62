/**
 * What a node says, forged, replayed and said by two: the hub believes the node's key and its
 * counters, and shows whose word everything is (security.md S63–S65, S73).
 */
import assert from 'node:assert/strict';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { NodeObject } from '../../../hub/objects.js';
import type { PresenceDocument, StatusDocument } from '../../../protocol/documents/node.js';
import { seal } from '../../../protocol/envelope.js';
import { signerOf, type Signer } from '../../../protocol/keys.js';
import { attacks } from '../../support/attacks/row.js';
import { NODE, OTHER } from '../../support/attacks/cast.js';
import { payloadOf } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';
import { eventually } from '../../support/wait.js';

/** A hub that is back, with a node that it knows to be ready. */
async function watched(open: () => Promise<Victim>): Promise<Victim> {
  const victim = await open();
  if (!victim.play.isRunning('hub')) {
    victim.play.startHub();
    await victim.play.hubAnswers();
  }
  await eventually('the node is ready', async () => (await readyOf(victim)) === 'True');
  return victim;
}

const nodeOf = (victim: Victim) => victim.play.json<NodeObject>('get', 'node', NODE);

async function readyOf(victim: Victim): Promise<string | undefined> {
  const { status } = await nodeOf(victim);
  return status.conditions?.find(({ type }) => type === 'Ready')?.status;
}

function keyOf(victim: Victim, node: string): Signer {
  const path = victim.play.path(node, 'identity/identity.key');
  return signerOf(createPrivateKey(readFileSync(path)));
}

function last<T>(victim: Victim, kind: 'status' | 'presence'): T {
  const payload = victim.recorded.get(victim.topics.node(NODE, kind));
  assert.ok(payload);
  return payloadOf<T>(kind, payload);
}

/** The hub has read all that came before: a genuine status that follows is recorded. */
async function recordsNext(victim: Victim): Promise<NodeObject> {
  const before = (await nodeOf(victim)).status.flotilla.said?.counter ?? 0;
  await victim.publish(
    victim.topics.node(NODE, 'time'),
    `{"not":"${randomBytes(8).toString('hex')}"}`,
    false,
  );
  return eventually('the next status is recorded', async () => {
    const node = await nodeOf(victim);
    return (node.status.flotilla.said?.counter ?? 0) > before && node;
  });
}

attacks('what a node says', [
  {
    id: 'S63',
    title: "edge-2 signs edge-1's status: ignored",
    run: async ({ open }) => {
      const victim = await watched(open);
      const forged = {
        ...last<StatusDocument>(victim, 'status'),
        counter: 1_000_000,
        generation: 99,
      };
      for (const signer of [keyOf(victim, OTHER), victim.keys.hub]) {
        const payload = seal('status', forged, [signer]);
        await victim.publishAsDevice(victim.topics.node(NODE, 'status'), payload, false);
      }
      const { status } = await recordsNext(victim);
      assert.notEqual(status.flotilla.generation, 99);
      assert.notEqual(status.flotilla.said?.counter, 1_000_000);
    },
  },
  {
    id: 'S64',
    title: "edge-1's older status and presence are replayed: ignored, and no clone is cried",
    run: async ({ open }) => {
      const victim = await watched(open);
      const topic = victim.topics.node(NODE, 'status');
      const old = victim.newestStatus;
      assert.ok(old);
      await recordsNext(victim);
      const { counter } = payloadOf<StatusDocument>('status', old);
      for (let times = 0; times < 3; times++) await victim.publish(topic, old, false);
      await recordsNext(victim);
      const status = await eventually('a newer one is confirmed', async () => {
        const { status: found } = await nodeOf(victim);
        return (found.flotilla.said?.counter ?? 0) > counter && found;
      });
      const { conditions = [] } = status;
      assert.ok(!conditions.some(({ type }) => type === 'CloneSuspected'));
    },
  },
  {
    id: 'S65',
    title: "edge-1's will is forged: ignored; triggered: the node is back within seconds",
    run: async ({ open }) => {
      const victim = await watched(open);
      const topic = victim.topics.node(NODE, 'presence');
      const will = { ...last<PresenceDocument>(victim, 'presence'), online: false };
      await victim.publishAsDevice(topic, seal('presence', will, [keyOf(victim, OTHER)]));
      await recordsNext(victim);
      assert.equal(await readyOf(victim), 'True');
      await victim.publish(topic, seal('presence', will, [keyOf(victim, NODE)]));
      await eventually('the node says its birth again', () => {
        return last<PresenceDocument>(victim, 'presence').online;
      });
      await eventually('it is ready', async () => (await readyOf(victim)) === 'True');
    },
  },
  {
    id: 'S73',
    title: 'a second device connects with the same key: CloneSuspected, and its assignment is held',
    run: async ({ open }) => {
      const victim = await watched(open);
      const genuine = last<PresenceDocument>(victim, 'presence');
      const clone = { ...genuine, online: true, session: 'c'.repeat(32) };
      const payload = seal('presence', clone, [keyOf(victim, NODE)]);
      await victim.publish(victim.topics.node(NODE, 'presence'), payload, false);
      await eventually('the condition', async () => {
        const { status } = await nodeOf(victim);
        return status.conditions?.some(({ type }) => type === 'CloneSuspected');
      });
      const text = await eventually('the event', async () => {
        const described = await victim.play.ok('describe', 'node', NODE);
        return /Warning +CloneSuspected .*opened twice/.test(described) && described;
      });
      assert.match(text, /CloneSuspected .*IdentityInUseTwice/);
      assert.match(text, /Told by the node: +all but what the hub concludes, as of \d{4}-/);
      assert.match(text, /Signed by: +[0-9a-f]{64}/);
      await eventually('the table says how old it is, and of which clock', async () => {
        const wide = await victim.play.ok('get', 'nodes', '-o', 'wide');
        assert.match(wide, /REPORTED +CLOCK/);
        assert.match(wide, /\d+[smh] +synced/);
        return true;
      });
    },
  },
]);
