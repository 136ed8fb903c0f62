/** Which container or address a stream means, and in which words it cannot be had. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PodReport } from '../../../agent/ports.js';
import {
  logsTarget,
  portTarget,
  runningContainer,
  StreamRefusal,
} from '../../../agent/streams/target.js';
import type { ExecAsk, LogsAsk, PortForwardAsk } from '../../../protocol/documents/command.js';

const running = { state: { running: {} } };
const ended = { state: { terminated: { exitCode: 0, containerID: 'docker://old' } } };

interface Made {
  readonly name?: string;
  readonly statuses?: readonly object[];
  readonly names?: readonly string[];
  readonly annotations?: Record<string, string>;
  readonly spec?: object;
  readonly status?: object;
}

function report(made: Made = {}): PodReport {
  const { name = 'web-edge-1', names = ['app'], annotations = {}, spec = {}, status = {} } = made;
  const statuses =
    made.statuses ??
    names.map(one => ({ name: one, containerID: `docker://${one}-id`, ...running }));
  return {
    key: `default/${name}`,
    ...{ source: 'file', bundle: null, manifestDigest: null },
    pod: {
      metadata: { name, namespace: 'default', uid: 'u1', annotations },
      spec: { containers: names.map(one => ({ name: one, image: 'x' })), ...spec },
      status: { phase: 'Running', podIP: '172.17.0.9', containerStatuses: statuses, ...status },
    },
  } as unknown as PodReport;
}

const TARGET = { key: '', user: 'u', namespace: 'default', pod: 'web' };
const exec = (change: Partial<ExecAsk> = {}): ExecAsk => ({
  ...{ kind: 'exec', ...TARGET, container: null },
  ...{ stdin: false, stdout: true, stderr: true, tty: false, ...change },
});
const logs = (change: Partial<LogsAsk> = {}): LogsAsk => ({
  ...{ kind: 'logs', ...TARGET, container: null, uid: null, follow: false, previous: false },
  ...{ timestamps: false, tailLines: null, sinceSeconds: null, sinceTime: null, limitBytes: null },
  ...change,
});
const port: PortForwardAsk = { kind: 'portForward', ...TARGET, port: 80 };
const on = (...reports: PodReport[]) => ({ nodeName: 'edge-1', reports });

describe('an exec means', () => {
  const DEFAULT = { 'kubectl.kubernetes.io/default-container': 'b' };
  const pair = { names: ['a', 'b'] };
  const ROWS: readonly [string, PodReport, ExecAsk, string][] = [
    ['the only container', report(), exec(), 'app-id'],
    ['the pod by its full name', report(), exec({ pod: 'web-edge-1' }), 'app-id'],
    ['the container that is named', report(pair), exec({ container: 'b' }), 'b-id'],
    ["the pod's default", report({ ...pair, annotations: DEFAULT }), exec(), 'b-id'],
  ];
  for (const [sentence, pod, ask, id] of ROWS) {
    test(sentence, () => assert.equal(runningContainer(on(pod), ask).id, id));
  }

  test('the version that runs, beside one that may not begin', () => {
    const waits = report({ statuses: [] });
    assert.equal(runningContainer(on(waits, report()), exec()).id, 'app-id');
  });

  test('an event of the container, by its full name', () => {
    assert.deepEqual(runningContainer(on(report()), exec()).involved, {
      ...{ kind: 'Pod', namespace: 'default', name: 'web-edge-1', uid: 'u1' },
      fieldPath: 'spec.containers{app}',
    });
  });
});

describe('what cannot be had', () => {
  const refuses = (code: string, message: RegExp, call: () => unknown) =>
    assert.throws(call, error => {
      assert.ok(error instanceof StreamRefusal, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
  const pair = report({ names: ['a', 'b'] });
  const ROWS: readonly [string, string, RegExp, () => unknown][] = [
    [
      'a pod that is not there',
      'NotFound',
      /no pod "web" in namespace default on edge-1/,
      () => runningContainer(on(), exec()),
    ],
    [
      'a pod of another namespace',
      'NotFound',
      /no pod/,
      () => runningContainer(on(report()), exec({ namespace: 'shop' })),
    ],
    [
      'a container that is not there',
      'NotFound',
      /"x" not found.*it has: app/,
      () => runningContainer(on(report()), exec({ container: 'x' })),
    ],
    [
      'one of several',
      'BadRequest',
      /must be specified for pod web, choose one of: \[a b\]/,
      () => runningContainer(on(pair), exec()),
    ],
    [
      'a container that ended',
      'BadRequest',
      /does not run/,
      () => runningContainer(on(report({ statuses: [{ name: 'app', ...ended }] })), exec()),
    ],
    ['logs of one of several', 'BadRequest', /choose one of/, () => logsTarget(on(pair), logs())],
    [
      'logs of a former run',
      'BadRequest',
      /previous terminated container "app"/,
      () => logsTarget(on(report()), logs({ previous: true })),
    ],
    [
      'logs of another pod of the name',
      'NotFound',
      /its uid is not u2/,
      () => logsTarget(on(report()), logs({ uid: 'u2' })),
    ],
    [
      'logs since no time',
      'BadRequest',
      /sinceTime is not RFC 3339/,
      () => logsTarget(on(report()), logs({ sinceTime: 'x' })),
    ],
    [
      'logs since two times',
      'BadRequest',
      /at most one of/,
      () => logsTarget(on(report()), logs({ sinceTime: '2026-01-01T00:00:00Z', sinceSeconds: 1 })),
    ],
    [
      'a port of a pod that ended',
      'BadRequest',
      /does not run/,
      () => portTarget(on(report({ status: { phase: 'Succeeded' } })), port),
    ],
    [
      'a port of a pod without an address',
      'BadRequest',
      /no address/,
      () => portTarget(on(report({ status: { podIP: '' } })), port),
    ],
  ];
  for (const [sentence, code, message, call] of ROWS) {
    test(sentence, () => refuses(code, message, call));
  }
});

describe('logs and ports', () => {
  test('logs of a container that ended are there', () => {
    const over = report({ statuses: [{ name: 'app', ...ended }] });
    assert.equal(logsTarget(on(over), logs()).id, 'old');
  });
  test('what is asked of a log is what the engine is asked for', () => {
    const ask = logs({ follow: true, tailLines: 0, limitBytes: 9, sinceSeconds: 5 });
    const { options } = logsTarget(on(report()), ask);
    const expected = {
      follow: true,
      timestamps: false,
      tailLines: 0,
      limitBytes: 9,
      sinceSeconds: 5,
    };
    assert.deepEqual(options, expected);
  });
  test("a port is one of the pod's address, or of the loopback with the host's network", () => {
    assert.equal(portTarget(on(report()), port).host, '172.17.0.9');
    const host = report({ spec: { hostNetwork: true } });
    assert.equal(portTarget(on(host), port).host, '127.0.0.1');
  });
});
