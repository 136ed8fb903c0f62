/** What `get`, `describe` and `delete` make of the words for kinds and names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiObject } from '../../../hub/cli/client.js';
import { nearHint } from '../../../hub/cli/near-names.js';
import { kindsOf, resourceOf } from '../../../hub/cli/resources.js';
import { rowsOf } from '../../../hub/cli/table.js';
import { CliError } from '../../../protocol/cli-error.js';

const pod = (name: string, nodeName: string, namespace = 'default'): ApiObject => ({
  metadata: { name, namespace },
  spec: { nodeName },
});
const PODS = [pod('web-edge-1', 'edge-1'), pod('web-edge-2', 'edge-2'), pod('db-edge-1', 'edge-1')];
const secret = (bundle: string, name: string, namespace = 'default'): ApiObject => ({
  metadata: { name: `${bundle}.${name}`, namespace },
  spec: { bundle, secret: name },
});

describe('a name that the hub does not have', () => {
  const ROWS: readonly [string, string, string, ApiObject[], string | null][] = [
    [
      'a pod without its node: the pods that its manifest became',
      ...(['pods', 'web', PODS] as const),
      "did you mean (a pod's name ends in its node's): web-edge-1, web-edge-2",
    ],
    ['a pod of nobody', 'pods', 'cache', PODS, null],
    [
      'a secret without its bundle',
      ...(['secrets', 'db', [secret('shop', 'db'), secret('web', 'db')]] as const),
      'did you mean (named BUNDLE.SECRET): shop.db, web.db',
    ],
    [
      'one of another namespace',
      ...(['bundles', 'web', [{ metadata: { name: 'web', namespace: 'shop' } }]] as const),
      'did you mean (in another namespace): web -n shop',
    ],
    [
      'many: the first of them',
      ...(['pods', 'web', [1, 2, 3, 4, 5, 6, 7].map(n => pod(`web-n${n}`, `n${n}`))] as const),
      "did you mean (a pod's name ends in its node's): web-n1, web-n2, web-n3, web-n4, web-n5 and 2 more",
    ],
  ].map(row => row as [string, string, string, ApiObject[], string | null]);
  for (const [sentence, kind, name, objects, hint] of ROWS) {
    test(sentence, () => {
      const resource = resourceOf(kind);
      assert.equal(nearHint({ resource, name }, objects, 'default'), hint);
    });
  }
});

describe('the word for what is got', () => {
  const kinds = (word: string) => kindsOf(word)?.map(({ plural }) => plural) ?? null;
  test('one kind is none of several', () => assert.equal(kinds('pods'), null));
  test('several, each once', () => assert.deepEqual(kinds('po,nodes,pod'), ['pods', 'nodes']));
  test('all is what kubectl gets too', () => assert.deepEqual(kinds('all'), ['pods', 'bundles']));
  test('an unknown one among them', () => assert.throws(() => kinds('pods,services'), CliError));

  test('names of several kinds bear their kind', () => {
    const table = {
      ...{ kind: 'Table' as const, metadata: {}, columnDefinitions: [{ name: 'Name' }] },
      rows: [{ cells: ['web'], object: pod('web', 'n', 'shop') }],
    };
    const options = { wide: false, namespaces: true, showLabels: false, headers: false };
    assert.deepEqual(rowsOf(table, { ...options, kind: 'pod/' }), [['shop', 'pod/web']]);
    assert.deepEqual(rowsOf(table, options), [['shop', 'web']]);
  });
});
