/** Fields that choose a node and an order of starts: rules, sums, priorities (kubelet behaviour rows 177, 183, 187, P20). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Container, Pod } from '../../../protocol/pod.js';
import { checkPlacement } from '../../../protocol/pod-placement-rules.js';
import { isCritical, isNodeCritical, podPriority } from '../../../protocol/pod-priority.js';
import { podRequests } from '../../../protocol/pod-requests.js';

const TERMS =
  'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';

function affine(terms: object[]): Pod {
  return {
    spec: {
      containers: [],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
        },
      },
    },
  };
}

const annotated = (annotations: Record<string, string>): Pod => ({
  metadata: { name: 'web', annotations },
});

describe('row 177: what can never match is an error', () => {
  const expression = (one: object) => affine([{ matchExpressions: [one] }]);
  const field = (one: object) => affine([{ matchFields: [one] }]);
  const rows: [string, Pod, string[]][] = [
    ['no term', affine([]), [TERMS]],
    [
      'In without values',
      expression({ key: 'a', operator: 'In' }),
      [`${TERMS}[0].matchExpressions[0].values`],
    ],
    [
      'Exists with values',
      expression({ key: 'a', operator: 'Exists', values: ['b'] }),
      [`${TERMS}[0].matchExpressions[0].values`],
    ],
    [
      'Gt of a word',
      expression({ key: 'a', operator: 'Gt', values: ['b'] }),
      [`${TERMS}[0].matchExpressions[0].values`],
    ],
    [
      'a key that is no label',
      expression({ key: 'a b', operator: 'Exists' }),
      [`${TERMS}[0].matchExpressions[0].key`],
    ],
    [
      'another field',
      field({ key: 'spec.x', operator: 'In', values: ['a'] }),
      [`${TERMS}[0].matchFields[0].key`],
    ],
    [
      'a field with Exists',
      field({ key: 'metadata.name', operator: 'Exists' }),
      [`${TERMS}[0].matchFields[0].operator`, `${TERMS}[0].matchFields[0].values`],
    ],
    [
      'a selector that is no label',
      { spec: { containers: [], nodeSelector: { site: 'a b' } } },
      ['spec.nodeSelector.site'],
    ],
    [
      'a start after no name',
      annotated({ 'flotilla.dev/start-after': 'db,,A_b, a/b/c' }),
      Array.from({ length: 3 }, () => 'metadata.annotations[flotilla.dev/start-after]'),
    ],
    [
      'a time-out that is none',
      annotated({ 'flotilla.dev/start-after-timeout': '5 minutes' }),
      ['metadata.annotations[flotilla.dev/start-after-timeout]'],
    ],
  ];
  for (const [what, pod, paths] of rows) {
    test(what, () => {
      assert.deepEqual(
        checkPlacement(pod).map(({ path }) => path),
        paths,
      );
    });
  }

  test('what is right is none', () => {
    const good = [
      affine([
        { matchExpressions: [{ key: 'a', operator: 'Lt', values: ['-5'] }] },
        { matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: ['a'] }] },
      ]),
      annotated({
        'flotilla.dev/start-after': 'db, infra/queue.v2',
        'flotilla.dev/start-after-timeout': '5m',
      }),
      annotated({ 'flotilla.dev/start-after': '' }),
    ];
    assert.deepEqual(good.flatMap(checkPlacement), []);
  });
});

describe('row 183: what a pod requests', () => {
  const container = (cpu: string, more: Partial<Container> = {}): Container => ({
    name: cpu,
    resources: { requests: { cpu } },
    ...more,
  });
  const sidecar = (cpu: string) => container(cpu, { restartPolicy: 'Always' });
  const cpu = (initContainers: Container[], containers: Container[]) =>
    podRequests({ spec: { initContainers, containers } }).cpu;

  test('app containers run together', () => {
    assert.equal(cpu([], [container('1'), container('500m')]), 1500);
  });

  test('an init container runs alone', () => {
    assert.equal(cpu([container('3'), container('1')], [container('1'), container('1')]), 3000);
    assert.equal(cpu([container('1')], [container('1'), container('1')]), 2000);
  });

  test('a sidecar runs beside what follows it', () => {
    assert.equal(cpu([sidecar('1')], [container('1')]), 2000);
    assert.equal(cpu([sidecar('1'), container('5')], [container('1')]), 6000);
    assert.equal(cpu([container('5'), sidecar('1')], [container('1')]), 5000);
    assert.equal(cpu([sidecar('2'), sidecar('2')], []), 4000);
  });

  test('a limit without a request is one, in memory too', () => {
    const resources = { limits: { memory: '1Ki', cpu: '2' }, requests: { cpu: '1' } };
    const sums = podRequests({ spec: { containers: [{ name: 'a', resources }] } });
    assert.deepEqual(sums, { cpu: 1000, memory: 1024, 'ephemeral-storage': 0 });
  });
});

describe('row 187, P16: priorities', () => {
  const pod = (spec: object): Pod => ({ spec: { containers: [], ...spec } });
  test('the two classes of every cluster are known by name', () => {
    assert.equal(podPriority(pod({ priorityClassName: 'system-node-critical' })), 2_000_001_000);
    assert.equal(podPriority(pod({ priorityClassName: 'system-cluster-critical' })), 2_000_000_000);
    assert.equal(isCritical(pod({ priorityClassName: 'system-cluster-critical' })), true);
    assert.equal(isNodeCritical(pod({ priorityClassName: 'system-cluster-critical' })), false);
    assert.equal(isNodeCritical(pod({ priorityClassName: 'system-node-critical' })), true);
  });

  test('else the number counts', () => {
    assert.equal(podPriority(pod({ priorityClassName: 'high', priority: 7 })), 7);
    assert.equal(podPriority(pod({})), 0);
    assert.equal(isCritical(pod({ priority: 1_999_999_999 })), false);
    assert.equal(isCritical(pod({ priority: 2_000_000_000 })), true);
  });
});
