/** What a node's standing teaches: counters rise, content needs its signatures, what a node runs is kept. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BundleObject } from '../../../hub/objects.js';
import {
  adoptedBundle,
  assignmentIn,
  furtherRecord,
  GENERATIONS_LEFT_OUT,
  namingAlso,
  returnedEnvelope,
} from '../../../hub/recovery/lessons.js';
import { HELD_ANNOTATION } from '../../../hub/recovery/held-annotation.js';
import { declaredIn } from '../../../hub/rollout/revision-document.js';
import { decide, type Candidate } from '../../../hub/rollout/rollout.js';
import { DEFAULT_PLAN, plainPlan } from '../../../hub/rollout/waves/plan.js';
import { parseSelector } from '../../../hub/selectors.js';
import type { AssignmentRecord } from '../../../hub/store/store.js';
import type { StandingDocument } from '../../../protocol/documents/node.js';
import { seal } from '../../../protocol/envelope.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  FLEET,
  HUB,
  NODE_NAME,
  RELEASE,
  rootDocument,
} from '../../support/fleet.js';

const standing: StandingDocument = {
  ...{ epoch: 1, rootVersion: 1, generation: 7, revisions: [], secrets: [], sealingKey: null },
  assignment: seal('assignment', assignmentDocument({ generation: 7 }), [HUB]).toString(),
};
const of = { fleet: FLEET, node: NODE_NAME };
const record = (epoch: number, generation: number): AssignmentRecord => {
  const digest = `${epoch}.${generation}`;
  return { node: NODE_NAME, epoch, generation, digest, envelope: Buffer.from(digest) };
};

describe('the assignment in a standing', () => {
  test('is this node’s own, in this fleet', () => {
    assert.equal(assignmentIn(standing, of)?.record.generation, 7);
    assert.equal(assignmentIn(standing, { ...of, node: 'edge-9' }), null);
    assert.equal(assignmentIn(standing, { ...of, fleet: '0'.repeat(32) }), null);
    assert.equal(assignmentIn({ ...standing, assignment: null }, of), null);
    assert.equal(assignmentIn({ ...standing, assignment: '{}' }, of), null);
  });

  const rows: readonly [
    string,
    AssignmentRecord | null,
    AssignmentRecord | null,
    number,
    string | null,
    number,
  ][] = [
    ['the node is ahead', record(1, 3), record(1, 7), 7, '1.7', 7],
    ['the hub is ahead', record(1, 9), record(1, 7), 7, '1.9', 9],
    ['only the node has one', null, record(1, 7), 7, '1.7', 7],
    ['only the hub has one', record(1, 3), null, 0, '1.3', 3],
    ['the node says a number and cannot show it', record(1, 3), null, 8, '1.3', 8],
    ['a higher epoch goes before a higher number', record(2, 1), record(1, 99), 99, '2.1', 1],
    ['nobody has one', null, null, 0, null, 0],
  ];
  for (const [what, own, said, generation, digest, highest] of rows) {
    test(`${what}: the hub goes on from ${digest ?? 'nothing'}, far above ${highest}`, () => {
      const epoch = said?.epoch ?? 1;
      const further = furtherRecord(own, said, { epoch, generation });
      assert.equal(further?.digest ?? null, digest);
      if (further) assert.equal(further.generation, highest + GENERATIONS_LEFT_OUT);
    });
  }
});

describe('a bundle that comes back', () => {
  const document = bundleDocument();
  const { namespace, name, revision, digest } = assigned(document);
  const named = { namespace, name, revision, digest };
  const good = seal('bundle', document, [RELEASE]);

  test('counts with the release role’s signature, under the very name that was asked for', () => {
    assert.equal(returnedEnvelope(good, named, rootDocument())?.digest, digest);
    const foreign = seal('bundle', document, [HUB]);
    assert.equal(returnedEnvelope(foreign, named, rootDocument()), null);
    assert.equal(
      returnedEnvelope(good, { ...named, digest: '0'.repeat(64) }, rootDocument()),
      null,
    );
    assert.equal(returnedEnvelope(good, { ...named, revision: 9 }, rootDocument()), null);
    assert.equal(returnedEnvelope(good, { ...named, name: 'other' }, rootDocument()), null);
    assert.equal(returnedEnvelope(Buffer.from('{}'), named, rootDocument()), null);
  });

  test('is held; one that nobody knew selects the node that runs it, then the next one too', () => {
    const now = '2026-01-02T03:04:05.678Z';
    const fresh = adoptedBundle({
      current: null,
      revision: named,
      manifests: [],
      declared: {},
      node: 'b',
      now,
    });
    assert.equal(fresh.metadata.annotations?.[HELD_ANNOTATION], now);
    const { nodeSelector } = fresh.spec as BundleObject['spec'];
    assert.equal(nodeSelector, 'kubernetes.io/hostname in (b)');
    assert.equal(namingAlso(nodeSelector, 'a'), 'kubernetes.io/hostname in (a,b)');
    assert.equal(namingAlso(nodeSelector, 'b'), null);
    assert.equal(namingAlso('site=harbour', 'a'), null);
  });

  test('brings what it declares; the plan of its rollouts stays as the backup had it', () => {
    const strategy = { ...DEFAULT_STRATEGY, progressDeadlineSeconds: 7 };
    const digests = [`sha256:${'1'.repeat(64)}`];
    const declared = declaredIn({
      strategy,
      images: [
        { image: 'web:2', digests },
        { image: 'tag:1', digests: [] },
      ],
    });
    const rollout = plainPlan({ ...DEFAULT_PLAN, waves: [{ nodes: 1 }, { nodes: '100%' }] });
    const former = {
      ...{ nodeSelector: 'site=harbour', manifests: [], rollout },
      ...{ strategy: { ...DEFAULT_STRATEGY, minReadySeconds: 3 }, images: [] },
    };
    const current = {
      metadata: { labels: {}, annotations: {} },
      ...{ spec: former, status: { revision: 1, digest: '', nodes: {} } },
    } as unknown as BundleObject;
    const now = '2026-01-02T03:04:05.678Z';
    const { spec } = adoptedBundle({
      ...{ current, revision: named, manifests: [], declared, node: 'b', now },
    });
    assert.deepEqual(spec, {
      ...{ nodeSelector: 'site=harbour', manifests: [], strategy, rollout },
      images: [{ image: 'web:2', digests }],
    });
  });
});

describe('a held bundle', () => {
  const had = { ...assigned(bundleDocument()), namespace: 'default', name: 'shop', revision: 4 };
  const offered: Candidate = {
    ...{ namespace: 'default', name: 'shop', revision: 6, digest: 'f'.repeat(64), size: 1 },
    ...{ requirements: parseSelector(''), held: true, isWithdrawn: false, limit: null },
  };

  test('stays on a node exactly as it is there, and comes to no other', () => {
    assert.deepEqual(decide([offered], { labels: {}, assigned: [had] }), [had]);
    assert.deepEqual(decide([offered], { labels: {}, assigned: [] }), []);
    const applied = decide([{ ...offered, held: false }], { labels: {}, assigned: [had] });
    assert.equal(applied[0]?.revision, 6);
  });
});
