/** Where probes and hooks look for a container: kubelet behaviour rows 105, 106, P21. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { probeTargets } from '../../../agent/pods/probe-targets.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import { stopContainers } from '../../../agent/pods/stop-order.js';
import type { ObservedSandbox } from '../../../agent/runtime/runtime.js';
import { containerOf, manifest, sandboxOf, wish } from '../../support/pods.js';

describe('rows 105, 106: the address of a pod', () => {
  const rows: readonly (readonly [string, boolean, Partial<ObservedSandbox>, string])[] = [
    ['is that of its sandbox', false, { ip: '172.17.0.9' }, '172.17.0.9'],
    ['is the loopback on the host’s network', true, { ip: '' }, '127.0.0.1'],
    ['is never the loopback while its own network is not there', false, { ip: '' }, ''],
    ['is none when its sandbox is dead', false, { ip: '', ready: false }, ''],
  ];
  for (const [sentence, hostNetwork, change, host] of rows) {
    test(sentence, () => {
      const pod = wish(manifest('web', { spec: { hostNetwork } }));
      const there = {
        sandboxes: [sandboxOf(pod, change)],
        containers: [containerOf(pod, 'app', { preStop: { httpGet: { port: 80 } } })],
      };
      const [target] = probeTargets({ wanted: [pod], ending: [], observed: there });
      assert.equal(target?.host, host);
      const ending = { uid: pod.uid, graceSeconds: 30, there, reason: 'gone' };
      const [hook] = stopContainers(there.containers, ending);
      assert.equal(hook?.do === 'runPreStop' ? hook.host : null, host);
    });
  }

  test('is none when its sandbox is gone', () => {
    const pod = wish(manifest('web'));
    const observed = { sandboxes: [], containers: [containerOf(pod, 'app')] };
    assert.equal(probeTargets({ wanted: [pod], ending: [], observed })[0]?.host, '');
  });
});

describe('what a container is asked', () => {
  const probe = (port: number) => ({
    containers: [{ name: 'app', readinessProbe: { tcpSocket: { port } } }],
  });
  const former = wish(manifest('web', probe(1)));
  const next = wish(manifest('web', probe(2)));
  const observed = { sandboxes: [sandboxOf(former)], containers: [containerOf(former, 'app')] };
  const portOf = (versions: ReadonlyMap<string, DesiredPod>) => {
    const targets = probeTargets({ wanted: [next], ending: [], observed, versions });
    return targets.map(({ container }) => container.readinessProbe?.tcpSocket?.port);
  };

  test('is what its own version says, until it ends', () => {
    assert.deepEqual(portOf(new Map([[former.uid, former]])), [1]);
  });

  test('is nothing when its version is not known', () => {
    assert.deepEqual(portOf(new Map()), []);
  });
});
