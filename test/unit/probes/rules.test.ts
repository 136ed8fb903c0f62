/** What a manifest may say of probes and hooks, and what is filled in: kubelet behaviour rows 62, 91, 114. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerSpec } from '../../../agent/pods/pod-spec.js';
import { withDefaults } from '../../../protocol/pod-defaults.js';
import { checkProbesAndHooks } from '../../../protocol/pod-probe-rules.js';
import { validatePodManifest } from '../../../protocol/pod-validation.js';
import type { Pod } from '../../../protocol/pod.js';
import { manifest, nodeFactsOf, wish } from '../../support/pods.js';

const PORTS = [{ name: 'http', containerPort: 8080 }];

function pod(container: object, spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web' },
    spec: { containers: [{ name: 'web', image: 'web:1', ports: PORTS, ...container }], ...spec },
  };
}

function errorsOf(value: object): string[] {
  const result = validatePodManifest(value, { context: 'file' });
  return result.ok ? [] : result.errors.map(({ path, code }) => `${code} ${path}`);
}

const AT = 'spec.containers[0]';
const HTTP = { httpGet: { port: 80 } };
const hook = (handler: object) => ({ lifecycle: { preStop: handler } });
const header = (name: string, value: string) => ({
  readinessProbe: { httpGet: { port: 1, httpHeaders: [{ name, value }] } },
});

describe('row 62: what is accepted', () => {
  const rows: [string, object, object?][] = [
    [
      'each kind of probe',
      {
        livenessProbe: { exec: { command: ['x'] } },
        readinessProbe: HTTP,
        startupProbe: { grpc: { port: 1, service: 's' } },
      },
    ],
    [
      'all fields of a probe',
      {
        livenessProbe: {
          tcpSocket: { port: 65535, host: 'h' },
          initialDelaySeconds: 0,
          timeoutSeconds: 1,
          periodSeconds: 1,
          successThreshold: 1,
          failureThreshold: 1,
          terminationGracePeriodSeconds: 1,
        },
      },
    ],
    [
      'all fields of an httpGet',
      {
        startupProbe: {
          httpGet: {
            port: 'http',
            host: 'h',
            path: '/',
            scheme: 'HTTPS',
            httpHeaders: [{ name: 'X-A', value: 'b\tc' }],
          },
        },
      },
    ],
    [
      'a readiness probe with a success threshold',
      { readinessProbe: { ...HTTP, successThreshold: 3 } },
    ],
    ['hooks', { lifecycle: { postStart: { exec: { command: ['x'] } }, preStop: HTTP } }],
    ['no hooks at all', { lifecycle: {} }],
    ['a sleep as long as the grace', hook({ sleep: { seconds: 30 } })],
    ['a sleep of no time', hook({ sleep: { seconds: 0 } })],
    [
      'a longer sleep in a longer grace',
      hook({ sleep: { seconds: 60 } }),
      { terminationGracePeriodSeconds: 60 },
    ],
    ['a stop signal', { lifecycle: { stopSignal: 'SIGRTMIN+15' } }],
    [
      'zeros, which are defaults',
      {
        livenessProbe: {
          ...HTTP,
          timeoutSeconds: 0,
          periodSeconds: 0,
          successThreshold: 0,
          failureThreshold: 0,
        },
      },
    ],
  ];
  for (const [sentence, container, spec] of rows) {
    test(sentence, () => assert.deepEqual(errorsOf(pod(container, spec)), []));
  }
});

describe('row 62: what is refused', () => {
  const rows: [string, object, string[]][] = [
    ['a probe without a handler', { livenessProbe: {} }, [`Required ${AT}.livenessProbe`]],
    [
      'two handlers',
      { livenessProbe: { ...HTTP, tcpSocket: { port: 1 } } },
      [`Forbidden ${AT}.livenessProbe.tcpSocket`],
    ],
    [
      'an empty command',
      { livenessProbe: { exec: { command: [] } } },
      [`Required ${AT}.livenessProbe.exec.command`],
    ],
    [
      'port 0',
      { livenessProbe: { tcpSocket: { port: 0 } } },
      [`Invalid ${AT}.livenessProbe.tcpSocket.port`],
    ],
    [
      'port 65536',
      { readinessProbe: { httpGet: { port: 65536 } } },
      [`Invalid ${AT}.readinessProbe.httpGet.port`],
    ],
    [
      'a port in quotes',
      { readinessProbe: { httpGet: { port: '80' } } },
      [`Invalid ${AT}.readinessProbe.httpGet.port`],
    ],
    [
      'a name that no port has',
      { readinessProbe: { httpGet: { port: 'https' } } },
      [`Invalid ${AT}.readinessProbe.httpGet.port`],
    ],
    [
      'a gRPC port of 0',
      { readinessProbe: { grpc: { port: 0 } } },
      [`Invalid ${AT}.readinessProbe.grpc.port`],
    ],
    [
      'a scheme in lower case',
      { readinessProbe: { httpGet: { port: 1, scheme: 'http' } } },
      [`Invalid ${AT}.readinessProbe.httpGet.scheme`],
    ],
    [
      'a header name with a colon',
      header('X:', ''),
      [`Invalid ${AT}.readinessProbe.httpGet.httpHeaders[0].name`],
    ],
    [
      'a header with a line break',
      header('X', 'a\nb'),
      [`Invalid ${AT}.readinessProbe.httpGet.httpHeaders[0].value`],
    ],
    [
      'a success threshold for liveness',
      { livenessProbe: { ...HTTP, successThreshold: 2 } },
      [`Invalid ${AT}.livenessProbe.successThreshold`],
    ],
    [
      'a success threshold for startup',
      { startupProbe: { ...HTTP, successThreshold: 2 } },
      [`Invalid ${AT}.startupProbe.successThreshold`],
    ],
    [
      'a grace for readiness',
      { readinessProbe: { ...HTTP, terminationGracePeriodSeconds: 5 } },
      [`Invalid ${AT}.readinessProbe.terminationGracePeriodSeconds`],
    ],
    [
      'a grace of 0',
      { livenessProbe: { ...HTTP, terminationGracePeriodSeconds: 0 } },
      [`Invalid ${AT}.livenessProbe.terminationGracePeriodSeconds`],
    ],
    [
      'a period below 0',
      { livenessProbe: { ...HTTP, periodSeconds: -1 } },
      [`Invalid ${AT}.livenessProbe.periodSeconds`],
    ],
    [
      'row 114: a TCP hook',
      hook({ tcpSocket: { port: 1 } }),
      [`Forbidden ${AT}.lifecycle.preStop.tcpSocket`],
    ],
    ['a hook without a handler', hook({}), [`Required ${AT}.lifecycle.preStop`]],
    [
      'a hook with two',
      hook({ ...HTTP, sleep: { seconds: 1 } }),
      [`Forbidden ${AT}.lifecycle.preStop.sleep`],
    ],
    [
      'a sleep longer than the grace',
      hook({ sleep: { seconds: 31 } }),
      [`Invalid ${AT}.lifecycle.preStop.sleep.seconds`],
    ],
    [
      'a sleep below 0',
      hook({ sleep: { seconds: -1 } }),
      [`Invalid ${AT}.lifecycle.preStop.sleep.seconds`],
    ],
    [
      'row 114: a signal that there is not',
      { lifecycle: { stopSignal: 'SIGRTMIN+16' } },
      [`Invalid ${AT}.lifecycle.stopSignal`],
    ],
    [
      'a signal without SIG',
      { lifecycle: { stopSignal: 'TERM' } },
      [`Invalid ${AT}.lifecycle.stopSignal`],
    ],
    [
      'a field that there is not',
      { livenessProbe: { ...HTTP, periodSecond: 1 } },
      [`UnknownField ${AT}.livenessProbe.periodSecond`],
    ],
  ];
  for (const [sentence, container, expected] of rows) {
    test(sentence, () => assert.deepEqual(errorsOf(pod(container)), expected));
  }

  test('the value of a header is not shown', () => {
    const result = validatePodManifest(pod(header('X', 'secret\n')), { context: 'file' });
    assert.ok(!result.ok && !JSON.stringify(result.errors).includes('secret'));
  });
  test('plain init containers have neither probes nor hooks, sidecars have both', () => {
    const health = { livenessProbe: HTTP, startupProbe: HTTP, lifecycle: {} };
    const check = (container: object) =>
      checkProbesAndHooks(pod({}, { initContainers: [container] }) as Pod).map(({ path }) => path);
    assert.deepEqual(check({ name: 'i', ...health }), [
      'spec.initContainers[0].livenessProbe',
      'spec.initContainers[0].startupProbe',
      'spec.initContainers[0].lifecycle',
    ]);
    assert.deepEqual(check({ name: 'i', restartPolicy: 'Always', ...health }), []);
    assert.deepEqual(check({ name: 'i', restartPolicy: 'Always', livenessProbe: {} }), [
      'spec.initContainers[0].livenessProbe',
    ]);
  });
});

describe('row 91: defaults', () => {
  const valid = (container: object) => {
    const result = validatePodManifest(pod(container), { context: 'file' });
    assert.ok(result.ok, JSON.stringify(result));
    return withDefaults(result.pod);
  };
  const defaulted = (container: object) => valid(container).spec.containers[0];

  test('of a probe', () => {
    assert.deepEqual(defaulted({ livenessProbe: HTTP })?.livenessProbe, {
      httpGet: { port: 80, path: '/', scheme: 'HTTP' },
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    });
    assert.deepEqual(defaulted({ startupProbe: { grpc: { port: 1 } } })?.startupProbe?.grpc, {
      port: 1,
      service: '',
    });
  });
  test('of hooks', () => {
    assert.deepEqual(defaulted(hook({ httpGet: { port: 80 } }))?.lifecycle, {
      preStop: { httpGet: { port: 80, path: '/', scheme: 'HTTP' } },
    });
  });
  test('are filled in once, and what is given stays', () => {
    const given = {
      readinessProbe: { ...HTTP, periodSeconds: 3, timeoutSeconds: 2, successThreshold: 2 },
    };
    const once = valid(given);
    assert.deepEqual(withDefaults(once), once);
    assert.equal(once.spec.containers[0]?.readinessProbe?.periodSeconds, 3);
  });
});

test('row 114: the stop signal of the manifest reaches the engine', () => {
  const lifecycle = { stopSignal: 'SIGUSR1' } as object;
  const desired = wish(manifest('web', { containers: [{ name: 'app', lifecycle }] }));
  const [only] = desired.pod.spec.containers;
  assert.ok(only);
  const facts = {
    attempt: 0,
    round: 0,
    node: nodeFactsOf(),
    mounts: [],
    devices: [],
    env: new Map(),
  };
  const spec = containerSpec(desired, only, { ...facts, imageUser: '', seccompProfile: null });
  assert.equal(spec.stopSignal, 'SIGUSR1');
});
