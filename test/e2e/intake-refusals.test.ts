/** What the node refuses, on a real broker: nothing changes, it is said, the next good document is accepted. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import { seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { DEFAULT_GRANT } from '../../protocol/release-scope.js';
import {
  assigned,
  FLEET,
  HUB,
  idOf,
  NODE_NAME,
  NOW,
  RELEASE,
  releaseRole,
  ROOT,
  rootDocument,
  signer,
} from '../support/fleet.js';
import { podReport } from '../support/intake-node.js';
import type { ScriptedHub } from '../support/scripted-hub.js';
import { eventually } from '../support/wait.js';

import { publish, revision, world, type World } from '../support/intake-world.js';

const SHOP = { namespace: 'default', name: 'shop' };

interface Attack {
  readonly row: string;
  readonly does: string;
  readonly code: string;
  readonly send: (hub: ScriptedHub) => Promise<void>;
}

const STRANGER = signer('stranger');
const SECOND = signer('second release');
const goodBundles = [assigned(revision(1).document)];

function misassigned(change: Partial<AssignmentDocument>, signers: Signer[] = [HUB]) {
  return (hub: ScriptedHub) => hub.assign({ generation: 20, bundles: [], ...change }, signers);
}

function raw(make: (hub: ScriptedHub) => [topic: string, payload: Buffer | string]) {
  return (hub: ScriptedHub) => hub.publish(...make(hub));
}

const ASSIGNMENT = (hub: ScriptedHub) => hub.topics.node(NODE_NAME, 'assignment');

const ATTACKS: readonly Attack[] = [
  {
    row: 'S02',
    does: 'an assignment signed by a stranger',
    code: 'BadSignature',
    send: misassigned({}, [STRANGER]),
  },
  {
    row: 'S11',
    does: 'an assignment signed by the release key',
    code: 'BadSignature',
    send: misassigned({}, [RELEASE]),
  },
  {
    row: 'S20',
    does: 'an older generation',
    code: 'Rollback',
    send: misassigned({ generation: 7 }),
  },
  {
    row: 'S24',
    does: 'other content for the same generation',
    code: 'Equivocation',
    send: misassigned({ generation: 8 }),
  },
  {
    row: 'S27',
    does: 'an expired assignment',
    code: 'Expired',
    send: misassigned({ notAfter: '2026-05-20T00:00:00.000Z' }),
  },
  {
    row: 'S34',
    does: "another node's assignment",
    code: 'WrongNode',
    send: misassigned({ node: 'edge-2' }),
  },
  {
    row: 'S35',
    does: 'the assignment of the former device of the same name',
    code: 'WrongNode',
    send: misassigned({ nodeKey: idOf(STRANGER) }),
  },
  {
    row: 'S36',
    does: 'an assignment of another fleet',
    code: 'WrongFleet',
    send: misassigned({ fleet: '00'.repeat(16) }),
  },
  {
    row: 'S61',
    does: 'retained garbage',
    code: 'Malformed',
    send: raw(hub => [ASSIGNMENT(hub), 'garbage']),
  },
  {
    row: 'S40',
    does: 'an assignment that is too large',
    code: 'TooLarge',
    send: raw(hub => [ASSIGNMENT(hub), Buffer.alloc(120 * 1024, 0x20)]),
  },
  {
    row: 'S12',
    does: 'a root signed by the hub',
    code: 'BadSignature',
    send: raw(hub => [hub.topics.root(), seal('root', rootDocument({ version: 2 }), [HUB])]),
  },
  {
    row: 'S63',
    does: 'an acknowledgement that the hub did not sign',
    code: 'BadSignature',
    send: raw(hub => [
      hub.topics.node(NODE_NAME, 'ack'),
      seal(
        'ack',
        {
          fleet: FLEET,
          node: NODE_NAME,
          journal: '00'.repeat(16),
          through: 1,
          boot: 1,
          counter: 1,
          row: 1,
          pods: {},
          ...{ epoch: 1, generation: 1 },
        },
        [STRANGER],
      ),
    ]),
  },
];

describe('what is refused changes nothing, is said, and the next good document is accepted', () => {
  let it: World;
  before(async () => {
    // A bundle is healthy after ten seconds by this clock.
    it = await world({ speed: 4 });
    await publish(it.hub, 8, revision(1));
    await eventually('revision 1', () => it.node.images()[0] === 'web:1');
  });
  after(() => it.stop());

  for (const { row, does, code, send } of ATTACKS) {
    test(`${row}: ${does}: ${code}`, async () => {
      const { hub, node } = it;
      const files = node.files();
      const logged = node.logged.length;
      await send(hub);
      // By its digest: a status of the row before may come late, with the same code.
      const digest = sha256Hex(hub.lastPublished);
      await hub.statusWhere(`refusal ${code}`, ({ lastRefusal }) => {
        return lastRefusal?.code === code && lastRefusal.digest === digest;
      });
      assert.deepEqual(node.files(), files);
      assert.equal(node.journal.accepted()?.generation, 8);
      assert.equal(node.logged.slice(logged).filter(line => line.startsWith('refused')).length, 1);
      await hub.assign({ generation: 8, bundles: goodBundles });
    });
  }

  test('afterwards a good document is accepted', async () => {
    await publish(it.hub, 30, revision(2));
    await eventually('revision 2', () => it.node.images()[0] === 'web:2');
  });

  test('S04, S25: other bytes under a digest are refused, the right ones taken', async () => {
    const { hub, node } = it;
    const made = revision(3);
    const other = seal('bundle', revision(4).document, [RELEASE]);
    const digest = sha256Hex(canonicalJson(made.document));
    await hub.publish(hub.topics.blob(digest), other);
    await hub.assign({ generation: 31, bundles: [assigned(made.document)] });
    await hub.statusWhere('MixMatch', ({ lastRefusal }) => lastRefusal?.code === 'MixMatch');
    assert.deepEqual(node.images(), ['web:2']);
    await hub.publishBundle(made.document, made.pods);
    await eventually('revision 3', () => node.images()[0] === 'web:3');
  });

  test('S03: a bundle signed by the hub waits for ever', async () => {
    const { hub, node } = it;
    const made = revision(5);
    await hub.publishBundle(made.document, made.pods, [HUB]);
    await hub.assign({ generation: 32, bundles: [assigned(made.document)] });
    await hub.statusWhere('waiting', ({ bundles }) => bundles[0]?.reason === 'BadSignature');
    assert.deepEqual(node.images(), ['web:3']);
  });

  test('S21, S24: below a healthy floor, or other content for a number: it fails', async () => {
    const { hub, node } = it;
    const floor = revision(9, { rollbackFloor: 9 });
    await publish(hub, 33, floor);
    await eventually('revision 9', () => node.images()[0] === 'web:9');
    const manifestDigest = floor.document.manifests[0]?.digest ?? '';
    const startedAt = new Date(NOW - 60_000).toISOString();
    node.pods = [podReport(SHOP, { name: 'web', manifestDigest, startedAt })];
    node.session.changed();
    await hub.statusWhere('healthy', ({ bundles }) => bundles[0]?.state === 'healthy');

    await publish(hub, 34, revision(8));
    await hub.statusWhere('Rollback', ({ bundles }) => bundles[0]?.reason === 'Rollback');
    assert.deepEqual(node.images(), ['web:9']);

    await publish(hub, 35, revision(9, { issued: '2026-05-02T00:00:00.000Z' }));
    await hub.statusWhere('Equivocation', ({ bundles }) => bundles[0]?.reason === 'Equivocation');
    assert.deepEqual(node.images(), ['web:9']);
  });

  test('beyond the scope of its key it fails, and begins when a second person has signed the same document', async () => {
    const { hub, node } = it;
    const people = [RELEASE, SECOND];
    const keys = people.map(idOf);
    const scopes = [
      { threshold: 1, keys, ...DEFAULT_GRANT, nodeLabels: { site: 'harbour' } },
      { threshold: 2, keys, ...DEFAULT_GRANT },
    ];
    const root = rootDocument();
    const wider = rootDocument({
      version: 2,
      keys: { ...root.keys, [idOf(SECOND)]: SECOND.publicKey },
      roles: { ...root.roles, release: [releaseRole(people, { scopes })] },
    });
    await hub.publish(hub.topics.root(), seal('root', wider, [ROOT]));
    const made = revision(50);
    await publish(hub, 50, made);
    await hub.statusWhere('OutOfScope', ({ bundles }) => bundles[0]?.reason === 'OutOfScope');
    assert.deepEqual(node.images(), ['web:9']);
    await hub.publishBundle(made.document, made.pods, people);
    await eventually('revision 50', () => node.images()[0] === 'web:50');
  });
});
