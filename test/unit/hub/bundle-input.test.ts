/** From documents to the manifests of a bundle, and what differs between two sets of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { renderDiff, renderStrategyDiff } from '../../../hub/cli/bundle-diff.js';
import { changesBetween } from '../../../hub/cli/manifest-changes.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { documentsOf, manifestsOf } from '../../../hub/cli/bundle-input.js';
import { CliError } from '../../../protocol/cli-error.js';
import { keyOfManifest, type BundleManifest } from '../../../protocol/bundle-manifest.js';

const POD =
  'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: b}]}\n';
const map = (value: string, name = 'conf', more = '') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}${more}}\ndata: {key: ${value}}\n`;

const read = (...texts: string[]) =>
  manifestsOf(documentsOf([{ name: 'in.yaml', text: texts.join('---\n') }]), 'default').manifests;
const keys = (manifests: readonly BundleManifest[]) => manifests.map(keyOfManifest);

const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2}\n';

describe('manifestsOf', () => {
  test('takes Pods and ConfigMaps, of one name too', () => {
    assert.deepEqual(keys(read(POD, map('x'), map('z', 'web'))), [
      'web',
      'ConfigMap/conf',
      'ConfigMap/web',
    ]);
  });

  test('a Secret is no manifest of the bundle, but read beside it', () => {
    const documents = documentsOf([{ name: 'in.yaml', text: [POD, SECRET].join('---\n') }]);
    const { manifests, secrets } = manifestsOf(documents, 'default');
    assert.deepEqual(keys(manifests), ['web']);
    assert.deepEqual(
      secrets.map(({ name, type }) => [name, type]),
      [['s', 'Opaque']],
    );
  });

  const refused: readonly [string, string[], RegExp][] = [
    ['a ConfigMap alone', [map('x')], /no Pod in the input/],
    [
      'a ConfigMap twice',
      [POD, map('x'), map('z')],
      /in\.yaml:13:12: ConfigMap "conf" stands at in\.yaml:8:12 too/,
    ],
    [
      'another namespace',
      [POD, map('x', 'conf', ', namespace: prod')],
      /ConfigMap "conf" says namespace "prod", .*-n prod/,
    ],
    ['a Secret alone', [SECRET], /no Pod in the input/],
    [
      'a Secret of another namespace',
      [POD, SECRET.replace('name: s', 'name: s, namespace: prod')],
      /in\.yaml:8:21: Secret "s" says namespace "prod", .*-n prod/,
    ],
    ['a Secret twice', [POD, SECRET, SECRET], /Secret "s" stands at in\.yaml:\d+:\d+ too/],
    [
      'a Secret with what is no base64, without showing it',
      [POD, SECRET.replace('stringData: {a: hunter2}', 'data: {a: "hunter2!"}')],
      /in\.yaml:9:8: data\.a: Invalid value: it is no base64/,
    ],
    ['a value that is no text', [POD, map('yes')], /data\.key: must be a string.*quotes/],
    ['another kind', [POD, 'apiVersion: v1\nkind: Service\n'], /Service is refused: publish/],
  ];
  for (const [sentence, texts, message] of refused) {
    test(`refuses ${sentence}`, () => {
      assert.throws(
        () => read(...texts),
        (error: unknown) => {
          assert.ok(error instanceof CliError);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /hunter2/);
          return true;
        },
      );
    });
  }
});

test('a diff names each manifest with its kind and shows a ConfigMap’s data', () => {
  const before = read(POD, map('old'), map('x', 'gone'));
  const after = read(POD, map('new'), map('x', 'web'));
  assert.deepEqual(changesBetween(before, after), {
    added: ['configmap/web'],
    changed: ['configmap/conf'],
    removed: ['configmap/gone'],
  });
  assert.match(
    renderDiff(before, after),
    /--- now\/configmap\/conf\n[\s\S]*-\s+key: old\n\+\s+key: new/,
  );
  assert.equal(renderDiff(before, before), '');
});

test('how nodes judge a passage is part of the difference, and only where it differs', () => {
  const after = { ...DEFAULT_STRATEGY, minReadySeconds: 3 };
  assert.match(
    renderStrategyDiff(DEFAULT_STRATEGY, after),
    /^--- now\/strategy\n\+\+\+ new\/strategy\n[^]*-minReadySeconds: 10\n\+minReadySeconds: 3\n/,
  );
  assert.match(
    renderStrategyDiff(DEFAULT_STRATEGY, { ...DEFAULT_STRATEGY, require: ['aloneReady'] }),
    /\n\+require:\n\+ {2}- aloneReady\n/,
  );
  assert.equal(
    renderStrategyDiff(DEFAULT_STRATEGY, { ...DEFAULT_STRATEGY, maintenanceWindows: [] }),
    '',
  );
});
