/** Which pods fit the node: labels, system, name, resources, who comes first (kubelet behaviour rows 46, 177 to 183, 187). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  READY,
  admit,
  dead,
  find,
  messageOf,
  pod,
  report,
  requesting,
  verdicts,
} from '../../support/admission.js';
import { NODE, running, T0, wishes, type PodOptions } from '../../support/pods.js';

describe('row 178: node labels', () => {
  const affinity = (requirement: object, list = 'matchExpressions'): PodOptions => ({
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ [list]: [requirement] }],
          },
        },
      },
    },
  });
  const rows: [string, PodOptions, boolean][] = [
    ['hostname', { spec: { nodeSelector: { 'kubernetes.io/hostname': NODE } } }, true],
    ['os', { spec: { nodeSelector: { 'kubernetes.io/os': 'linux' } } }, true],
    ['arch', { spec: { nodeSelector: { 'kubernetes.io/arch': 'arm64' } } }, false],
    ['configured', { spec: { nodeSelector: { site: 'berlin' } } }, true],
    ['missing', { spec: { nodeSelector: { site: 'berlin', floor: '1' } } }, false],
    ['In', affinity({ key: 'site', operator: 'In', values: ['rome', 'berlin'] }), true],
    ['In another', affinity({ key: 'site', operator: 'In', values: ['rome'] }), false],
    ['NotIn', affinity({ key: 'site', operator: 'NotIn', values: ['rome'] }), true],
    ['NotIn absent', affinity({ key: 'x', operator: 'NotIn', values: ['rome'] }), true],
    ['NotIn own', affinity({ key: 'site', operator: 'NotIn', values: ['berlin'] }), false],
    ['Exists', affinity({ key: 'site', operator: 'Exists' }), true],
    ['Exists absent', affinity({ key: 'x', operator: 'Exists' }), false],
    ['DoesNotExist', affinity({ key: 'x', operator: 'DoesNotExist' }), true],
    ['DoesNotExist own', affinity({ key: 'site', operator: 'DoesNotExist' }), false],
    ['Gt', affinity({ key: 'rack', operator: 'Gt', values: ['6'] }), true],
    ['Gt equal', affinity({ key: 'rack', operator: 'Gt', values: ['7'] }), false],
    ['Lt', affinity({ key: 'rack', operator: 'Lt', values: ['10'] }), true],
    ['Gt text', affinity({ key: 'site', operator: 'Gt', values: ['1'] }), false],
    [
      'field',
      affinity({ key: 'metadata.name', operator: 'In', values: [NODE] }, 'matchFields'),
      true,
    ],
    [
      'field else',
      affinity({ key: 'metadata.name', operator: 'In', values: ['b'] }, 'matchFields'),
      false,
    ],
  ];
  for (const [what, options, fits] of rows) {
    test(`${what}: ${fits ? 'admitted' : 'NodeAffinity'}`, () => {
      const result = admit(wishes([pod('a', options)]));
      assert.deepEqual(verdicts(result), { a: fits ? '-' : 'Failed NodeAffinity' });
    });
  }

  test('the message is the kubelet’s, with the field', () => {
    const result = admit(wishes([pod('a', { spec: { nodeSelector: { site: 'rome' } } })]));
    assert.equal(
      messageOf(result, 'a'),
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector: " +
        'spec.nodeSelector[site]: wants site=rome and the node has site=berlin',
    );
  });
});

describe('row 177, T73: the operating system', () => {
  test('spec.os of another system is refused in the kubelet’s words', () => {
    const result = admit(wishes([pod('a', { spec: { os: { name: 'windows' } } })]));
    assert.deepEqual(verdicts(result), { a: 'Failed PodOSNotSupported' });
    assert.match(
      messageOf(result, 'a'),
      /^Failed to admit pod as the OS field doesn't match node OS/,
    );
  });

  test('a label of the pod that names another is refused', () => {
    const result = admit(wishes([pod('a', { labels: { 'kubernetes.io/os': 'windows' } })]));
    assert.deepEqual(verdicts(result), { a: 'Failed PodOSSelectorNodeLabelDoesNotMatch' });
  });

  test('linux is admitted', () => {
    const options = { spec: { os: { name: 'linux' } }, labels: { 'kubernetes.io/os': 'linux' } };
    assert.deepEqual(verdicts(admit(wishes([pod('a', options)]))), { a: '-' });
  });
});

test('row 46: a name that is too long with the node’s behind it is refused, one that just fits is not', () => {
  const names = [253, 252].map(length => 'l'.repeat(length - '-edge1'.length + 1));
  const result = admit(wishes(names.map(name => pod(name))));
  assert.deepEqual(Object.values(verdicts(result)), ['-', 'Failed InvalidName']);
  assert.match(
    messageOf(result, names[0] ?? ''),
    /^metadata\.name: Invalid value: .* 254 characters/,
  );
});

describe('rows 182, 183: resources', () => {
  test('row 182: what does not fit has the plain reason', () => {
    const result = admit(wishes([pod('a', requesting({ cpu: '1000' }))]));
    assert.deepEqual(verdicts(result), { a: 'Failed OutOfcpu' });
    assert.equal(
      messageOf(result, 'a'),
      "Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: 2000",
    );
  });

  test('what runs and what was admitted before counts', () => {
    const desired = wishes([
      pod('a', requesting({ memory: '600Mi' })),
      pod('b', requesting({ memory: '300Mi' })),
      pod('c', requesting({ memory: '300Mi' })),
    ]);
    const observed = running(find(desired, 'a'));
    const result = admit(desired, { observed });
    assert.deepEqual(verdicts(result), { a: '-', b: '-', c: 'Failed OutOfmemory' });
    assert.equal(
      messageOf(result, 'c'),
      "Node didn't have enough resource: memory, requested: 314572800, used: 943718400, " +
        'capacity: 1073741824',
    );
  });

  test('what requests nothing always fits', () => {
    const desired = wishes([pod('a', requesting({ cpu: '2' })), pod('b')]);
    assert.deepEqual(verdicts(admit(desired)), { a: '-', b: '-' });
  });

  test('the number of pods is limited', () => {
    const desired = wishes(['a', 'b', 'c', 'd'].map(name => pod(name)));
    const result = admit(desired);
    assert.deepEqual(verdicts(result), { a: '-', b: '-', c: '-', d: 'Failed OutOfpods' });
    assert.equal(
      messageOf(result, 'd'),
      "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
    );
  });

  test('T26: what has ended for good takes nothing any more, reports or not', () => {
    const options = { ...requesting({ cpu: '2' }), spec: { restartPolicy: 'Never' } };
    const desired = wishes([pod('a', options), pod('b', requesting({ cpu: '2' }))]);
    const observed = dead(find(desired, 'a'));
    assert.deepEqual(verdicts(admit(desired, { observed })), { a: '-', b: '-' });
    const alive = running(find(desired, 'a'));
    assert.deepEqual(verdicts(admit(desired, { observed: alive })), {
      a: '-',
      b: 'Failed OutOfcpu',
    });
  });

  test('P17: a pod that is remembered to be over is not judged, though the engine forgot it', () => {
    const desired = wishes([
      pod('a', { ...requesting({ cpu: '2' }), spec: { restartPolicy: 'Never' } }),
      pod('b', requesting({ cpu: '2' })),
    ]);
    const a = find(desired, 'a');
    const completion = {
      uid: a.uid,
      configHash: a.pod.metadata.annotations?.['kubernetes.io/config.hash'] ?? '',
      phase: 'Succeeded',
      reason: '',
      message: '',
      finishedAt: T0,
    } as const;
    const observed = running(find(desired, 'b'));
    assert.deepEqual(verdicts(admit(desired, { observed })), { a: 'Failed OutOfcpu', b: '-' });
    const completions = new Map([[a.uid, completion]]);
    assert.deepEqual(verdicts(admit(desired, { observed, completions })), { a: '-', b: '-' });
  });

  test('row 180, P2: it is admitted as soon as there is room', () => {
    const desired = wishes([
      pod('a', requesting({ cpu: '2' })),
      pod('b', requesting({ cpu: '1' })),
    ]);
    const a = find(desired, 'a');
    const before = admit(desired, { observed: running(a) });
    assert.deepEqual(verdicts(before), { a: '-', b: 'Failed OutOfcpu' });
    const alone = wishes([pod('b', requesting({ cpu: '1' }))]);
    const ending = admit(alone, { observed: running(a), reports: [report(a, READY)] });
    assert.deepEqual(verdicts(ending), { b: 'Pending OutOfcpu' });
    assert.deepEqual(verdicts(admit(alone, { reports: [report(a, READY)] })), { b: '-' });
  });
});

describe('row 181, 187: who comes first when not all fit', () => {
  const pods = [
    pod('a', requesting({ cpu: '2' })),
    pod('b', { ...requesting({ cpu: '2' }), spec: { priority: 5 } }),
    pod('c', { ...requesting({ cpu: '2' }), spec: { priorityClassName: 'system-node-critical' } }),
  ];

  test('at a cold start the critical one, by its class', () => {
    assert.deepEqual(verdicts(admit(wishes(pods))), {
      a: 'Failed OutOfcpu',
      b: 'Failed OutOfcpu',
      c: '-',
    });
  });

  test('then the higher priority', () => {
    assert.deepEqual(verdicts(admit(wishes(pods.slice(0, 2)))), { a: 'Failed OutOfcpu', b: '-' });
  });

  test('what came before is not pushed away by what comes later', () => {
    const [a, , c] = pods;
    assert.ok(a && c);
    const first = wishes([a]);
    const both = wishes([a, c]);
    const later = both.pods.map(one => {
      if (!one.key.includes('/c-')) return one;
      const annotations = {
        ...one.pod.metadata.annotations,
        'kubernetes.io/config.seen': new Date(T0 + 5000).toISOString(),
      };
      return { ...one, pod: { ...one.pod, metadata: { ...one.pod.metadata, annotations } } };
    });
    assert.deepEqual(verdicts(admit(first)), { a: '-' });
    assert.deepEqual(verdicts(admit({ ...both, pods: later })), { a: '-', c: 'Failed OutOfcpu' });
  });
});
