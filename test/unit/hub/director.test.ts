/** Which bundles a node is to run, and when that makes a new assignment. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assignmentFault,
  assignmentOf,
  compose,
  signAssignment,
  type ComposeInput,
} from '../../../hub/rollout/director.js';
import type { BundleObject } from '../../../hub/objects.js';
import { candidateOf, decide, type Candidate } from '../../../hub/rollout/rollout.js';
import { parseSelector } from '../../../hub/selectors.js';
import type { AssignedBundle, AssignmentDocument } from '../../../protocol/documents/assignment.js';
import { topicsOf } from '../../../protocol/topics.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  FLEET,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  trustedRoot,
} from '../../support/fleet.js';

const DAY_MS = 24 * 3600 * 1000;

function candidate(name: string, selector: string, change: Partial<Candidate> = {}): Candidate {
  return {
    namespace: 'default',
    name,
    requirements: parseSelector(selector),
    held: false,
    revision: 1,
    isWithdrawn: false,
    digest: name.padEnd(64, '0'),
    size: 100,
    limit: null,
    ...change,
  };
}

describe('a node is assigned', () => {
  const bundles = [
    candidate('b-shops', 'role=shop'),
    candidate('a-everywhere', ''),
    candidate('c-not-test', 'stage!=test'),
  ];
  const ROWS: readonly [string, Record<string, string>, readonly string[]][] = [
    ['what selects every node', { stage: 'test' }, ['a-everywhere']],
    [
      'all that its labels match, sorted',
      { role: 'shop' },
      ['a-everywhere', 'b-shops', 'c-not-test'],
    ],
    ['what asks for the absence of a label', {}, ['a-everywhere', 'c-not-test']],
  ];
  for (const [sentence, labels, expected] of ROWS) {
    test(sentence, () => {
      const decided = decide(bundles, { labels, assigned: [] });
      assert.deepEqual(
        decided.map(({ name }) => name),
        expected,
      );
    });
  }

  test('what a node has stands first, in the order in which it came: of two that want one port the first has it', () => {
    const names = (assigned: readonly AssignedBundle[]) => assigned.map(({ name }) => name);
    const first = decide([candidate('x', '')], { labels: {}, assigned: [] });
    const all = ['b', 'x', 'a'].map(name => candidate(name, ''));
    const then = decide(all, { labels: {}, assigned: first });
    assert.deepEqual(names(then), ['x', 'a', 'b']);
    const more = decide([...all, candidate('0', '')], { labels: {}, assigned: then });
    assert.deepEqual(names(more), ['x', 'a', 'b', '0']);
  });

  test('nothing of a bundle that was deleted', () => {
    const before = decide(bundles, { labels: {}, assigned: [] });
    const after = decide(bundles.slice(0, 1), { labels: {}, assigned: before });
    assert.deepEqual(after, []);
  });

  test('a digest that it has with the attempt that it is at, another one from the first', () => {
    const held: AssignedBundle[] = [
      { ...assigned(bundleDocument()), name: 'x', digest: 'x'.padEnd(64, '0'), attempt: 3 },
    ];
    const again = decide([candidate('x', '')], { labels: {}, assigned: held });
    assert.equal(again[0]?.attempt, 3);
    const next = [candidate('x', '', { digest: 'y'.padEnd(64, '0'), revision: 2 })];
    assert.equal(decide(next, { labels: {}, assigned: held })[0]?.attempt, 0);
  });

  test('a digest that is to be activated now stays so, another one waits for its windows', () => {
    const now = { by: 'admin', reason: 'recall' };
    const held = [{ ...assigned(bundleDocument()), name: 'x', digest: 'x'.padEnd(64, '0'), now }];
    const again = decide([candidate('x', '')], { labels: {}, assigned: held });
    assert.deepEqual(again[0]?.now, now);
    const next = [candidate('x', '', { digest: 'y'.padEnd(64, '0'), revision: 2 })];
    assert.equal(decide(next, { labels: {}, assigned: held })[0]?.now, undefined);
  });

  test('S19: what the root withdrew stays where it runs, and nobody begins with it', () => {
    const one = candidate('x', '', { isWithdrawn: true });
    assert.deepEqual(decide([one], { labels: {}, assigned: [] }), []);
    const held = [{ ...assigned(bundleDocument()), name: 'x', digest: one.digest, attempt: 2 }];
    const running = [one.digest];
    assert.deepEqual(decide([one], { labels: {}, assigned: held, running: [] }), []);
    assert.equal(decide([one], { labels: {}, assigned: held, running })[0]?.attempt, 2);
  });

  test('a revision is withdrawn by a floor above it, or by its digest', () => {
    const { revision, digest } = { revision: 4, digest: 'd'.repeat(64) };
    const bundle = {
      metadata: { namespace: 'default', name: 'x', annotations: {} },
      spec: { nodeSelector: '' },
      status: { revision, digest },
    } as BundleObject;
    const isWithdrawn = (denied: string[], floor: number) =>
      candidateOf(bundle, {
        ...{ size: 1, limit: null },
        root: { denied, floors: { 'default/x': floor } },
      }).isWithdrawn;
    assert.equal(isWithdrawn([], 4), false);
    assert.equal(isWithdrawn([], 5), true);
    assert.equal(isWithdrawn([digest], 0), true);
  });
});

describe('an assignment', () => {
  const bundles = [assigned(bundleDocument())];
  const current = assignmentDocument({ issued: new Date(NOW - DAY_MS).toISOString(), bundles });
  const input: ComposeInput = {
    fleet: FLEET,
    epoch: 1,
    rootVersion: 1,
    node: NODE_NAME,
    nodeKey: idOf(NODE),
    bundles,
    secrets: [],
    current,
    nonce: null,
    now: NOW,
  };
  const other = [assigned(bundleDocument(undefined, { revision: 2 }))];
  const nonce = 'ab'.repeat(16);
  const budget = { 'flotilla.dev/link-budget': '20Mi' };
  const withBudget = { ...current, parameters: budget };
  type Row = [string, Partial<ComposeInput>, null | Partial<AssignmentDocument>];
  const ROWS: readonly Row[] = [
    ['stays while it says the same', {}, null],
    ['is the first of a node', { current: null }, { generation: 1, nonce: null }],
    ['follows a change of bundles', { bundles: other }, { generation: 8, bundles: other }],
    ['follows the last bundle going', { bundles: [] }, { generation: 8, bundles: [] }],
    ['follows a newer root', { rootVersion: 2 }, { generation: 8, rootVersion: 2 }],
    ['begins its generations anew in a new epoch', { epoch: 2 }, { epoch: 2, generation: 1 }],
    ['is made for another device of the name', { nodeKey: 'f'.repeat(64) }, { generation: 8 }],
    ['answers a nonce even when it says the same', { nonce }, { generation: 8, nonce }],
    ['follows another budget', { parameters: budget }, { generation: 8, parameters: budget }],
    ['keeps its budget', { current: withBudget, bundles: other }, { parameters: budget }],
    [
      'keeps its budget for another device of the name',
      { current: withBudget, nodeKey: 'f'.repeat(64) },
      { parameters: budget },
    ],
    ['stays while its budget does', { current: withBudget, parameters: budget }, null],
    ['loses its budget', { current: withBudget, parameters: {} }, { parameters: {} }],
    ['stays while it is younger than a week', { now: NOW + 5 * DAY_MS }, null],
    ['is signed anew after a week', { now: NOW + 6 * DAY_MS }, { generation: 8, bundles }],
  ];
  for (const [sentence, change, expected] of ROWS) {
    test('that lists another version of a secret is a new one', () => {
      const secret = { namespace: 'default', bundle: 'shop', name: 'db', version: 1 };
      const secrets = [{ ...secret, digest: 'a'.repeat(64) }];
      const next = compose({ ...input, secrets });
      assert.deepEqual(next?.secrets, secrets);
      assert.equal(next.generation, current.generation + 1);
      assert.equal(compose({ ...input, secrets, current: next }), null);
      assert.deepEqual(compose({ ...input, current: next })?.secrets, [], 'deleted');
    });

    test(sentence, () => {
      const made = compose({ ...input, ...change });
      if (expected === null) return assert.equal(made, null);
      assert.ok(made);
      assert.deepEqual({ ...made, ...expected }, made);
      const { now = NOW } = change;
      assert.equal(made.issued, new Date(now).toISOString());
      assert.equal(Date.parse(made.notAfter) - now, 90 * DAY_MS);
    });
  }

  test('keeps the nonce that the node may still wait for, but not for another device', () => {
    const answered = { ...current, nonce };
    const next = compose({ ...input, bundles: other, current: answered });
    assert.equal(next?.nonce, nonce);
    const nodeKey = 'f'.repeat(64);
    assert.equal(compose({ ...input, current: answered, nodeKey })?.nonce, null);
  });

  test('is accepted by the node, and read back as it was signed', () => {
    const document = compose({ ...input, bundles: other });
    assert.ok(document);
    const { record, mutations } = signAssignment(document, HUB, topicsOf(FLEET));
    const opened = openAssignment(record.envelope, {
      root: trustedRoot(),
      node: NODE_NAME,
      nodeKey: idOf(NODE),
      accepted: { epoch: 1, generation: 7, digest: 'a'.repeat(64) },
      nonce: null,
      freshOnly: false,
      now: NOW,
    });
    assert.ok(opened.ok && opened.value.changed);
    assert.equal(opened.value.digest, record.digest);
    assert.deepEqual(assignmentOf(record), document);
    assert.deepEqual(
      mutations.map(({ type }) => type),
      ['assignment', 'publish'],
    );
  });

  test('that no node would take is not sent', () => {
    const many = Array.from({ length: 129 }, (_, i) =>
      assigned(bundleDocument(), { name: `b${i}` }),
    );
    const withMany = (count: number) => ({ ...current, bundles: many.slice(0, count) });
    assert.equal(assignmentFault(withMany(128)), null);
    assert.match(assignmentFault(withMany(129)) ?? '', /129 bundles, a node takes at most 128/);
    const parameters = { text: 'x'.repeat(64 * 1024) };
    assert.match(assignmentFault({ ...current, parameters }) ?? '', /the limit is 65536/);
  });
});
