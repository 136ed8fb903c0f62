/**
 * What the failure of a step is called, and under which name it is remembered. Kubelet behaviour row 195. Pure.
 */
import { failureKey, type FailureKind } from './back-off.js';
import type { DesiredPod } from './desired.js';
import { HookError } from './health.js';
import * as say from './pod-events.js';
import { RuntimeError } from '../runtime/runtime.js';
import type { Step, StepKind } from './steps.js';
import { FAILED_UNMOUNT } from '../volumes/left-data.js';

const KINDS: Readonly<Record<StepKind, FailureKind>> = {
  pullImage: 'image',
  prepareVolumes: 'volumes',
  runSandbox: 'sandbox',
  createContainer: 'container',
  startContainer: 'container',
  runPreStop: 'stop',
  stopContainer: 'stop',
  removeContainer: 'stop',
  stopSandbox: 'stop',
  removeSandbox: 'stop',
  removeVolumes: 'stop',
  removePodData: 'stop',
};

/** The word for a failure whose error has none of its own. */
const REASONS: Readonly<Record<StepKind, string>> = {
  pullImage: 'ErrImagePull',
  prepareVolumes: 'FailedMount',
  runSandbox: 'CreatePodSandboxError',
  createContainer: 'CreateContainerError',
  startContainer: 'RunContainerError',
  runPreStop: 'FailedPreStopHook',
  stopContainer: 'KillContainerError',
  removeContainer: 'KillContainerError',
  stopSandbox: 'KillPodSandboxError',
  removeSandbox: 'KillPodSandboxError',
  removeVolumes: FAILED_UNMOUNT,
  removePodData: FAILED_UNMOUNT,
};

/** Under which key the failure of a step is remembered, and with which series of delays. */
export function failureOf(
  step: Step,
  desired: DesiredPod | null,
): { readonly kind: FailureKind; readonly key: string } {
  const kind = KINDS[step.do];
  return { kind, key: keyOf(kind, step, desired) };
}

function keyOf(kind: FailureKind, step: Step, desired: DesiredPod | null): string {
  if (step.do === 'pullImage') return failureKey(kind, step.uid, step.image);
  if (step.do === 'createContainer' || step.do === 'startContainer') {
    const hash = desired?.containerHashes.get(step.container) ?? '';
    return failureKey(kind, step.uid, `${step.container}/${hash}`);
  }
  return failureKey(kind, step.uid);
}

/** The kubelet's waiting reason for an error of a step. */
export function reasonOf(step: Step, error: unknown): string {
  if (error instanceof HookError && step.do === 'startContainer') return 'PostStartHookError';
  if (error instanceof RuntimeError) {
    return error.code === 'EngineError' || error.code === 'NotFound'
      ? REASONS[step.do]
      : error.code;
  }
  return step.do === 'createContainer' ? 'CreateContainerConfigError' : REASONS[step.do];
}

/** What is told of a step that failed. */
export function failureEvents(
  step: Step,
  { reason, message }: { readonly reason: string; readonly message: string },
): readonly say.PodEvent[] {
  switch (step.do) {
    case 'pullImage':
      return say.imageFailed(step.image, step.container, { reason, message });
    case 'createContainer':
      return [say.containerFailed(step.container, message)];
    case 'startContainer':
      // The hook's own event has been told.
      return reason === 'PostStartHookError' ? [] : [say.containerFailed(step.container, message)];
    case 'runSandbox':
      return [say.sandboxFailed(message)];
    case 'prepareVolumes':
      return [say.mountFailed(message)];
    case 'runPreStop':
      return [say.preStopFailed(step.container, message)];
    default:
      return [say.stopFailed(message)];
  }
}
