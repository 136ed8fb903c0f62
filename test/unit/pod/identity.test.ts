/** What restarts a pod, what restarts a container, and what restarts nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configHash, containerHash, podFullName, podUid } from '../../../protocol/pod-identity.js';
import type { Pod } from '../../../protocol/pod.js';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [
      { name: 'a', image: 'a:1', ports: [{ containerPort: 80, hostPort: 8080 }] },
      { name: 'b', image: 'b:1', ports: [{ containerPort: 81, hostPort: 8081 }] },
    ],
    volumes: [{ name: 'data' }],
  },
};
const origin = { node: 'kiosk-7', source: 'file' } as const;

function edited(edit: (copy: Pod & Required<Pick<Pod, 'metadata' | 'spec'>>) => void): Pod {
  const copy = structuredClone(pod) as Pod & Required<Pick<Pod, 'metadata' | 'spec'>>;
  edit(copy);
  return copy;
}

describe('the uid of a pod', () => {
  test('row 48, P18, acceptance 9: is the same on every version of the agent', () => {
    assert.equal(podUid(pod, origin), '7358de18675787fd49f3551e76eef083');
  });
  test('is the given one if there is one', () => {
    assert.equal(
      podUid(
        edited(({ metadata }) => Object.assign(metadata, { uid: 'mine' })),
        origin,
      ),
      'mine',
    );
  });
  test('is 32 lower case hex digits', () => {
    assert.match(podUid(pod, origin), /^[0-9a-f]{32}$/);
  });

  const same: [string, Pod][] = [
    ['an image', edited(({ spec }) => spec.containers.forEach(c => (c.image = 'c:1')))],
    ['a container more', edited(({ spec }) => spec.containers.push({ name: 'c', image: 'c' }))],
    ['the order of the containers', edited(({ spec }) => spec.containers.reverse())],
    ['a label', edited(({ metadata }) => (metadata.labels = { app: 'api' }))],
    ['any other annotation', edited(({ metadata }) => (metadata.annotations = { note: 'x' }))],
    [
      'the default namespace written out',
      edited(({ metadata }) => (metadata.namespace = 'default')),
    ],
    [
      'a port that is not bound on the host',
      edited(({ spec }) => spec.containers[0]?.ports?.push({ containerPort: 82 })),
    ],
    [
      'the default protocol written out',
      edited(({ spec }) => spec.containers[0]?.ports?.forEach(port => (port.protocol = 'TCP'))),
    ],
    ['the status', { ...pod, status: { phase: 'Failed' } }],
    [
      'the order of keys',
      JSON.parse(JSON.stringify({ spec: pod.spec, metadata: pod.metadata })) as Pod,
    ],
  ];
  for (const [sentence, other] of same) {
    test(`does not change with ${sentence}`, () => {
      assert.equal(podUid(other, origin), podUid(pod, origin));
    });
  }

  const different: [string, Pod][] = [
    ['the name', edited(({ metadata }) => (metadata.name = 'api'))],
    ['the namespace', edited(({ metadata }) => (metadata.namespace = 'shop'))],
    [
      'a host port',
      edited(({ spec }) => spec.containers[0]?.ports?.forEach(port => (port.hostPort = 9090))),
    ],
    [
      'the container port behind a host port',
      edited(({ spec }) => spec.containers[0]?.ports?.forEach(port => (port.containerPort = 9090))),
    ],
    ['a volume', edited(({ spec }) => (spec.volumes = [{ name: 'data', emptyDir: {} }]))],
    ['the restart policy', edited(({ spec }) => (spec.restartPolicy = 'Never'))],
    [
      'an init container',
      edited(({ spec }) => (spec.initContainers = [{ name: 'i', image: 'i' }])),
    ],
    [
      'kubectl rollout restart',
      edited(
        ({ metadata }) => (metadata.annotations = { 'kubectl.kubernetes.io/restartedAt': 'now' }),
      ),
    ],
    [
      'a checksum annotation',
      edited(({ metadata }) => (metadata.annotations = { 'checksum/config': 'abc' })),
    ],
  ];
  for (const [sentence, other] of different) {
    test(`changes with ${sentence}`, () => {
      assert.notEqual(podUid(other, origin), podUid(pod, origin));
    });
  }
  test('changes with the node and with the kind of source', () => {
    const uids = [
      podUid(pod, origin),
      podUid(pod, { node: 'kiosk-8', source: 'file' }),
      podUid(pod, { node: 'kiosk-7', source: 'http' }),
    ];
    assert.equal(new Set(uids).size, 3);
  });
});

describe('names and hashes', () => {
  test('a pod’s full name ends with the node’s in lower case', () => {
    assert.equal(podFullName('web', 'Kiosk-7'), 'web-kiosk-7');
  });
  test('a container’s hash covers all of it and no default', () => {
    const container = { name: 'a', image: 'a:1' };
    const hash = containerHash(container);
    assert.equal(hash, 'fecf70b7382b45182d7dbddfcc06c6b0');
    assert.equal(containerHash({ image: 'a:1', name: 'a' }), hash);
    for (const change of [{ image: 'a:2' }, { env: [] }, { tty: false }, { args: ['x'] }]) {
      assert.notEqual(containerHash({ ...container, ...change }), hash);
    }
  });
  test('the config hash covers the whole document', () => {
    const hash = configHash(pod);
    assert.equal(hash, 'c2fa1e312838d946c539016086ab24b2');
    assert.notEqual(configHash(edited(({ metadata }) => (metadata.labels = {}))), hash);
    assert.notEqual(configHash(edited(({ spec }) => spec.containers.reverse())), hash);
    assert.equal(configHash(structuredClone(pod)), hash);
  });
});
