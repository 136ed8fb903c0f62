/** Parameters of a node at the hub: what a wish makes of those before, the signed assignment that says it, whom a bundle reaches without one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { isAsked } from '../../../hub/cli/audit.js';
import { RequestError, type RequestReason } from '../../../hub/ports.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { assignmentOf, compose, signAssignment } from '../../../hub/rollout/director.js';
import { setNodeBudget } from '../../../hub/rollout/node-budget.js';
import {
  nodeParametersDesk,
  parametersWish,
  withParameters,
  type NodeParametersDesk,
} from '../../../hub/rollout/node-parameters.js';
import { lackingLines } from '../../../hub/rollout/parameter-check.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Actor, Store } from '../../../hub/store/store.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { topicsOf } from '../../../protocol/topics.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { FLEET, HUB, RELEASE, trustedRoot } from '../../support/fleet.js';
import { enrolled, memberRecord } from '../../support/member.js';

const ADMIN: Actor = { kind: 'user', name: 'admin' };

const refusal = (reason: RequestReason, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RequestError, String(error));
  assert.equal(error.reason, reason, error.message);
  assert.match(error.message, message);
  return true;
};

type Texts = Record<string, string>;
const BEFORE: Texts = { site: 'quay', 'flotilla.dev/link-budget': '20Mi' };

describe('a wish about the parameters of a node', () => {
  const ROWS: [sentence: string, set: Record<string, string | null>, after: Texts][] = [
    ['nothing said changes nothing', {}, BEFORE],
    ['one more stands beside it', { lane: '3' }, { ...BEFORE, lane: '3' }],
    ['the same again changes nothing', { site: 'quay' }, BEFORE],
    ['null takes one away', { site: null }, { 'flotilla.dev/link-budget': '20Mi' }],
    ['what is not there can be taken away', { lane: null }, BEFORE],
  ];
  for (const [sentence, set, result] of ROWS) {
    test(sentence, () =>
      assert.deepEqual(withParameters(BEFORE, { set, overwrite: false }), result),
    );
  }

  test('changes a value only when that is said', () => {
    assert.throws(
      () => withParameters(BEFORE, { set: { site: 'dock' }, overwrite: false }),
      refusal('Conflict', /^'site' already has a value \(quay\), and --overwrite is false$/),
    );
    const { site } = withParameters(BEFORE, { set: { site: 'dock' }, overwrite: true });
    assert.equal(site, 'dock');
  });

  test('is refused with every name and value that is none; a budget is no parameter', () => {
    const set = { 'flotilla.dev/link-budget': null, '..': 'x', lane: 'a\0' };
    assert.throws(
      () => withParameters(BEFORE, { set, overwrite: true }),
      refusal(
        'BadRequest',
        /"flotilla.dev\/link-budget": .*; parameter "\.\.": .*; parameter "lane": its value must not contain a zero byte/,
      ),
    );
  });

  test('is told in the audit log by names, not values', () => {
    const told = parametersWish({ a: '1', b: '2', c: '3' }, { b: 'x', c: '3', d: '4' });
    assert.equal(told, 'parameters: -a b +d');
  });
});

describe('what a bundle lacks on its nodes', () => {
  const web = {
    metadata: { name: 'web', annotations: { 'flotilla.dev/node-parameters': 'lane' } },
    spec: {
      containers: [
        {
          name: 'main',
          env: [
            {
              name: 'S',
              valueFrom: { configMapKeyRef: { name: 'flotilla-node', key: 'site' } },
            },
          ],
        },
      ],
    },
  } as unknown as ValidPod;
  const node = (name: string, parameters: Texts) => ({ name, parameters });

  test('nothing is said where all have all', () => {
    assert.deepEqual(lackingLines('shop', [web], [node('a', { site: '', lane: '1' })]), []);
  });

  test('one node is named, with the pod that waits there and what to type', () => {
    assert.deepEqual(lackingLines('shop', [web], [node('a', { lane: '1' })]), [
      'bundle/shop: node a has no value for the parameter "site": the revision waits there for pod "web"; flotilla node parameters a site=VALUE',
    ]);
  });

  test('of many the first five; what no field names does not hold a pod up', () => {
    const nodes = ['g', 'f', 'e', 'd', 'c', 'b', 'a'].map(name => node(name, { site: '' }));
    const [line] = lackingLines('shop', [web], nodes);
    assert.match(
      line ?? '',
      /7 nodes have no value for the parameter "lane" \(a, b, c, d, e and 2 more\): its pods begin without it/,
    );
  });
});

describe('the parameters of a node at the hub', () => {
  let directory: string;
  let store: Store;
  let desk: NodeParametersDesk;
  const root = () => trustedRoot();
  const parts = () => ({ store, root, hubSigner: HUB, clock: REAL_CLOCK });
  const assignment = async () => {
    const record = await store.assignment('edge-1');
    assert.ok(record);
    return assignmentOf(record);
  };
  const set = (values: Record<string, string | null>, overwrite = false) =>
    desk.set(ADMIN, { node: 'edge-1', wish: { set: values, overwrite } });

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'flotilla-parameters-'));
    store = await openSqliteStore({ path: join(directory, 'hub.db'), clock: REAL_CLOCK });
    desk = nodeParametersDesk(parts());
    for (const node of ['edge-1', 'new']) await store.commit(ADMIN, enrolled(memberRecord(node)));
    const web: Pod = {
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { name: 'web', annotations: { 'flotilla.dev/node-parameters': 'site, lane' } },
      spec: { containers: [{ name: 'main', image: 'web:1' }] },
    };
    const { object } = await bundleWriter({ ...parts(), releaseSigner: RELEASE }).apply(ADMIN, {
      ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {} },
      spec: { nodeSelector: '', manifests: [web] },
      ...{ expect: 'any', dryRun: false },
    });
    const { revision, digest } = object.status;
    const size = (await store.revisionByDigest(digest))?.size ?? 0;
    const bundles = [{ namespace: 'default', name: 'shop', revision, digest, size, attempt: 0 }];
    const first = compose({
      ...{ fleet: FLEET, epoch: 1, rootVersion: 1, node: 'edge-1', nodeKey: 'a'.repeat(64) },
      ...{ bundles, secrets: [], current: null, nonce: null, now: Date.now() },
    });
    assert.ok(first);
    const { mutations } = signAssignment(first, HUB, topicsOf(FLEET));
    await store.commit({ kind: 'hub', name: 'test' }, mutations);
  });
  after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });

  test('are the next signed assignment, with the same bundles, and nothing when they are there already', async () => {
    const former = await assignment();
    const view = await set({ site: 'quay' });
    assert.deepEqual(view, {
      ...{ node: 'edge-1', parameters: { site: 'quay' }, changed: true },
      lacking: [{ namespace: 'default', name: 'shop', keys: ['lane'] }],
    });
    const now = await assignment();
    assert.deepEqual(now.bundles, former.bundles);
    assert.deepEqual([now.generation, now.parameters], [former.generation + 1, { site: 'quay' }]);
    assert.equal((await set({ site: 'quay' })).changed, false);
    assert.equal((await assignment()).generation, now.generation);
  });

  test('stand beside a budget, which neither shows nor takes away the others', async () => {
    await setNodeBudget(parts(), ADMIN, { node: 'edge-1', wish: { link: '20Mi' } });
    const { parameters } = await desk.read('edge-1');
    assert.deepEqual(parameters, { site: 'quay' });
    assert.equal((await assignment()).parameters['flotilla.dev/link-budget'], '20Mi');
  });

  test('are a line of the audit log that names them, found by the node', async () => {
    await set({ lane: '3', site: 'dock' }, true);
    const lines = (await store.audit(0, 100)).filter(({ kind }) => kind === 'Assignment');
    const line = lines.at(-1);
    assert.ok(line);
    assert.deepEqual(
      [line.actor.name, line.name, line.detail],
      ['admin', 'edge-1', 'parameters: +lane site'],
    );
    assert.match(lines.at(-2)?.detail ?? '', /^budget: link 20Mi, writes none$/);
    assert.notEqual(line.before, line.after);
    const filter = { kind: 'Node', namespace: 'default', name: 'edge-1', since: null };
    assert.equal(isAsked(line, filter), true);
    assert.equal(isAsked(line, { ...filter, name: 'edge-2' }), false);
  });

  test('are refused beyond 8 KiB, and nothing of them is kept', async () => {
    const before = await assignment();
    await assert.rejects(
      set({ big: 'x'.repeat(8192) }),
      refusal('Invalid', /all parameters together would be \d+ bytes .*, the limit is 8192/),
    );
    assert.deepEqual(await assignment(), before);
  });

  test('need a node that was let in', async () => {
    const wish = { set: { site: 'x' }, overwrite: false };
    await assert.rejects(
      desk.set(ADMIN, { node: 'nobody', wish }),
      refusal('NotFound', /nodes "nobody" not found/),
    );
    await assert.rejects(
      desk.set(ADMIN, { node: 'new', wish }),
      refusal('Conflict', /was not let in yet/),
    );
  });
});
