/** What bundles ask of their node: a revision waits for its values, pods see those that their bundle declares; of two that want one port. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { NodeParameters, offeredObjects } from '../../../agent/parameters/node-parameters.js';
import { objectsFor, type ConfigObject } from '../../../agent/pods/config-objects.js';
import type { BundleDocument } from '../../../protocol/documents/bundle.js';
import { bundleDocument, podManifest } from '../../support/fleet.js';
import { made, StageWorld } from '../../support/stage-world.js';

const textOf = (object: ConfigObject | null) =>
  object && Object.fromEntries([...object.data].map(([k, v]) => [k, Buffer.from(v).toString()]));

/** What pods of these bundles see. */
function seen(objects: readonly ConfigObject[], name: string) {
  const of = objectsFor(objects, { namespace: 'default', name });
  return textOf(of.find({ kind: 'ConfigMap', namespace: 'default', name: 'flotilla-node' }));
}

describe('what pods see of the parameters of their node', () => {
  const given = { site: 'quay', 'camera-url': 'rtsp://x', 'flotilla.dev/link-budget': '20Mi' };
  const bundle = (name: string, parameters?: string[]) => ({
    ...{ namespace: 'default', name },
    ...(parameters === undefined ? {} : { parameters }),
  });
  const ROWS: [sentence: string, name: string, sees: object | null][] = [
    ['one sees the keys that its bundle declares', 'shop', { site: 'quay' }],
    ['another its own', 'cam', { 'camera-url': 'rtsp://x' }],
    ['what has no value is not there', 'both', { site: 'quay' }],
    ['the ConfigMap is there though it be empty', 'lane', {}],
    ['a bundle that declares none has none', 'plain', null],
    ['a budget is nobody’s', 'budget', {}],
  ];
  const objects = offeredObjects(given, [
    bundle('shop', ['site']),
    bundle('cam', ['camera-url']),
    bundle('both', ['lane', 'site']),
    bundle('lane', ['lane']),
    bundle('plain'),
    bundle('budget', ['flotilla.dev/link-budget']),
  ]);
  for (const [sentence, name, sees] of ROWS) {
    test(sentence, () => assert.deepEqual(seen(objects, name), sees));
  }

  test('a pod that no bundle owns sees none', () => {
    const of = objectsFor(objects, null);
    const name = 'flotilla-node';
    assert.equal(of.find({ kind: 'ConfigMap', namespace: 'default', name }), null);
  });
});

describe('a revision that needs parameters', () => {
  let world: StageWorld;
  beforeEach(() => (world = new StageWorld()));
  afterEach(() => world.close());

  const revision = (keys: readonly string[], change: Partial<BundleDocument> = {}) => {
    const env = keys.map(key => ({
      name: key.toUpperCase(),
      valueFrom: { configMapKeyRef: { name: 'flotilla-node', key } },
    }));
    const plain = podManifest('web');
    const { containers } = plain['spec'] as { containers: object[] };
    const pod = { ...plain, spec: { containers: [{ ...containers[0], env }] } };
    const parameters = [...keys].sort();
    const document = bundleDocument([pod], {
      ...(keys.length === 0 ? {} : { parameters }),
      ...change,
    });
    world.store(document, [pod]);
    return document;
  };
  const message = () => world.journal.bundles()[0]?.message ?? '';

  test('waits for each value, says which and what to type, and begins when all are there', () => {
    const document = revision(['site', 'lane']);
    world.assign([document]);
    assert.deepEqual(world.states(), ['shop waiting MissingParameter']);
    assert.match(
      message(),
      /pod web needs the node's parameter "site" \(spec\.containers\[0\]\.env\[0\].*and 1 more.*flotilla node parameters NODE site=VALUE lane=VALUE/,
    );
    world.parameters = { site: 'quay' };
    world.assign([document]);
    assert.match(
      message(),
      /"lane" .* has no value here: flotilla node parameters NODE lane=VALUE/,
    );
    assert.deepEqual(world.files(), []);
    world.parameters = { site: 'quay', lane: '' };
    world.assign([document]);
    assert.deepEqual(world.states(), ['shop activating FilesWritten']);
  });

  test('leaves the former one alone meanwhile', () => {
    world.assign([revision([])]);
    const files = world.files();
    world.assign([revision(['site'], { revision: 2 })]);
    assert.deepEqual(world.states(), ['shop waiting MissingParameter']);
    assert.deepEqual(world.files(), files);
  });

  test('runs on when a value is taken away', () => {
    world.parameters = { site: 'quay' };
    const document = revision(['site']);
    world.assign([document]);
    world.parameters = {};
    world.assign([document]);
    assert.deepEqual(world.states(), ['shop activating FilesWritten']);
  });

  test('waits where its document does not declare what its pod needs', () => {
    world.parameters = { site: 'quay' };
    world.assign([revision(['site'], { parameters: ['lane'] })]);
    assert.match(message(), /"site" .* which the bundle does not declare/);
  });

  test('is refused where a kubelet runs the pods, as ConfigMaps are', () => {
    world.stage = world.makeStage({ runtimeNone: true });
    world.assign([revision(['site'])]);
    assert.deepEqual(world.states(), ['shop failed Unsupported']);
    assert.match(message(), /ConfigMap flotilla-node: with runtime: none/);
  });

  test('its values follow the assignment, tell who listens, and are those of the journal after a restart', () => {
    world.parameters = { site: 'quay', secret: 'of nobody' };
    const document = revision(['site']);
    const parameters = new NodeParameters(world.journal);
    let told = 0;
    parameters.onChange(() => told++);
    world.assign([document]);
    parameters.look();
    assert.deepEqual(seen(parameters.objects(), 'shop'), { site: 'quay' });
    assert.equal(told, 1);
    parameters.look();
    assert.equal(told, 1);
    world.parameters = { site: 'harbour' };
    world.assign([document]);
    parameters.look();
    assert.equal(told, 2);
    assert.deepEqual(seen(parameters.objects(), 'shop'), { site: 'harbour' });
    world.journal.close();
    world.journal = world.openJournal(100);
    assert.deepEqual(seen(new NodeParameters(world.journal).objects(), 'shop'), {
      site: 'harbour',
    });
  });

  test('what lies in the directory decides which keys are seen, not what is still staged', () => {
    world.parameters = { site: 'quay', lane: '3' };
    world.assign([revision(['site'])]);
    const second = revision(['site', 'lane'], { revision: 2 });
    world.stage = world.makeStage({
      images: {
        hold: () => ({ reason: 'PullingImage', message: '' }),
        confirm: () => true,
        drop: () => undefined,
        dropReturn: () => undefined,
      },
    });
    world.assign([second]);
    assert.deepEqual(world.states(), ['shop waiting PullingImage']);
    const sees = () => seen(new NodeParameters(world.journal).objects(), 'shop');
    assert.deepEqual(sees(), { site: 'quay' });
    world.stage = world.makeStage();
    world.pass();
    assert.deepEqual(sees(), { site: 'quay', lane: '3' });
  });
});

describe('two bundles that want one pod name', () => {
  let world: StageWorld;
  beforeEach(() => (world = new StageWorld()));
  afterEach(() => world.close());

  const put = (name: string) => {
    const one = made(name, 'web');
    world.store(one.document, one.pods);
    return one.document;
  };

  test('the one that the assignment names first has it, also while it waits for something else', () => {
    const [first, second] = [put('z-first'), put('a-second')];
    world.stage = world.makeStage({
      images: {
        hold: ({ bundle: { name } }) =>
          name === 'z-first' ? { reason: 'PullingImage', message: '' } : null,
        confirm: () => true,
        drop: () => undefined,
        dropReturn: () => undefined,
      },
    });
    world.assign([first, second]);
    assert.deepEqual(world.states(), ['a-second waiting Conflict', 'z-first waiting PullingImage']);
    world.stage = world.makeStage();
    world.pass();
    assert.deepEqual(world.states(), [
      'a-second waiting Conflict',
      'z-first activating FilesWritten',
    ]);
    world.assign([second]);
    assert.match(world.states().join(), /a-second activating FilesWritten/);
  });

  test('one that cannot begin for want of a value holds up nobody', () => {
    const env = [
      { name: 'A', valueFrom: { configMapKeyRef: { name: 'flotilla-node', key: 'site' } } },
    ];
    const plain = podManifest('web');
    const { containers } = plain['spec'] as { containers: object[] };
    const pod = { ...plain, spec: { containers: [{ ...containers[0], env }] } };
    const first = bundleDocument([pod], { name: 'z-first', parameters: ['site'] });
    world.store(first, [pod]);
    world.assign([first, put('a-second')]);
    assert.deepEqual(world.states(), [
      'a-second activating FilesWritten',
      'z-first waiting MissingParameter',
    ]);
  });
});
