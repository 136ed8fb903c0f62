/** A DaemonSet where `-f` names one: what it is read with, which options it leaves no room for, and what differs. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { renderSettingsDiff, settingsOf } from '../../../hub/cli/bundle-diff.js';
import { readSource } from '../../../hub/cli/bundle-source.js';
import { metadataAfter, type BundleApiObject } from '../../../hub/cli/bundle-write.js';
import { applyFlags, refuseSaidTwice } from '../../../hub/cli/daemonset-options.js';
import { planAfter } from '../../../hub/cli/plan-options.js';
import { DEFAULT_PLAN, plainPlan } from '../../../hub/rollout/waves/plan.js';
import { keyOfManifest } from '../../../protocol/bundle-manifest.js';

const document = (metadata = '{name: web}', spec = '', podSpec = '') => `apiVersion: apps/v1
kind: DaemonSet
metadata: ${metadata}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: a, image: b}]${podSpec}}
${spec}`;
const config = (metadata = '{name: conf}') =>
  `---\napiVersion: v1\nkind: ConfigMap\nmetadata: ${metadata}\ndata: {a: b}\n`;
const SECRET = '---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {a: b}\n';
const POD =
  '---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: b}]}\n';

const read = (
  text: string,
  options: { readonly bundle?: string; readonly namespace?: string } = {},
) =>
  readSource(
    { filename: ['-'], ...options },
    { stdin: Readable.from([Buffer.from(text)]), namespace: options.namespace ?? 'usual' },
  );
const daemonSetOf = async (text: string) => {
  const { daemonSet } = await read(text);
  assert.ok(daemonSet);
  return daemonSet;
};

describe('a DaemonSet in the input', () => {
  test('gives the bundle its name and namespace, and takes ConfigMaps and Secrets with it', async () => {
    const source = await read(document('{name: web, namespace: shop}') + config() + SECRET);
    assert.deepEqual([source.name, source.namespace], ['web', 'shop']);
    assert.deepEqual(source.manifests.map(keyOfManifest), ['web', 'ConfigMap/conf']);
    assert.deepEqual(
      source.secrets.map(({ name }) => name),
      ['keys'],
    );
  });
  test('is in the usual namespace where it says none, and in a bundle of another name with --bundle', async () => {
    const source = await read(document(), { bundle: 'front' });
    assert.deepEqual([source.name, source.namespace], ['front', 'usual']);
    assert.deepEqual(source.manifests.map(keyOfManifest), ['web']);
  });

  const refused: readonly [string, string, RegExp, { namespace?: string }?][] = [
    [
      'a namespace that is not that of -n',
      document('{name: web, namespace: shop}'),
      /^<stdin>:3:23: DaemonSet "web" says namespace "shop", but the bundle is in "other"/,
      { namespace: 'other' },
    ],
    [
      'a ConfigMap of another namespace beside it',
      document('{name: web, namespace: shop}') + config('{name: conf, namespace: other}'),
      /ConfigMap "conf" says namespace "other", but the bundle is in "shop"/,
    ],
    [
      'a second one',
      document() + `---\n${document('{name: db}')}`,
      /^<stdin>:11:1: a DaemonSet is a bundle of its own, and one stands at <stdin>:2:1/,
    ],
    [
      'a Pod beside it',
      document() + POD,
      /^<stdin>:11:1: a Pod is no part of the DaemonSet at <stdin>:2:1/,
    ],
    [
      'with line and field what it cannot be',
      document('{name: web}', '  updateStrategy: {rollingUpdate: {maxSurge: 1}}\n'),
      /^<stdin>:9:36: spec\.updateStrategy\.rollingUpdate\.maxSurge: Forbidden/,
    ],
    [
      'with line and field what its pod cannot be',
      document('{name: web}', '', ', hostname: a_b'),
      /^<stdin>:8:47: spec\.template\.spec\.hostname: Invalid value/,
    ],
  ];
  for (const [sentence, text, message, options] of refused) {
    test(`refuses ${sentence}`, () => assert.rejects(read(text, options), { message }));
  }
});

describe('an option beside a DaemonSet', () => {
  test('that says what it says is refused with the field', async () => {
    const daemonSet = await daemonSetOf(document());
    const said = {
      nodes: 'a=b',
      allNodes: true,
      maxUnavailable: '1',
      updateStrategy: 'rolling',
      atOnce: true,
      minReady: '1s',
    };
    for (const [option, value] of Object.entries(said)) {
      assert.throws(() => refuseSaidTwice(daemonSet, { [option]: value }), {
        message: /^--[a-z-]+: the DaemonSet "web" says that itself/,
        hint: /change it in the file: spec\./,
      });
      refuseSaidTwice(null, { [option]: value });
    }
    refuseSaidTwice(daemonSet, {});
  });

  test('says what it does not: waves and limits stay as they were, budget and strategy are as it says', async () => {
    const { plan } = await daemonSetOf(document());
    assert.deepEqual(planAfter({}, null, plan), DEFAULT_PLAN);
    const had = plainPlan({
      ...DEFAULT_PLAN,
      waves: [{ nodes: 1 }],
      maxUnavailable: '50%',
      bakeSeconds: 60,
    });
    assert.deepEqual(planAfter({}, had, plan), { ...had, maxUnavailable: 1 });
    assert.deepEqual(planAfter({ bake: '5s' }, had, plan), {
      ...had,
      maxUnavailable: 1,
      bakeSeconds: 5,
    });
  });

  test('OnDelete with the waves of before is refused by its field', async () => {
    const { plan } = await daemonSetOf(
      document('{name: web}', '  updateStrategy: {type: OnDelete}\n'),
    );
    const had = plainPlan({ ...DEFAULT_PLAN, waves: [{ nodes: 1 }] });
    assert.throws(() => planAfter({}, had, plan), {
      message: /^spec\.updateStrategy: .* one wave/,
    });
    assert.equal(planAfter({ wave: ['100%'] }, had, plan)?.updateStrategy, 'onDelete');
  });

  test('takes its place for a bundle file, in which neither nodes nor plan are', async () => {
    assert.deepEqual(applyFlags(await daemonSetOf(document())), [
      '--all-nodes',
      '--update-strategy rolling',
      '--max-unavailable 1',
    ]);
    const spec = '  updateStrategy: {type: OnDelete, rollingUpdate: {maxUnavailable: 10%}}\n';
    const metadata = '{name: web, annotations: {kubernetes.io/change-cause: bigger cache}}';
    const text = document(metadata, spec, ', nodeSelector: {site: north, gpu: ""}');
    assert.deepEqual(applyFlags(await daemonSetOf(text)), [
      '--nodes gpu=,site=north',
      '--update-strategy on-delete',
      '--max-unavailable 10%',
      "--change-cause 'bigger cache'",
    ]);
  });
});

describe('a bundle that a DaemonSet is applied to', () => {
  const metadata = { name: 'web', labels: { a: '1', b: '1' }, annotations: { c: '1' } };
  const spec = { nodeSelector: 'site=north', manifests: [], rollout: DEFAULT_PLAN };
  const bundle = { apiVersion: '', kind: '', metadata, spec } as BundleApiObject;
  const before = settingsOf(bundle);

  test('keeps the labels and annotations that it does not say', async () => {
    const daemonSet = await daemonSetOf(
      document('{name: web, labels: {b: "2"}, annotations: {d: "2"}}'),
    );
    assert.deepEqual(metadataAfter({ daemonSet }, bundle), {
      labels: { a: '1', b: '2' },
      annotations: { c: '1', d: '2' },
    });
    assert.deepEqual(metadataAfter({ daemonSet: null }, null), { labels: {}, annotations: {} });
  });

  test('differs in nodes and budget, and in nothing where it says the same', () => {
    assert.equal(renderSettingsDiff('web', before, { ...before }), '');
    const after = { ...before, nodeSelector: '', rollout: { ...DEFAULT_PLAN, maxUnavailable: 2 } };
    const text = renderSettingsDiff('web', before, after);
    assert.match(text, /^--- now\/bundle\/web\n\+\+\+ new\/bundle\/web\n/);
    assert.match(text, /\n-nodeSelector: site=north\n\+nodeSelector: ""\n/);
    assert.match(text, /\n- {2}maxUnavailable: 1\n\+ {2}maxUnavailable: 2\n/);
    assert.match(renderSettingsDiff('web', null, before), /\n\+nodeSelector: site=north\n/);
  });
});
