/** Admission as the tests of its parts ask it: one small node, the verdicts by name. */
import assert from 'node:assert/strict';
import { admission, type AdmissionContext } from '../../agent/admission/admit.js';
import { nodeLabels } from '../../agent/admission/node-fit.js';
import { DEFAULT_POLICY } from '../../agent/admission/policy.js';
import type { Desired, DesiredPod } from '../../agent/pods/desired.js';
import type { PodReport } from '../../agent/ports.js';
import type { ObservedPods } from '../../agent/runtime/runtime.js';
import type { PodStatus } from '../../protocol/pod.js';
import { containerOf, manifest, NODE, sandboxOf, T0, type PodOptions } from './pods.js';

export const NOTHING: ObservedPods = { sandboxes: [], containers: [] };

export const node = {
  name: NODE,
  labels: nodeLabels({ name: NODE, arch: 'amd64' }, { site: 'berlin', rack: '7' }),
  allocatable: { cpu: '2', memory: '1Gi', pods: '3' },
};
const gate = admission({ policy: DEFAULT_POLICY, node });

export const pod = (name: string, options: PodOptions = {}) => manifest(name, options);
export const onPort = (
  hostPort: number,
  hostIP = '',
  protocol: 'TCP' | 'UDP' = 'TCP',
): PodOptions => ({
  containers: [{ name: 'app', ports: [{ containerPort: 80, hostPort, hostIP, protocol }] }],
});
export const requesting = (requests: Record<string, string>): PodOptions => ({
  containers: [{ name: 'app', resources: { requests } }],
});

export function admit(desired: Desired, context: Partial<AdmissionContext> = {}): Desired {
  return gate.admit(desired, { reports: [], observed: NOTHING, now: T0, ...context });
}

export function find(desired: Desired, name: string): DesiredPod {
  const found = desired.pods.find(({ key }) => key.endsWith(`/${name}-${NODE}`));
  assert.ok(found, name);
  return found;
}

/** `Failed NodePorts`, by name; `-` for what may begin. */
export function verdicts(desired: Desired): Record<string, string> {
  return Object.fromEntries(
    desired.pods.map(({ key, rejection }) => [
      key.slice(key.indexOf('/') + 1, -NODE.length - 1),
      rejection === null ? '-' : `${rejection.phase} ${rejection.reason}`,
    ]),
  );
}

export function messageOf(desired: Desired, name: string): string {
  return find(desired, name).rejection?.message ?? '';
}

export function report(of: DesiredPod, status: PodStatus): PodReport {
  const { key, source, bundle, manifestDigest } = of;
  return { key, source, bundle, manifestDigest, pod: { ...of.pod, status } };
}

export const READY: PodStatus = {
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: [
    {
      name: 'app',
      image: '',
      imageID: '',
      ready: true,
      restartCount: 0,
      containerID: 'docker://1',
    },
  ],
};
export const STARTING: PodStatus = {
  phase: 'Pending',
  conditions: [{ type: 'Ready', status: 'False' }],
};

/** The pod as it lies there after the node was started anew. */
export function dead(of: DesiredPod): ObservedPods {
  return {
    sandboxes: [sandboxOf(of, { ready: false })],
    containers: of.pod.spec.containers.map(({ name }) =>
      containerOf(of, name, { state: 'exited', exitCode: 0 }),
    ),
  };
}
