/**
 * Fills in what a Pod's author left out, with the kubelet's and the API's defaults.
 *
 * The result is what is run and shown; identity is taken from the undefaulted manifest, so that a
 * new default restarts nothing. Kubelet behaviour rows 47, 51, 54 to 58, 91. Pure; the argument is
 * unchanged.
 */
import type {
  Container,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  PodSource,
  Probe,
  Toleration,
  ValidPod,
  Volume,
} from './pod.js';
import { podNamespace } from './pod.js';
import { parseImageReference } from './pod-image.js';

export const DEFAULT_TERMINATION_GRACE_PERIOD_S = 30;
export const DEFAULT_TERMINATION_MESSAGE_PATH = '/dev/termination-log';

/** File pods tolerate every NoExecute taint (row 51); URL pods are not given it (row 41). */
const NO_EXECUTE: Toleration = { operator: 'Exists', effect: 'NoExecute' };

/** `Always` for the tag `latest` and for neither tag nor digest, else `IfNotPresent` (row 56). */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  const reference = parseImageReference(image);
  if (reference === null) return 'IfNotPresent';
  if (reference.tag !== null) return reference.tag === 'latest' ? 'Always' : 'IfNotPresent';
  return reference.digest === null ? 'Always' : 'IfNotPresent';
}

/** Requests take the limit for each resource that they do not name (row 55). */
function resourcesOf(container: Container): NonNullable<Container['resources']> {
  const { limits, requests, ...rest } = container.resources ?? {};
  if (limits === undefined && requests === undefined) return rest;
  const filled = { ...limits, ...requests };
  return { ...rest, ...(limits === undefined ? {} : { limits }), requests: filled };
}

function portsOf(container: Container, hostNetwork: boolean): NonNullable<Container['ports']> {
  return (container.ports ?? []).map(port => {
    // Row 57: with the host's network each port is one of the host's; zero means none was given.
    const hostPort = hostNetwork && !port.hostPort ? port.containerPort : port.hostPort;
    return {
      ...port,
      protocol: port.protocol ?? 'TCP',
      ...(hostPort === undefined ? {} : { hostPort }),
    };
  });
}

function envOf(container: Container): NonNullable<Container['env']> {
  return (container.env ?? []).map(variable => {
    const fieldRef = variable.valueFrom?.fieldRef;
    if (fieldRef === undefined) return variable;
    const valueFrom = { ...variable.valueFrom, fieldRef: { apiVersion: 'v1', ...fieldRef } };
    return { ...variable, valueFrom };
  });
}

/** Row 91. A zero counts as absent, as the API's defaulting has it; so does an empty path. */
export const PROBE_DEFAULTS = {
  timeoutSeconds: 1,
  periodSeconds: 10,
  successThreshold: 1,
  failureThreshold: 3,
} as const;

function httpGetOf(httpGet: HTTPGetAction): HTTPGetAction {
  return { ...httpGet, path: httpGet.path || '/', scheme: httpGet.scheme || 'HTTP' };
}

function probeOf(probe: Probe): Probe {
  const { httpGet, grpc } = probe;
  return {
    ...probe,
    ...(httpGet === undefined ? {} : { httpGet: httpGetOf(httpGet) }),
    ...(grpc === undefined ? {} : { grpc: { ...grpc, service: grpc.service ?? '' } }),
    timeoutSeconds: probe.timeoutSeconds || PROBE_DEFAULTS.timeoutSeconds,
    periodSeconds: probe.periodSeconds || PROBE_DEFAULTS.periodSeconds,
    successThreshold: probe.successThreshold || PROBE_DEFAULTS.successThreshold,
    failureThreshold: probe.failureThreshold || PROBE_DEFAULTS.failureThreshold,
  };
}

function hookOf(handler: LifecycleHandler): LifecycleHandler {
  const { httpGet } = handler;
  return httpGet === undefined ? handler : { ...handler, httpGet: httpGetOf(httpGet) };
}

function lifecycleOf({ postStart, preStop, ...rest }: Lifecycle): Lifecycle {
  return {
    ...rest,
    ...(postStart === undefined ? {} : { postStart: hookOf(postStart) }),
    ...(preStop === undefined ? {} : { preStop: hookOf(preStop) }),
  };
}

function healthFieldsOf(container: Container): Partial<Container> {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
  return {
    ...(livenessProbe === undefined ? {} : { livenessProbe: probeOf(livenessProbe) }),
    ...(readinessProbe === undefined ? {} : { readinessProbe: probeOf(readinessProbe) }),
    ...(startupProbe === undefined ? {} : { startupProbe: probeOf(startupProbe) }),
    ...(lifecycle === undefined ? {} : { lifecycle: lifecycleOf(lifecycle) }),
  };
}

/** An empty one counts as absent. */
export function terminationMessagePath({ terminationMessagePath: path = '' }: Container): string {
  return path === '' ? DEFAULT_TERMINATION_MESSAGE_PATH : path;
}

function withContainerDefaults(container: Container, hostNetwork: boolean): Container {
  return {
    ...container,
    imagePullPolicy: container.imagePullPolicy ?? defaultPullPolicy(container.image ?? ''),
    terminationMessagePath: terminationMessagePath(container),
    terminationMessagePolicy: container.terminationMessagePolicy ?? 'File',
    resources: resourcesOf(container),
    ...(container.ports === undefined ? {} : { ports: portsOf(container, hostNetwork) }),
    ...(container.env === undefined ? {} : { env: envOf(container) }),
    ...healthFieldsOf(container),
  };
}

/** What files of a volume get whose author says nothing (row 58). */
const DEFAULT_FILE_MODE = 0o644;

/** A volume without a source is an emptyDir; the type of a hostPath is `""` (row 58). */
function withVolumeDefaults(volume: Volume): Volume {
  if (Object.keys(volume).length === 1) return { ...volume, emptyDir: {} };
  const { hostPath, configMap, secret, downwardAPI, projected } = volume;
  const withMode = <T extends object>(source: T) => ({ defaultMode: DEFAULT_FILE_MODE, ...source });
  return {
    ...volume,
    ...(hostPath === undefined ? {} : { hostPath: { type: '', ...hostPath } }),
    ...(configMap === undefined ? {} : { configMap: withMode(configMap) }),
    ...(secret === undefined ? {} : { secret: withMode(secret) }),
    ...(downwardAPI === undefined ? {} : { downwardAPI: withMode(downwardAPI) }),
    ...(projected === undefined ? {} : { projected: withMode(projected) }),
  };
}

/**
 * A copy with defaults. `source` is `file` unless said otherwise. The manifest's `status` is
 * dropped and `spec.nodeName` is kept as written: both are the node's to set (row 52). Twice is the
 * same as once.
 */
export function withDefaults(
  pod: ValidPod,
  options: { readonly source?: PodSource } = {},
): ValidPod {
  const { status: _status, ...rest } = pod;
  const { spec } = pod;
  const hostNetwork = spec.hostNetwork === true;
  const given = spec.tolerations ?? [];
  const hasNoExecute = given.some(
    ({ operator, effect, key }) =>
      operator === 'Exists' && effect === 'NoExecute' && (key ?? '') === '',
  );
  const addToleration = (options.source ?? 'file') === 'file' && !hasNoExecute;
  const tolerations = addToleration ? [...given, NO_EXECUTE] : given;
  const containers = (list: readonly Container[]) =>
    list.map(container => withContainerDefaults(container, hostNetwork));
  return {
    ...rest,
    metadata: { ...pod.metadata, namespace: podNamespace(pod) },
    spec: {
      ...spec,
      restartPolicy: spec.restartPolicy ?? 'Always',
      dnsPolicy: spec.dnsPolicy ?? 'ClusterFirst',
      terminationGracePeriodSeconds:
        spec.terminationGracePeriodSeconds ?? DEFAULT_TERMINATION_GRACE_PERIOD_S,
      schedulerName: spec.schedulerName ?? 'default-scheduler',
      enableServiceLinks: spec.enableServiceLinks ?? true,
      securityContext: spec.securityContext ?? {},
      ...(tolerations.length === 0 ? {} : { tolerations }),
      ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(withVolumeDefaults) }),
      ...(spec.initContainers === undefined
        ? {}
        : { initContainers: containers(spec.initContainers) }),
      containers: containers(spec.containers),
    },
  };
}
