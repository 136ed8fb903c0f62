/**
 * Events about pods in the kubelet's words (`pkg/kubelet/events`, `pkg/kubelet/images`); never container output.
 * Pure.
 */
import { goDuration, type Crash } from './back-off.js';
import type { DesiredPod, Rejection } from './desired.js';
import type { NewEvent } from '../ports.js';
import type { PodIdentity } from '../runtime/runtime.js';

export interface PodEvent {
  readonly type: NewEvent['type'];
  readonly reason: string;
  readonly message: string;
  /** The container that it is about. */
  readonly container?: string;
}

/** `isInit`: its container is an init container of the pod. */
export function podEvent(pod: PodIdentity, event: PodEvent, isInit = false): NewEvent {
  const { type, reason, message, container } = event;
  const list = isInit ? 'initContainers' : 'containers';
  return {
    type,
    reason,
    message,
    involved: {
      kind: 'Pod',
      namespace: pod.namespace,
      name: pod.name,
      uid: pod.uid,
      fieldPath: container === undefined ? '' : `spec.${list}{${container}}`,
    },
  };
}

function normal(reason: string, message: string, container?: string): PodEvent {
  return { type: 'Normal', reason, message, ...(container === undefined ? {} : { container }) };
}

function warning(reason: string, message: string, container?: string): PodEvent {
  return { type: 'Warning', reason, message, ...(container === undefined ? {} : { container }) };
}

/** A duration as Go prints it, to the millisecond: `312ms`, `1.204s`, `1m2.5s`. */
export function goMilliseconds(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1000) return `${whole}ms`;
  const seconds = `${(whole % 60_000) / 1000}s`;
  const minutes = Math.floor(whole / 60_000);
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

// ------------------------------------------------------------------------------------------ images

export const pulling = (image: string, container: string) =>
  normal('Pulling', `Pulling image "${image}"`, container);

export const pulled = (image: string, container: string, tookMs: number) =>
  normal('Pulled', `Successfully pulled image "${image}" in ${goMilliseconds(tookMs)}`, container);

export const present = (image: string, container: string) =>
  normal('Pulled', `Container image "${image}" already present on machine`, container);

/** Row 125: what the kubelet says of an image that cannot be had, and that it waits now. */
export function imageFailed(
  image: string,
  container: string,
  { reason, message }: { readonly reason: string; readonly message: string },
): readonly PodEvent[] {
  const error = warning('Failed', `Error: ${reason}`, container);
  switch (reason) {
    case 'ErrImageNeverPull':
      return [warning('ErrImageNeverPull', message, container), error];
    case 'InvalidImageName':
      return [warning('InspectFailed', message, container), error];
    default:
      return [
        warning('Failed', `Failed to pull image "${image}": ${message}`, container),
        error,
        normal('BackOff', `Back-off pulling image "${image}"`, container),
        warning('Failed', 'Error: ImagePullBackOff', container),
      ];
  }
}

// -------------------------------------------------------------------------------------- containers

export const created = (container: string) =>
  normal('Created', `Created container ${container}`, container);

export const started = (container: string) =>
  normal('Started', `Started container ${container}`, container);

/** Values that are no text cannot be given to a process. */
export const envKeysSkipped = (
  container: string,
  { from, keys }: { readonly from: string; readonly keys: readonly string[] },
) =>
  warning(
    'InvalidEnvironmentVariableNames',
    `Keys [${keys.join(', ')}] from the EnvFrom ${from} were skipped since their values are no text`,
    container,
  );

/** A reason that is a sentence about the container (`Container web failed liveness probe`) is said instead. */
export function killing(container: string, reason: string): PodEvent {
  const isSentence = reason.startsWith(`Container ${container} `);
  if (!isSentence) return normal('Killing', `Stopping container ${container}`, container);
  const message = /restarted$/.test(reason) ? reason : `${reason}, will be restarted`;
  return normal('Killing', message, container);
}

export const pullSecretsMissing = (names: readonly string[]) =>
  warning(
    'FailedToRetrieveImagePullSecret',
    `Unable to retrieve some image pull secrets (${names.join(', ')}); ` +
      'attempting to pull the image may not succeed.',
  );

export const containerFailed = (container: string, message: string) =>
  warning('Failed', `Error: ${message}`, container);

/** `message` is the hook's error without the output of a program. */
export const postStartFailed = (container: string, message: string) =>
  warning('FailedPostStartHook', `PostStartHook failed: ${message}`, container);

export const preStopFailed = (container: string, message: string) =>
  warning('FailedPreStopHook', `PreStopHook failed: ${message}`, container);

// -------------------------------------------------------------------------------------------- pods

export const sandboxChanged = () =>
  normal('SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');

export const sandboxFailed = (message: string) =>
  warning('FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);

export const aboutDns = ({ reason, message }: { reason: string; message: string }) =>
  warning(reason, message);

export const mountFailed = (message: string) => warning('FailedMount', message);

export const stopFailed = (message: string) =>
  warning('FailedKillPod', `error killing pod: ${message}`);

/** Row 189. */
export const DEADLINE_MESSAGE = 'Pod was active on the node longer than the specified deadline';

export const deadlineExceeded = () => normal('DeadlineExceeded', DEADLINE_MESSAGE);

/** Row 179: admission says no; the reason is its own. */
export const rejected = ({ reason, message }: Pick<Rejection, 'reason' | 'message'>) =>
  warning(reason, message);

/** Rows 27, 28, 42: told of the pod that stays. */
export const duplicated = (message: string) => warning('PodConflict', message);

/** Row 196's sentence. */
export function backOffMessage(desired: DesiredPod, container: string, crash: Crash): string {
  const { name, namespace = '' } = desired.pod.metadata;
  const delay = goDuration(crash.delayMs);
  return (
    `back-off ${delay} restarting failed container=${container} ` +
    `pod=${name}_${namespace}(${desired.uid})`
  );
}

export function backOff(desired: DesiredPod, container: string): PodEvent {
  const { name, namespace = '' } = desired.pod.metadata;
  const where = `${name}_${namespace}(${desired.uid})`;
  return warning(
    'BackOff',
    `Back-off restarting failed container ${container} in pod ${where}`,
    container,
  );
}
