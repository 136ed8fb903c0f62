/** Defaults of a Pod: kubelet behaviour rows 47, 51, 54 to 58. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultPullPolicy, withDefaults } from '../../../protocol/pod-defaults.js';
import { parseImageReference } from '../../../protocol/pod-image.js';
import type { Container, PodSpec, ValidPod, Volume } from '../../../protocol/pod.js';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

function podOf(container: Partial<Container> = {}, spec: Partial<PodSpec> = {}): ValidPod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web' },
    spec: { containers: [{ name: 'web', image: 'busybox:1', ...container }], ...spec },
  };
}

const defaultedContainer = (container: Partial<Container>, spec: Partial<PodSpec> = {}) =>
  withDefaults(podOf(container, spec)).spec.containers[0];

describe('defaults', () => {
  test('of a minimal pod are the kubelet’s', () => {
    assert.deepEqual(withDefaults({ ...podOf(), status: { phase: 'Failed' } }), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        restartPolicy: 'Always',
        dnsPolicy: 'ClusterFirst',
        terminationGracePeriodSeconds: 30,
        schedulerName: 'default-scheduler',
        enableServiceLinks: true,
        securityContext: {},
        tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
        containers: [
          {
            name: 'web',
            image: 'busybox:1',
            imagePullPolicy: 'IfNotPresent',
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            resources: {},
          },
        ],
      },
    });
  });
  test('are filled in once', () => {
    const ports = [{ containerPort: 80 }];
    const resources = { limits: { cpu: '1' } };
    const once = withDefaults(podOf({ ports, resources }, { volumes: [{ name: 'v' }] }));
    assert.deepEqual(withDefaults(once), once);
  });
  test('leave the argument as it was', () => {
    const pod = podOf({ ports: [{ containerPort: 80 }] }, { volumes: [{ name: 'v' }] });
    const before = structuredClone(pod);
    withDefaults(pod);
    assert.deepEqual(pod, before);
  });
  test('do not replace what is given', () => {
    const { spec } = withDefaults(
      podOf(
        { imagePullPolicy: 'Never' },
        { terminationGracePeriodSeconds: 0, enableServiceLinks: false },
      ),
    );
    assert.equal(spec.terminationGracePeriodSeconds, 0);
    assert.equal(spec.enableServiceLinks, false);
    assert.equal(spec.containers[0]?.imagePullPolicy, 'Never');
  });
  test('rows 41, 51: add no toleration to a pod from a URL', () => {
    assert.equal(withDefaults(podOf(), { source: 'http' }).spec.tolerations, undefined);
  });
  test('take a request from the limit of the same resource', () => {
    const limits = { cpu: '1', memory: '1Gi' };
    const container = defaultedContainer({ resources: { limits, requests: { cpu: '100m' } } });
    assert.deepEqual(container?.resources, { limits, requests: { cpu: '100m', memory: '1Gi' } });
  });
  test('give a port TCP, and a host port only on the host’s network', () => {
    const ports = [{ containerPort: 80 }];
    assert.deepEqual(defaultedContainer({ ports })?.ports, [
      { containerPort: 80, protocol: 'TCP' },
    ]);
    assert.deepEqual(defaultedContainer({ ports }, { hostNetwork: true })?.ports, [
      { containerPort: 80, hostPort: 80, protocol: 'TCP' },
    ]);
  });

  const volumes: [string, Volume, Volume][] = [
    ['no source is an emptyDir', { name: 'v' }, { name: 'v', emptyDir: {} }],
    [
      'a hostPath has the type ""',
      { name: 'v', hostPath: { path: '/x' } },
      {
        name: 'v',
        hostPath: { path: '/x', type: '' },
      },
    ],
    [
      'a type is kept',
      { name: 'v', hostPath: { path: '/x', type: 'File' } },
      {
        name: 'v',
        hostPath: { path: '/x', type: 'File' },
      },
    ],
  ];
  for (const [sentence, given, expected] of volumes) {
    test(`of a volume: ${sentence}`, () => {
      assert.deepEqual(withDefaults(podOf({}, { volumes: [given] })).spec.volumes, [expected]);
    });
  }
});

describe('row 56: the pull policy of an image', () => {
  const rows: [string, 'Always' | 'IfNotPresent'][] = [
    ['x', 'Always'],
    ['x:latest', 'Always'],
    ['x:1', 'IfNotPresent'],
    [`x@${DIGEST}`, 'IfNotPresent'],
    [`x:latest@${DIGEST}`, 'Always'],
    ['localhost:5000/x', 'Always'],
    ['localhost:5000/x:1', 'IfNotPresent'],
  ];
  for (const [image, policy] of rows) {
    test(`${image} is ${policy}`, () => assert.equal(defaultPullPolicy(image), policy));
  }
});

describe('an image reference', () => {
  const valid: [string, string, string | null, string | null][] = [
    ['busybox', 'busybox', null, null],
    ['docker.io/library/busybox:1.36', 'docker.io/library/busybox', '1.36', null],
    ['host:5000/a/b__c.d-e', 'host:5000/a/b__c.d-e', null, null],
    ['[::1]:5000/x:t', '[::1]:5000/x', 't', null],
    ['Upper.Example/x', 'Upper.Example/x', null, null],
    [`x:t@${DIGEST}`, 'x', 't', DIGEST],
  ];
  for (const [image, name, tag, digest] of valid) {
    test(`${image} is read`, () => {
      assert.deepEqual(parseImageReference(image), { name, tag, digest });
    });
  }
  const wrong = [
    '',
    'Upper',
    'a//b',
    'x:',
    'x@',
    ':1',
    'x y',
    ' x',
    'x\n',
    'x@sha256:abc',
    '-x',
    `${'a'.repeat(256)}`,
  ];
  for (const image of wrong) {
    test(`${JSON.stringify(image.slice(0, 20))} is none`, () => {
      assert.equal(parseImageReference(image), null);
    });
  }
});
