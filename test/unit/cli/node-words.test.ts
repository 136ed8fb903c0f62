/** What is meant by the words of `flotilla label` and `annotate`, and what a person may change of a Node. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BundleApiObject } from '../../../hub/cli/bundle-write.js';
import { bundlesLost, changeOf, readWords } from '../../../hub/cli/label.js';
import { NODE_WORDS_MAX, wishFaults, wishText } from '../../../hub/enrolment/node-wish.js';
import { CliError } from '../../../protocol/cli-error.js';

describe('flotilla label', () => {
  const READ: readonly [string, string[], string[], Record<string, string | null>][] = [
    ['one node, one label', ['node', 'a', 'k=v'], ['a'], { k: 'v' }],
    ['several of both', ['nodes', 'a', 'b', 'k=v', 'l-'], ['a', 'b'], { k: 'v', l: null }],
    ['kind and name in one', ['node/a', 'node/b', 'k='], ['node/a', 'node/b'], { k: '' }],
    ['a value with =', ['no', 'a', 'k=v=w'], ['a'], { k: 'v=w' }],
    ['by selector: no name', ['node', 'k=v'], [], { k: 'v' }],
  ];
  for (const [sentence, words, names, set] of READ) {
    test(`reads ${sentence}`, () => {
      assert.deepEqual(readWords(words, 'label'), { names, set });
    });
  }

  const REFUSED: readonly [string, string[], RegExp][] = [
    ['a pod', ['pod', 'web', 'k=v'], /nodes alone, not pods/],
    ['a name behind a label', ['node', 'k=v', 'a'], /names of nodes come first/],
    ['a key twice', ['node', 'a', 'k=v', 'k-'], /k: twice/],
  ];
  for (const [sentence, words, pattern] of REFUSED) {
    test(`refuses ${sentence}`, () => {
      assert.throws(() => readWords(words, 'label'), pattern);
    });
  }

  test('knows which bundles leave which nodes by it', () => {
    const bundle = (name: string, nodeSelector: string) =>
      ({ metadata: { namespace: 'default', name }, spec: { nodeSelector } }) as BundleApiObject;
    const bundles = [bundle('all', ''), bundle('north', 'site=north'), bundle('odd', '!site')];
    const before = { site: 'north' };
    const lost = (change: Record<string, string | null> | null) =>
      bundlesLost([{ name: 'a', before, change }], bundles);
    assert.deepEqual(lost({ site: 'south' }), ['bundle default/north leave a']);
    assert.deepEqual(lost({ site: null }), ['bundle default/north leave a']);
    assert.deepEqual(lost({ tier: '2' }), []);
    assert.deepEqual(lost(null), []);
  });

  test('changes what is there with --overwrite alone, and says nothing that is so already', () => {
    assert.throws(() => changeOf({ k: 'a' }, { k: 'b' }, false), CliError);
    assert.deepEqual(changeOf({ k: 'a' }, { k: 'b' }, true), { k: 'b' });
    assert.deepEqual(changeOf({ k: 'a' }, { k: null }, false), { k: null });
    assert.equal(changeOf({ k: 'a' }, { k: 'a', gone: null }, false), null);
  });
});

describe('a wish about a Node', () => {
  const wish = (labels: Record<string, string>, annotations = {}, unschedulable = false) => ({
    ...{ labels, annotations, unschedulable },
  });
  const faults = (after: Parameters<typeof wishFaults>[1]) =>
    wishFaults(wish({ 'kubernetes.io/os': 'linux' }), after).map(({ field }) => field);

  test('does not touch what the node is by itself, nor what the hub notes there', () => {
    assert.deepEqual(faults(wish({})), ['metadata.labels[kubernetes.io/os]']);
    const os = { 'kubernetes.io/os': 'linux' };
    assert.deepEqual(faults(wish(os, { 'flotilla.dev/token': 'x' })), [
      'metadata.annotations[flotilla.dev/token]',
    ]);
    assert.deepEqual(faults(wish(os, { 'no key': 'x' })), ['metadata.annotations[no key]']);
    assert.deepEqual(faults(wish(os, { fine: 'x' })), []);
  });

  test('has an end', () => {
    const os = { 'kubernetes.io/os': 'linux' };
    assert.deepEqual(faults(wish(os, { long: 'x'.repeat(NODE_WORDS_MAX) })), ['metadata']);
  });

  test('is said in the audit log, values of annotations left out', () => {
    const before = wish({ site: 'north', tier: '2' }, { note: 'a' });
    const after = wish({ site: 'south' }, { note: 'b' }, true);
    assert.equal(wishText(before, after), 'labels: site=south -tier; annotations: note; cordoned');
    assert.equal(
      wishText(after, before),
      'labels: site=north tier=2; annotations: note; uncordoned',
    );
    assert.equal(wishText(before, before), '');
  });
});
