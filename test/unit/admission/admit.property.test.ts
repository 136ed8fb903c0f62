/** What holds for every set of pods: no port is given twice, nothing is overbooked, what runs is left alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../../support/properties.js';
import { admission } from '../../../agent/admission/admit.js';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import type { Desired, DesiredPod } from '../../../agent/pods/desired.js';
import { hostPortsOf, portsClash } from '../../../protocol/host-ports.js';
import { podRequests } from '../../../protocol/pod-requests.js';
import { manifest, NODE, running, T0, together, wishes } from '../../support/pods.js';

const CPUS = 3;
const gate = admission({
  policy: DEFAULT_POLICY,
  node: { name: NODE, labels: {}, allocatable: { cpu: String(CPUS), pods: '6' } },
});

const shape = fc.record({
  cpu: fc.constantFrom('0', '500m', '1', '2', '4'),
  port: fc.constantFrom(0, 1, 2, 3),
  hostIP: fc.constantFrom('', '127.0.0.1', '10.0.0.1'),
  priority: fc.integer({ min: -2, max: 2 }),
  after: fc.option(fc.nat(7), { nil: null }),
  runs: fc.boolean(),
});
const shapes = fc.array(shape, { maxLength: 8 });

type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

function desiredOf(pods: readonly Shape[]): Desired {
  return wishes(
    pods.map(({ cpu, port, hostIP, priority, after }, index) =>
      manifest(`p${index}`, {
        annotations: after === null ? {} : { 'flotilla.dev/start-after': `p${after}` },
        spec: { priority },
        containers: [
          {
            name: 'app',
            resources: { requests: { cpu } },
            ports: [{ containerPort: 1, hostPort: port, hostIP }],
          },
        ],
      }),
    ),
  );
}

function world(pods: readonly Shape[]) {
  const desired = desiredOf(pods);
  const isUp = ({ pod }: DesiredPod) =>
    pods[Number(/^p(\d)/.exec(pod.metadata.name)?.[1])]?.runs === true;
  const up = desired.pods.filter(isUp);
  const context = { reports: [], observed: together(...up.map(running)), now: T0 };
  return { desired, context, up, admitted: gate.admit(desired, context).pods };
}

test('what runs is never rejected', () => {
  fc.assert(
    fc.property(shapes, pods => {
      const { up, admitted } = world(pods);
      const uids = new Set(up.map(({ uid }) => uid));
      assert.ok(admitted.every(({ uid, rejection }) => !uids.has(uid) || rejection === null));
    }),
  );
});

test('a pod that may begin shares no port with one that runs or may begin', () => {
  fc.assert(
    fc.property(shapes, pods => {
      const { up, admitted } = world(pods);
      const ran = new Set(up.map(({ uid }) => uid));
      const going = admitted.filter(({ rejection }) => rejection === null);
      for (const one of going.filter(({ uid }) => !ran.has(uid))) {
        const others = going.filter(({ uid }) => uid !== one.uid).flatMap(p => hostPortsOf(p.pod));
        const clash = hostPortsOf(one.pod).find(own => others.some(o => portsClash(own, o)));
        assert.equal(clash, undefined);
      }
    }),
  );
});

test('nothing that begins overbooks the node, and what is short says so', () => {
  fc.assert(
    fc.property(shapes, pods => {
      const { up, admitted } = world(pods);
      const ran = new Set(up.map(({ uid }) => uid));
      const going = admitted.filter(({ rejection }) => rejection === null);
      const begins = going.some(({ uid, pod }) => !ran.has(uid) && podRequests(pod).cpu > 0);
      const cpu = going.reduce((sum, { pod }) => sum + podRequests(pod).cpu, 0);
      if (begins) assert.ok(cpu <= CPUS * 1000);
      for (const { rejection } of admitted) assert.notEqual(rejection?.message, '');
    }),
  );
});

test('the order of the manifests does not matter, and twice is the same as once', () => {
  fc.assert(
    fc.property(shapes, pods => {
      const { desired, context, admitted } = world(pods);
      const turned = gate.admit({ ...desired, pods: desired.pods.toReversed() }, context);
      const reasons = (list: readonly DesiredPod[]) => list.map(one => one.rejection?.reason);
      assert.deepEqual(reasons(turned.pods.toReversed()), reasons(admitted));
      assert.deepEqual(gate.admit({ ...desired, pods: admitted }, context).pods, admitted);
    }),
  );
});
