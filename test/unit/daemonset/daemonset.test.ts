/** A DaemonSet is the bundle that means the same, or it is refused with its field. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { matches, parseSelector } from '../../../hub/selectors.js';
import { nodeMismatch } from '../../../protocol/node-affinity.js';
import type { Pod } from '../../../protocol/pod.js';
import { bundleOfDaemonSet, type DaemonSetBundle } from '../../../hub/daemonset/daemonset.js';

type Fields = Readonly<Record<string, unknown>>;

const CONTAINERS = [{ name: 'app', image: 'web:1' }];
const LABELS = { app: 'web' };

/** A valid one, with these in the place of its fields. */
function daemonSet(given: {
  spec?: Fields;
  metadata?: Fields;
  pod?: Fields;
  podMetadata?: Fields;
  more?: Fields;
}): Fields {
  const { spec, metadata, pod, podMetadata, more } = given;
  const template = {
    metadata: { labels: LABELS, ...podMetadata },
    spec: { containers: CONTAINERS, ...pod },
  };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'DaemonSet' },
    metadata: { name: 'web', ...metadata },
    spec: { selector: { matchLabels: LABELS }, template, ...spec },
    ...more,
  };
}

function accepted(given: Parameters<typeof daemonSet>[0]): DaemonSetBundle {
  const result = bundleOfDaemonSet(daemonSet(given));
  if (result.ok) return result.bundle;
  throw new Error(result.errors.map(({ message }) => message).join('\n'));
}

const rolling = (rollingUpdate: Fields): { spec: Fields } => ({
  spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate } },
});
const affinity = (...nodeSelectorTerms: Fields[]): { pod: Fields } => ({
  pod: {
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
    },
  },
});
const expressions = (...matchExpressions: Fields[]) => affinity({ matchExpressions });
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

const where = (key: string, operator: string, ...values: string[]) => ({
  ...{ key, operator },
  ...(values.length > 0 ? { values } : {}),
});

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

describe('a DaemonSet is refused', () => {
  const T = 'spec.template';
  const TERMS = `${T}.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  const two = affinity(
    { matchExpressions: [where('site', 'In', 'north')] },
    { matchExpressions: [where('gpu', 'Exists')] },
  );
  const rows: readonly [string, Parameters<typeof daemonSet>[0], path: string, message: RegExp][] =
    [
      [
        'of another version',
        { more: { apiVersion: 'extensions/v1beta1' } },
        'apiVersion',
        /apps\/v1/,
      ],
      ['without metadata', { more: { metadata: null } }, 'metadata.name', /Required value/],
      ['without a name', { metadata: { name: '' } }, 'metadata.name', /Required value/],
      [
        'with a name that no bundle has',
        { metadata: { name: 'web.v1' } },
        'metadata.name',
        /a bundle is named after it: at most 63/,
      ],
      [
        'with a namespace that is none',
        { metadata: { namespace: 'Shop' } },
        'metadata.namespace',
        /must be/,
      ],
      [
        'with a label that is no text',
        { metadata: { labels: { a: 1 } } },
        'metadata.labels.a',
        /must be a string/,
      ],
      [
        'with a change cause of two lines',
        { metadata: { annotations: { 'kubernetes.io/change-cause': 'a\nb' } } },
        'metadata.annotations[kubernetes.io/change-cause]',
        /must be a line of at most 256/,
      ],
      [
        'with an unknown field of metadata',
        { metadata: { lables: {} } },
        'metadata.lables',
        /unknown field "metadata.lables" \(did you mean "labels"\?\)/,
      ],
      ['with an unknown field', { more: { replicas: 3 } }, 'replicas', /unknown field "replicas"/],
      ['without a spec', { more: { spec: null } }, 'spec', /Required value/],
      [
        'with an unknown field of its spec',
        { spec: { replicas: 3 } },
        'spec.replicas',
        /unknown field "spec.replicas"/,
      ],
      [
        'without a selector',
        { spec: { selector: null } },
        'spec.selector',
        /spec\.selector: Required value/,
      ],
      [
        'with an empty selector',
        { spec: { selector: {} } },
        'spec.selector',
        /empty selector is invalid for daemonset/,
      ],
      [
        'with a selector that is not its template’s',
        { podMetadata: { labels: { app: 'other' } } },
        `${T}.metadata.labels`,
        /spec\.template\.metadata\.labels: Invalid value: \{"app":"other"\}: `selector` does not match template `labels`/,
      ],
      [
        'with expressions that do not match its template',
        { spec: { selector: { matchExpressions: [where('app', 'NotIn', 'web')] } } },
        `${T}.metadata.labels`,
        /does not match/,
      ],
      [
        'with an operator that no selector has',
        { spec: { selector: { matchExpressions: [where('app', 'Is', 'web')] } } },
        'spec.selector.matchExpressions[0].operator',
        /supported values: In, NotIn, Exists, DoesNotExist/,
      ],
      [
        'with In of nothing',
        { spec: { selector: { matchExpressions: [where('app', 'In')] } } },
        'spec.selector.matchExpressions[0].values',
        /must be specified/,
      ],
      [
        'with a selector of the wrong type',
        { spec: { selector: 'app=web' } },
        'spec.selector',
        /must be an object/,
      ],
      [
        'with a label value that has a toString of its own',
        { spec: { selector: { matchLabels: { app: { toString: 'x' } } } } },
        'spec.selector.matchLabels[app]',
        /is not a label value/,
      ],
      [
        'with a surge',
        rolling({ maxSurge: 1, maxUnavailable: 0 }),
        'spec.updateStrategy.rollingUpdate.maxSurge',
        /a node has a pod of one name once.*take maxSurge out/,
      ],
      [
        'with a surge of a share',
        rolling({ maxSurge: '10%' }),
        'spec.updateStrategy.rollingUpdate.maxSurge',
        /Forbidden/,
      ],
      [
        'with none that may be unavailable',
        rolling({ maxUnavailable: 0 }),
        'spec.updateStrategy.rollingUpdate.maxUnavailable',
        /Required value: cannot be 0 when maxSurge is 0/,
      ],
      [
        'with more than all unavailable',
        rolling({ maxUnavailable: '110%' }),
        'spec.updateStrategy.rollingUpdate.maxUnavailable',
        /1% to 100%/,
      ],
      [
        'with a number as text',
        rolling({ maxUnavailable: '3' }),
        'spec.updateStrategy.rollingUpdate.maxUnavailable',
        /"3" must be a whole number/,
      ],
      [
        'with a field of another project’s',
        rolling({ partition: 1 }),
        'spec.updateStrategy.rollingUpdate.partition',
        /unknown field/,
      ],
      [
        'with another strategy',
        { spec: { updateStrategy: { type: 'Recreate' } } },
        'spec.updateStrategy.type',
        /supported values: OnDelete, RollingUpdate/,
      ],
      [
        'with a strategy of the wrong type',
        { spec: { updateStrategy: 'OnDelete' } },
        'spec.updateStrategy',
        /must be an object/,
      ],
      [
        'with negative seconds',
        { spec: { minReadySeconds: -1 } },
        'spec.minReadySeconds',
        /greater than or equal to 0/,
      ],
      [
        'with seconds as text',
        { spec: { minReadySeconds: '10s' } },
        'spec.minReadySeconds',
        /must be an integer/,
      ],
      [
        'with a negative history',
        { spec: { revisionHistoryLimit: -1 } },
        'spec.revisionHistoryLimit',
        /greater than or equal to 0/,
      ],
      ['without a template', { spec: { template: null } }, T, /spec\.template: Required value/],
      [
        'with an unknown field of its template',
        {
          spec: {
            template: {
              spec: { containers: CONTAINERS },
              metadata: { labels: LABELS },
              kind: 'Pod',
            },
          },
        },
        `${T}.kind`,
        /unknown field "spec.template.kind"/,
      ],
      [
        'with another name of its pod',
        { podMetadata: { name: 'other' } },
        `${T}.metadata.name`,
        /named after the DaemonSet, "web": take the line out/,
      ],
      [
        'with another namespace of its pod',
        { metadata: { namespace: 'shop' }, podMetadata: { namespace: 'other' } },
        `${T}.metadata.namespace`,
        /take the line out/,
      ],
      [
        'with an unknown field of its pod',
        { pod: { contianers: [] } },
        `${T}.spec.contianers`,
        /unknown field "spec\.template\.spec\.contianers"/,
      ],
      [
        'with what a bundle may not have',
        { pod: { serviceAccountName: 'web' } },
        `${T}.spec.serviceAccountName`,
        /^spec\.template\.spec\.serviceAccountName: Forbidden: a static pod/,
      ],
      [
        'without an image',
        { pod: { containers: [{ name: 'a' }] } },
        `${T}.spec.containers[0].image`,
        /Required/,
      ],
      [
        'of pods that end',
        { pod: { restartPolicy: 'OnFailure' } },
        `${T}.spec.restartPolicy`,
        /Invalid value: "OnFailure": supported values: Always/,
      ],
      [
        'with a deadline of its pods',
        { pod: { activeDeadlineSeconds: 5 } },
        `${T}.spec.activeDeadlineSeconds`,
        /must not be specified/,
      ],
      [
        'with terms that no one selector says',
        two,
        TERMS,
        /has no "or": give these nodes a label of their own/,
      ],
      ['with an empty term', affinity({}), `${TERMS}[0]`, /matches no node/],
      [
        'with a value that no label has',
        expressions(where('site', 'In', 'a b')),
        `${TERMS}[0].matchExpressions[0].values`,
        /must be a label value/,
      ],
      [
        'with a comparison below zero',
        expressions(where('ram', 'Gt', '-1')),
        `${TERMS}[0].matchExpressions[0].values`,
        /without a sign/,
      ],
    ];
  for (const [sentence, given, path, message] of rows) {
    test(sentence, () => {
      const result = bundleOfDaemonSet(daemonSet(given));
      const errors = result.ok ? [] : result.errors;
      assert.deepEqual(
        errors.map(error => error.path),
        [path],
      );
      assert.match(errors[0]?.message ?? '', message);
    });
  }

  test('with all that is wrong at once', () => {
    const result = bundleOfDaemonSet(
      daemonSet({
        metadata: { name: '' },
        spec: { minReadySeconds: -1 },
        pod: { restartPolicy: 'Never' },
      }),
    );
    assert.equal(result.ok ? 0 : result.errors.length, 3);
  });
});
