/**
 * One pod's status as it is shown for containers that a test lists, with all else unknown unless the test says it; and the
 * status of one of its containers.
 */
import assert from 'node:assert/strict';
import { EMPTY_MEMORY, noteExits } from '../../agent/pods/back-off.js';
import type { DesiredPod } from '../../agent/pods/desired.js';
import { podStatus, type StatusInput } from '../../agent/pods/pod-status.js';
import type { ObservedContainer } from '../../agent/runtime/runtime.js';
import type { Container, ContainerStatus, PodStatus } from '../../protocol/pod.js';
import { containerOf, manifest, NOTHING_KNOWN, sandboxOf, T0, wish } from './pods.js';

export const NOW = T0 + 60_000;

export const plain = wish(manifest('web'));

/** With containers that validation need not know. */
export function withInit(pod: DesiredPod, init: readonly Container[]): DesiredPod {
  const initContainers = init.map(one => ({ image: 'busybox:1', ...one }));
  const hashes = new Map(pod.containerHashes);
  for (const { name } of init) hashes.set(name, `hash-${name}`);
  const spec = { ...pod.pod.spec, initContainers };
  return { ...pod, containerHashes: hashes, pod: { ...pod.pod, spec } };
}

export const never = wish(manifest('web', { spec: { restartPolicy: 'Never' } }));

export type Change = Partial<Omit<StatusInput, 'desired' | 'there'>> & {
  readonly sandbox?: string;
  readonly isAsleep?: boolean;
};

export function shown(
  desired: DesiredPod,
  containers: readonly ObservedContainer[],
  change: Change = {},
): PodStatus {
  const { sandbox, isAsleep = false, ...rest } = change;
  const id = sandbox === undefined ? {} : { id: sandbox };
  const sandboxes = [sandboxOf(desired, { ready: !isAsleep, ...id })];
  const there = { sandboxes, containers };
  const memory = noteExits(change.memory ?? EMPTY_MEMORY, there, NOW);
  return podStatus({ ...NOTHING_KNOWN, now: NOW, ...rest, memory, desired, there });
}

export function one(status: PodStatus, name: string): ContainerStatus {
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const found = all.find(container => container.name === name);
  assert.ok(found, `there is no status of ${name}`);
  return found;
}

export function exited(
  pod: DesiredPod,
  name: string,
  code: number,
  change = {},
): ObservedContainer {
  const reason = code === 0 ? 'Completed' : 'Error';
  return containerOf(pod, name, { state: 'exited', exitCode: code, reason, ...change });
}
