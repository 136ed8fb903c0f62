/** What a bundle cannot say of a DaemonSet is refused with its field. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundleOfDaemonSet } from '../../../hub/daemonset/daemonset.js';
import { affinity, CONTAINERS, daemonSet, expressions, LABELS, rolling, where } from './written.js';

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
