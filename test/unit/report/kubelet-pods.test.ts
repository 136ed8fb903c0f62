/** What a kubelet's `/pods` may answer, and the sentence for what it may not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reportsOf } from '../../../agent/pods/kubelet-pods.js';

const of = (value: unknown) => reportsOf(Buffer.from(JSON.stringify(value)));
const source = { 'kubernetes.io/config.source': 'file' };
const pod = (metadata: unknown) => ({ kind: 'PodList', items: [{ metadata }] });

describe('a kubelet’s PodList', () => {
  test('gives its static pods, with the bundle that an owned file names', () => {
    const annotations = { ...source, 'flotilla.dev/bundle': 'default/shop' };
    const [report] = of(pod({ name: 'web', annotations }));
    assert.equal(report?.key, 'default/web');
    assert.deepEqual(report.bundle, { namespace: 'default', name: 'shop' });
  });

  test('row 221: may hold null, and pods of other sources', () => {
    assert.deepEqual(of({ kind: 'PodList', items: null }), []);
    assert.deepEqual(of(pod({ name: 'web' })), []);
  });

  const rows: [string, () => unknown, string][] = [
    ['what is no JSON', () => reportsOf(Buffer.from('<html>')), 'the answer is not JSON'],
    ['null', () => of(null), 'the answer is not a PodList'],
    ['a list of JSON', () => of([]), 'the answer is not a PodList'],
    ['another kind', () => of({ kind: 'Status' }), 'the answer is not a PodList'],
    [
      'an item that is null',
      () => of({ kind: 'PodList', items: [null] }),
      'an item of the PodList is not a Pod',
    ],
    ['metadata that is a text', () => of(pod('web')), 'an item of the PodList is not a Pod'],
    [
      'an annotation that is no text',
      () => of(pod({ annotations: { ...source, 'flotilla.dev/bundle': {} } })),
      'an item of the PodList is not a Pod',
    ],
    ['a name that is no text', () => of(pod({ name: 7 })), 'an item of the PodList is not a Pod'],
  ];
  for (const [what, run, message] of rows) {
    test(`${what} is told in a sentence`, () => assert.throws(run, { name: 'Error', message }));
  }
});
