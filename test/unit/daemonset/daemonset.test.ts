/** A DaemonSet is the bundle that means the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { matches, parseSelector } from '../../../hub/selectors.js';
import { nodeMismatch } from '../../../protocol/node-affinity.js';
import type { Pod } from '../../../protocol/pod.js';
import type { DaemonSetBundle } from '../../../hub/daemonset/daemonset.js';
import type { daemonSet } from './written.js';
import { accepted, affinity, CONTAINERS, expressions, LABELS, rolling, where } from './written.js';

/** Every node that any of these labels makes another one. */
const FLEET = ['edge-7', 'edge-8'].flatMap(name =>
  [{}, { site: 'north' }, { site: 'east' }, { site: 'a' }].flatMap(site =>
    [{}, { gpu: '' }, { gpu: '1', old: 'x' }, { arch: 'arm64' }].flatMap(gpu =>
      [
        {},
        { ram: '8', cores: '4' },
        { ram: '4', cores: '4' },
        { ram: '8', cores: '9' },
        { ram: 'much' },
      ].map(more => ({
        name,
        labels: { 'kubernetes.io/hostname': name, ...site, ...gpu, ...more },
      })),
    ),
  ),
);

test('a plain one runs everywhere, one after the other, under its own name', () => {
  assert.deepEqual(accepted({}), {
    ...{ name: 'web', namespace: null, labels: {}, annotations: {}, changeCause: '' },
    nodeSelector: '',
    pod: {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { labels: LABELS, name: 'web' } },
      spec: { containers: CONTAINERS },
    },
    plan: { updateStrategy: 'rolling', maxUnavailable: 1 },
    strategy: { minReadySeconds: 10 },
    notes: [],
  } satisfies DaemonSetBundle);
});

describe('what a DaemonSet says becomes', () => {
  const rows: readonly [string, Parameters<typeof daemonSet>[0], Partial<DaemonSetBundle>][] = [
    ['its namespace the bundle’s', { metadata: { namespace: 'shop' } }, { namespace: 'shop' }],
    ['its labels the bundle’s', { metadata: { labels: { team: 'a' } } }, { labels: { team: 'a' } }],
    [
      'its change cause that of the revision, other annotations the bundle’s, bookkeeping nothing',
      {
        metadata: {
          annotations: {
            ...{ 'kubernetes.io/change-cause': 'bigger cache', owner: 'ops' },
            'kubectl.kubernetes.io/last-applied-configuration': '{}',
            'deprecated.daemonset.template.generation': '3',
          },
        },
      },
      { changeCause: 'bigger cache', annotations: { owner: 'ops' } },
    ],
    [
      'what a cluster wrote into the file nothing',
      {
        metadata: {
          uid: 'u',
          resourceVersion: '7',
          generation: 2,
          creationTimestamp: null,
          managedFields: [],
        },
        podMetadata: { creationTimestamp: null },
        spec: { revisionHistoryLimit: 10 },
        more: { status: { numberReady: 3 } },
      },
      { notes: [] },
    ],
    [
      'maxUnavailable the budget of its rollouts, as a number',
      rolling({ maxUnavailable: 3, maxSurge: 0 }),
      { plan: { updateStrategy: 'rolling', maxUnavailable: 3 } },
    ],
    [
      'maxUnavailable the budget, as a share',
      rolling({ maxUnavailable: '25%' }),
      { plan: { updateStrategy: 'rolling', maxUnavailable: '25%' } },
    ],
    [
      'OnDelete the word of a person for each node',
      { spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: null } } },
      { plan: { updateStrategy: 'onDelete', maxUnavailable: 1 } },
    ],
    [
      'minReadySeconds the time until healthy',
      { spec: { minReadySeconds: 30 } },
      { strategy: { minReadySeconds: 30 } },
    ],
    [
      'minReadySeconds 0 no time at all',
      { spec: { minReadySeconds: 0 } },
      { strategy: { minReadySeconds: 0 } },
    ],
    [
      'revisionHistoryLimit a sentence',
      { spec: { revisionHistoryLimit: 3 } },
      {
        notes: [
          'spec.revisionHistoryLimit has no effect: how many revisions are kept is the same for every bundle',
        ],
      },
    ],
  ];
  for (const [sentence, given, expected] of rows) {
    test(sentence, () => {
      const bundle = accepted(given);
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(bundle[key as keyof DaemonSetBundle], value, key);
    });
  }
});

describe('the nodes that its template asks for are the bundle’s selector', () => {
  const rows: readonly [string, Parameters<typeof daemonSet>[0], string][] = [
    [
      'nodeSelector, in whatever order',
      { pod: { nodeSelector: { site: 'north', arch: 'arm64' } } },
      'arch=arm64,site=north',
    ],
    ['In with one value', expressions(where('site', 'In', 'north')), 'site=north'],
    ['In with several', expressions(where('site', 'In', 'north', 'east')), 'site in (east,north)'],
    ['NotIn with one value', expressions(where('site', 'NotIn', 'north')), 'site!=north'],
    ['NotIn with several', expressions(where('site', 'NotIn', 'b', 'a')), 'site notin (a,b)'],
    [
      'Exists and DoesNotExist',
      expressions(where('gpu', 'Exists'), where('old', 'DoesNotExist')),
      '!old,gpu',
    ],
    ['Gt and Lt', expressions(where('ram', 'Gt', '4'), where('cores', 'Lt', '9')), 'cores<9,ram>4'],
    [
      'a node by its name, which is a label',
      affinity({ matchFields: [where('metadata.name', 'In', 'edge-7')] }),
      'kubernetes.io/hostname=edge-7',
    ],
    ['nodeName', { pod: { nodeName: 'edge-7' } }, 'kubernetes.io/hostname=edge-7'],
    [
      'both at once',
      { pod: { nodeSelector: { site: 'north' }, ...expressions(where('gpu', 'Exists')).pod } },
      'gpu,site=north',
    ],
    [
      'terms that differ in the values of one In',
      affinity(
        { matchExpressions: [where('gpu', 'Exists'), where('site', 'In', 'north')] },
        { matchExpressions: [where('gpu', 'Exists'), where('site', 'In', 'east', 'north')] },
      ),
      'gpu,site in (east,north)',
    ],
  ];
  for (const [sentence, given, selector] of rows) {
    test(sentence, () => {
      const { nodeSelector, pod } = accepted(given);
      assert.equal(nodeSelector, selector);
      assert.deepEqual(pod.spec, { containers: CONTAINERS }, 'the pod says it no more');
      const asked = { spec: { containers: CONTAINERS, ...given.pod } } as Pod;
      const { nodeName = null, ...placed } = asked.spec ?? { containers: [] };
      for (const { name, labels } of FLEET) {
        const suits =
          nodeMismatch({ spec: placed }, { name, labels }) === null &&
          (nodeName === null || nodeName === name);
        const what = `${name} ${JSON.stringify(labels)}`;
        assert.equal(matches(parseSelector(nodeSelector), labels), suits, what);
      }
    });
  }

  test('what only a scheduler reads stays in the pod', () => {
    const preferredDuringSchedulingIgnoredDuringExecution = [
      { weight: 1, preference: { matchExpressions: [where('gpu', 'Exists')] } },
    ];
    const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution };
    const { nodeSelector, pod } = accepted({ pod: { affinity: { nodeAffinity } } });
    assert.deepEqual([nodeSelector, pod.spec.affinity], ['', { nodeAffinity }]);
  });
});
