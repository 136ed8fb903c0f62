/**
 * Events about pods in the kubelet's words (`pkg/kubelet/events`, `pkg/kubelet/images`); never container output.
 * Pure.
 */
import { goDuration, type Crash } from './back-off.js';
import type { DesiredPod } from './desired.js';
import type { NewEvent } from '../ports.js';
import type { PodIdentity } from '../runtime/runtime.js';

export interface PodEvent {
  readonly type: NewEvent['type'];
  readonly reason: string;
  readonly message: string;
  /** The container that it is about. */
  readonly container?: string;
}

export function podEvent(pod: PodIdentity, event: PodEvent): NewEvent {
  const { type, reason, message, container } = event;
  return {
    type,
    reason,
    message,
    involved: {
      kind: 'Pod',
      namespace: pod.namespace,
      name: pod.name,
      uid: pod.uid,
      fieldPath: container === undefined ? '' : `spec.containers{${container}}`,
    },
  };
}

function normal(reason: string, message: string, container?: string): PodEvent {
  return { type: 'Normal', reason, message, ...(container === undefined ? {} : { container }) };
}

function warning(reason: string, message: string, container?: string): PodEvent {
  return { type: 'Warning', reason, message, ...(container === undefined ? {} : { container }) };
}

export const pulling = (image: string, container: string) =>
  normal('Pulling', `Pulling image "${image}"`, container);

export const pulled = (image: string, container: string, tookMs: number) =>
  normal('Pulled', `Successfully pulled image "${image}" in ${Math.round(tookMs)}ms`, container);

export const present = (image: string, container: string) =>
  normal('Pulled', `Container image "${image}" already present on machine`, container);

export const created = (container: string) =>
  normal('Created', `Created container ${container}`, container);

export const started = (container: string) =>
  normal('Started', `Started container ${container}`, container);

export const killing = (container: string, reason: string) =>
  normal('Killing', `Stopping container ${container}: ${reason}`, container);

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

export const sandboxChanged = () =>
  normal('SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');

export const pullFailed = (image: string, container: string, message: string) =>
  warning('Failed', `Failed to pull image "${image}": ${message}`, container);

export const pullSecretsMissing = (names: readonly string[]) =>
  warning(
    'FailedToRetrieveImagePullSecret',
    `Unable to retrieve some image pull secrets (${names.join(', ')}); ` +
      'attempting to pull the image may not succeed.',
  );

export const containerFailed = (container: string, message: string) =>
  warning('Failed', `Error: ${message}`, container);

export const sandboxFailed = (message: string) =>
  warning('FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);

export const aboutDns = ({ reason, message }: { reason: string; message: string }) =>
  warning(reason, message);

export const mountFailed = (message: string) => warning('FailedMount', message);

export const stopFailed = (message: string) =>
  warning('FailedKillPod', `error killing pod: ${message}`);

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
