/** The gate as a whole: what it asks, what of a running pod it judges, what it tells (kubelet behaviour rows 177 to 187, P2). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admission } from '../../../agent/admission/admit.js';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import { releases } from '../../../agent/admission/releases.js';
import { EMPTY_MEMORY } from '../../../agent/pods/back-off.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import { plan } from '../../../agent/pods/plan.js';
import {
  NOTHING,
  READY,
  admit,
  find,
  node,
  onPort,
  pod,
  report,
  verdicts,
} from '../../support/admission.js';
import { CALM, NODE, running, T0, wishes } from '../../support/pods.js';

describe('P2: an edit of a pod that runs', () => {
  const missing = {
    phase: 'Pending',
    reason: 'MissingConfigMap',
    message: 'x',
    againAt: null,
  } as const;
  const asked: string[] = [];
  const gateOf = (name: string) => (pod: DesiredPod) => {
    asked.push(`${name} ${pod.uid === '' ? '' : pod.pod.metadata.name}`);
    return name === 'objects' ? missing : null;
  };
  const objects = gateOf('objects');
  const strict = admission({
    policy: DEFAULT_POLICY,
    node,
    gates: [gateOf('other'), objects],
    editGates: [objects],
  });

  test('is held by what it names and is not there; what has no edit is not asked', () => {
    const was = find(wishes([pod('a')]), 'a');
    const edited = wishes([pod('a', { containers: [{ name: 'app', args: ['x'] }] })]);
    const context = { reports: [report(was, READY)], observed: running(was), now: T0 };
    assert.deepEqual(verdicts(strict.admit(wishes([pod('a')]), context)), { a: '-' });
    assert.deepEqual(asked, []);
    assert.deepEqual(verdicts(strict.admit(edited, context)), { a: 'Pending MissingConfigMap' });
    assert.deepEqual(asked, [`objects a-${NODE}`]);
  });
});

describe('the gate as a whole', () => {
  test('a further gate is asked, after the others', () => {
    const asked: string[] = [];
    const more = admission({
      policy: DEFAULT_POLICY,
      node,
      gates: [
        ({ key }) => {
          asked.push(key);
          return { phase: 'Pending', reason: 'MissingConfigMap', message: 'x', againAt: null };
        },
      ],
    });
    const desired = wishes([pod('a'), pod('b', { spec: { nodeSelector: { x: 'y' } } })]);
    const result = more.admit(desired, { reports: [], observed: NOTHING, now: T0 });
    assert.deepEqual(verdicts(result), { a: 'Pending MissingConfigMap', b: 'Failed NodeAffinity' });
    assert.deepEqual(asked, [`default/a-${NODE}`]);
  });

  test('twice is the same as once', () => {
    const desired = wishes([pod('a', onPort(1)), pod('b', onPort(1))]);
    const once = admit(desired);
    assert.deepEqual(admit(once), once);
  });

  test('an edit that is refused keeps the pod that runs', () => {
    const was = find(wishes([pod('a')]), 'a');
    const edited = wishes([pod('a', { spec: { nodeSelector: { site: 'rome' } } })]);
    const observed = running(was);
    const desired = admit(edited, { observed, reports: [report(was, READY)] });
    assert.deepEqual(verdicts(desired), { a: 'Failed NodeAffinity' });
    const input = {
      desired,
      observed,
      memory: EMPTY_MEMORY,
      ...CALM,
      podData: new Set<string>(),
      now: T0,
    };
    assert.deepEqual(plan(input), []);
  });

  test('the end of a refusal is told once', () => {
    const desired = wishes([pod('a', onPort(1)), pod('b', onPort(1))]);
    const observed = running(find(desired, 'a'));
    const refused = admit(desired, { observed });
    assert.deepEqual(releases(desired, refused, T0), []);
    assert.deepEqual(releases(refused, admit(desired, { observed }), T0), []);
    const free = admit(wishes([pod('b', onPort(1))]));
    const told = releases(refused, free, T0).map(({ event }) => event);
    assert.deepEqual(told, [
      { type: 'Normal', reason: 'Admitted', message: 'May start: NodePorts holds no more' },
    ]);
    assert.deepEqual(releases(free, free, T0), []);
  });
});
