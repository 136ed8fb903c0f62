/** How far a bundle may reach: nodes by the labels of their enrolment, and their number. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limitOf, Places, reachFault, type ReachedNode } from '../../../hub/rollout/reach.js';
import type { ReleaseScope } from '../../../protocol/documents/root.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';

const scope = (change: Partial<ReleaseScope> = {}): ReleaseScope => ({
  threshold: 1,
  keys: ['a'.repeat(64)],
  ...DEFAULT_GRANT,
  ...change,
});
const nodes = (count: number, labels: Record<string, string> = {}): ReachedNode[] =>
  Array.from({ length: count }, (_, i) => ({ name: `edge-${i + 1}`, labels }));
const web: ValidPod = { metadata: { name: 'web' }, spec: { containers: [{ name: 'app' }] } };
const spy: ValidPod = {
  metadata: { name: 'spy' },
  spec: { hostPID: true, containers: [{ name: 'app' }] },
};
const both = scope({ threshold: 2, keys: ['a'.repeat(64), 'b'.repeat(64)] });

describe('what a bundle reaches with its signatures', () => {
  const few = scope({ maxNodes: 20 });
  const harbour = scope({ nodeLabels: { site: 'harbour' } });
  const rows: [string, ValidPod, ReleaseScope[], ReachedNode[], ReleaseScope[], RegExp | null][] = [
    ['any node by default', web, [scope()], nodes(500), [], null],
    ['as many nodes as the scope says', web, [few], nodes(20), [], null],
    [
      'not one more, and it is said which scope would let it',
      web,
      [few],
      nodes(41),
      [few, both],
      /reach 41 nodes, .* at most 20: select fewer nodes, or have it signed for a scope that reaches any number of nodes \(2 of the keys aaaaaaaa, bbbbbbbb\)$/,
    ],
    ['nor is another scope promised where none is', web, [few], nodes(41), [few], /in the root$/],
    ['labelled nodes', web, [harbour], nodes(2, { site: 'harbour' }), [], null],
    [
      'and no others, by name',
      web,
      [harbour],
      [...nodes(1, { site: 'harbour' }), { name: 'lake-1', labels: { site: 'lake' } }],
      [harbour],
      /1 of the 2 nodes .*\(lake-1\): .* enrolled with site=harbour; the node enrolled with site=lake; select/,
    ],
    [
      'six nodes are counted, five are named',
      web,
      [harbour],
      nodes(6),
      [harbour],
      /6 of the 6 .*edge-5 and 1 more\)/,
    ],
    [
      'a scope that is wide enough has to cover the pods too',
      spy,
      [scope({ podSecurity: 'privileged', maxNodes: 1 }), scope()],
      nodes(2),
      [],
      /pod spy: beyond the scope/,
    ],
    ['nothing is said of a bundle that nobody signed', web, [], nodes(3), [], null],
  ];
  for (const [sentence, pod, scopes, reached, role, expected] of rows) {
    test(sentence, () => {
      const fault = reachFault({ pods: [pod], scopes }, reached, { scopes: role });
      if (expected === null) assert.equal(fault, null);
      else assert.match(fault ?? '', expected);
    });
  }
});

describe('places of a limited bundle', () => {
  const limited = (...scopes: ReleaseScope[]) => limitOf({ pods: [web], scopes });

  test('are not counted where no scope counts', () => {
    assert.equal(limited(scope()), null);
  });

  test('are for who has one, then for who comes first', () => {
    const limit = limited(scope({ maxNodes: 2 }));
    assert.ok(limit);
    const places = new Places(limit, ['c']);
    const taken = ['a', 'b', 'c', 'a'].map(node => places.take(node, {}));
    assert.deepEqual(taken, [true, false, true, true]);
    assert.deepEqual(places.refused(), ['b']);
  });

  test('a wider scope for labelled nodes counts there alone', () => {
    const limit = limited(scope({ maxNodes: 1 }), scope({ nodeLabels: { a: '1' } }));
    assert.ok(limit);
    assert.deepEqual([limit.mostFor({}), limit.mostFor({ a: '1' })], [1, null]);
  });

  test('a node where no scope holds says so itself', () => {
    const limit = limited(scope({ nodeLabels: { a: '1' }, maxNodes: 1 }));
    assert.equal(limit?.mostFor({}), null);
  });
});
