/** The merge of sources: identity, defaults, conflicts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  mergeSources,
  NOTHING_DESIRED,
  type Desired,
  type SourceSnapshot,
} from '../../../agent/pods/desired.js';
import type { ConfigObject } from '../../../agent/pods/config-objects.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { manifest, T0, wish } from '../../support/pods.js';

type From = [origin: string, pod: ValidPod, bundle?: string];

function snapshot(kind: 'file' | 'http', from: readonly From[], complete = true): SourceSnapshot {
  const pods = from.map(([origin, pod, bundle]) => ({
    manifest: pod,
    origin,
    bundle: bundle === undefined ? null : { namespace: 'default', name: bundle },
    manifestDigest: null,
  }));
  return { kind, complete, pods, refused: [], conditions: [], objects: [] };
}

function merge(
  snapshots: readonly SourceSnapshot[],
  options: {
    previous?: Desired;
    running?: readonly string[];
    /** Of the pods: their containers are on the engine. */
    made?: Desired;
    wasBlind?: boolean;
    remembered?: ReadonlyMap<string, string>;
    nodeName?: string;
    now?: number;
  } = {},
): Desired {
  return mergeSources({
    snapshots,
    previous: options.previous ?? NOTHING_DESIRED,
    running: new Set(options.running ?? options.made?.pods.map(({ uid }) => uid) ?? []),
    ...(options.made === undefined
      ? {}
      : { made: new Map(options.made.pods.map(pod => [pod.uid, pod.containerHashes])) }),
    ...(options.wasBlind === undefined ? {} : { wasBlind: options.wasBlind }),
    ...(options.remembered === undefined ? {} : { remembered: options.remembered }),
    nodeName: options.nodeName ?? 'Edge1',
    now: options.now ?? T0,
  });
}

const small = manifest('web');
const otherArgs = manifest('web', { containers: [{ name: 'app', args: ['other'] }] });
const bothEdits = [
  snapshot('file', [
    ['a', small],
    ['b', otherArgs],
  ]),
];
const big = manifest('web', { spec: { hostname: 'big' } });

describe('mergeSources', () => {
  test('suffixes the name with the node in lower case and sets the kubelet’s annotations', () => {
    const [pod] = merge([snapshot('file', [['a', small]])]).pods;
    assert.equal(pod?.key, 'default/web-edge1');
    assert.equal(pod.pod.metadata.uid, pod.uid);
    assert.equal(pod.pod.spec.nodeName, 'Edge1');
    const { annotations = {} } = pod.pod.metadata;
    assert.equal(annotations['kubernetes.io/config.source'], 'file');
    assert.equal(annotations['kubernetes.io/config.seen'], '2026-01-01T00:00:00.000Z');
    assert.match(annotations['kubernetes.io/config.hash'] ?? '', /^[0-9a-f]{32}$/);
    assert.equal(pod.pod.spec.restartPolicy, 'Always');
  });

  test('keeps the time when a pod was first seen until its document changes', () => {
    const first = merge([snapshot('file', [['a', small]])]);
    const again = merge([snapshot('file', [['b', small]])], { previous: first, now: T0 + 5000 });
    assert.deepEqual(again.pods[0]?.pod, first.pods[0]?.pod);
  });

  const labelled = manifest('web', { labels: { app: 'x' } });
  const edited = manifest('web', { containers: [{ name: 'app', args: ['x'] }] });
  const given = manifest('web', { uid: 'fixed' });
  const givenMoved = manifest('web', { uid: 'fixed', spec: { hostname: 'other' } });

  test('a label changes neither uid nor sandbox nor container', () => {
    const { uid, sandboxHash, containerHashes } = wish(small);
    const other = wish(labelled);
    assert.deepEqual([other.uid, other.sandboxHash], [uid, sandboxHash]);
    assert.deepEqual(other.containerHashes, containerHashes);
  });

  test('an edit of a container changes its hash alone', () => {
    assert.equal(wish(edited).uid, wish(small).uid);
    assert.equal(wish(edited).sandboxHash, wish(small).sandboxHash);
    assert.notDeepEqual(wish(edited).containerHashes, wish(small).containerHashes);
  });

  test('with a given uid an edit of the pod makes a new sandbox under the same uid', () => {
    assert.equal(wish(given).uid, 'fixed');
    assert.equal(wish(givenMoved).uid, 'fixed');
    assert.notEqual(wish(givenMoved).sandboxHash, wish(given).sandboxHash);
  });

  test('is complete only when every source has spoken', () => {
    assert.equal(merge([]).complete, false);
    assert.equal(merge([snapshot('file', []), snapshot('http', [], false)]).complete, false);
    assert.equal(merge([snapshot('file', []), snapshot('http', [])]).complete, true);
  });

  const choice: readonly [
    string,
    readonly SourceSnapshot[],
    Parameters<typeof merge>[1],
    string,
  ][] = [
    [
      'the first file name',
      [
        snapshot('file', [
          ['b', big],
          ['a', small],
        ]),
      ],
      {},
      'a',
    ],
    [
      'a bundle before a file',
      [
        snapshot('file', [
          ['a', small],
          ['b', big, 'shop'],
        ]),
      ],
      {},
      'b',
    ],
    [
      'a file before a URL',
      [snapshot('http', [['a', small]]), snapshot('file', [['b', big]])],
      {},
      'b',
    ],
    [
      'the one that runs',
      [
        snapshot('file', [
          ['a', small],
          ['b', big],
        ]),
      ],
      { running: [merge([snapshot('file', [['b', big]])]).pods[0]?.uid ?? ''] },
      'b',
    ],
    [
      'the one chosen before',
      [
        snapshot('file', [
          ['a', small],
          ['b', big],
        ]),
      ],
      { previous: merge([snapshot('file', [['b', big]])]) },
      'b',
    ],
    [
      'the one that runs, were the app containers all that differs',
      bothEdits,
      { made: merge([snapshot('file', [['b', otherArgs]])]) },
      'b',
    ],
    [
      'the one chosen before, whatever was made of the other,',
      bothEdits,
      {
        previous: merge([snapshot('file', [['a', small]])]),
        made: merge([snapshot('file', [['b', otherArgs]])]),
      },
      'a',
    ],
    [
      'the one that runs, not the one chosen before the engine was looked at,',
      bothEdits,
      {
        previous: merge([snapshot('file', [['a', small]])]),
        made: merge([snapshot('file', [['b', otherArgs]])]),
        wasBlind: true,
      },
      'b',
    ],
  ];
  for (const [says, snapshots, options, origin] of choice) {
    test(`rows 27, 45 better: of two that want one name ${says} stays, and the conflict is a condition`, () => {
      const desired = merge(snapshots, options);
      assert.deepEqual(
        desired.pods.map(pod => pod.origin),
        [origin],
      );
      const [condition] = desired.conditions;
      assert.equal(condition?.type, 'PodConflict');
      assert.match(condition.message, new RegExp(`already wanted by ${origin}`));
    });
  }

  test('one uid belongs to one pod', () => {
    const twin = manifest('twin', { uid: 'fixed' });
    const desired = merge([
      snapshot('file', [
        ['a', given],
        ['b', twin],
      ]),
    ]);
    assert.deepEqual(
      desired.pods.map(pod => pod.key),
      ['default/web-edge1'],
    );
    assert.match(desired.conditions[0]?.message ?? '', /b: the metadata.uid fixed/);
  });

  test('a refused manifest is shown unless another content of that name runs', () => {
    const refused = [
      { namespace: 'default', name: 'web', origin: 'a', bundle: null, reason: 'r', message: 'm' },
    ];
    const withRefused = (pods: readonly From[]) => merge([{ ...snapshot('file', pods), refused }]);
    assert.equal(withRefused([]).refused.length, 1);
    assert.equal(withRefused([['b', small]]).refused.length, 0);
  });
});

describe('ConfigMaps and Secrets of the sources', () => {
  const object = (origin: string, text: string, bundle?: string): ConfigObject => ({
    kind: 'ConfigMap',
    namespace: 'default',
    name: 'conf',
    type: '',
    data: new Map([['key', Buffer.from(text)]]),
    isImmutable: false,
    origin,
    bundle: bundle === undefined ? null : { namespace: 'default', name: bundle },
  });
  const files = (...objects: readonly ConfigObject[]) => ({
    ...snapshot('file', [
      ['a', small],
      ['o', manifest('owned'), 'shop'],
    ]),
    objects,
  });
  const seen = ({ pods }: Desired, name: string) => {
    const own = pods.find(pod => pod.key.includes(name));
    const found = own?.objects.find({ kind: 'ConfigMap', namespace: 'default', name: 'conf' });
    return Buffer.from(found?.data.get('key') ?? []).toString();
  };
  const conflicts = ({ conditions }: Desired) =>
    conditions.filter(({ type }) => type === 'ObjectConflict').map(({ message }) => message);

  test('of two with one name the one in force stays; without the other nothing changes', () => {
    const first = merge([files(object('b.yaml', 'b'))]);
    const both = merge([files(object('a.yaml', 'a'), object('b.yaml', 'b'))], { previous: first });
    assert.equal(seen(both, 'web'), 'b');
    assert.match(
      conflicts(both).join(),
      /^a\.yaml: the ConfigMap default\/conf .*b\.yaml, which stays/,
    );
    const after = merge([files(object('a.yaml', 'a'))], { previous: both });
    assert.deepEqual([seen(after, 'web'), conflicts(after)], ['a', []]);
  });

  test('what was in force before a restart of the agent stays in force, and is named to be remembered', () => {
    const remembered = new Map([['ConfigMap default/conf', 'b.yaml']]);
    const two = [files(object('a.yaml', 'a'), object('b.yaml', 'b'))];
    const both = merge(two, { remembered });
    assert.deepEqual([seen(both, 'web'), both.objectChoices], ['b', remembered]);
    assert.equal(seen(merge(two), 'web'), 'a');
    const alone = merge([files(object('a.yaml', 'a'))], { remembered });
    assert.deepEqual([seen(alone, 'web'), alone.objectChoices.size], ['a', 0]);
    const later = merge(two, { remembered, previous: alone });
    assert.equal(seen(later, 'web'), 'a', 'what is in force now goes before what was');
  });

  test('at a cold start a file’s goes before the URL’s', () => {
    const url = { ...snapshot('http', []), objects: [object('http://h/', 'url')] };
    assert.equal(seen(merge([files(object('a.yaml', 'file')), url]), 'web'), 'file');
  });

  test('a bundle’s pods see their own before a person’s; other pods never see a bundle’s', () => {
    const own = object('flotilla_x', 'bundle', 'shop');
    const merged = merge([files(object('a.yaml', 'local'), own)]);
    assert.deepEqual([seen(merged, 'owned'), seen(merged, 'web')], ['bundle', 'local']);
    assert.deepEqual(conflicts(merged), []);
    assert.equal(seen(merge([files(own)]), 'web'), '');
  });
});

test('row 44 better: each source that has spoken is named', () => {
  const merged = merge([snapshot('file', []), snapshot('http', [], false)]);
  assert.deepEqual([...merged.spoken], ['file']);
  assert.equal(merged.complete, false);
});
