/**
 * The rules of probes and lifecycle hooks: one handler each, ports that can be reached, thresholds and graces where they
 * mean something.
 *
 * As `validateProbe`, `validateHandler` and `validateLifecycle` of the API (kubelet behaviour row 62), and stricter where the
 * kubelet would only fail while the pod runs: a named port must be one of the container's. Pure.
 */
import { forbidden, invalid, required, type FieldError } from './field-error.js';
import type { Container, LifecycleHandler, Pod, Probe } from './pod.js';
import { DEFAULT_TERMINATION_GRACE_PERIOD_S } from './pod-defaults.js';
import { GRAMMARS } from './pod-grammar.js';
import { isStopSignal } from './stop-signals.js';

const PORT_MAX = 65_535;
const HEADER_NAME = /^[-A-Za-z0-9]+$/;
/** A line break would end the header; the tab is allowed (RFC 9110, field-value). */
const NOT_IN_HEADER = /[\u0000-\u0008\u000a-\u001f\u007f]/;

interface Place {
  /** Path of the container. */
  readonly at: string;
  readonly container: Container;
  /** Of the pod, in seconds: a `sleep` may not be longer. */
  readonly graceS: number;
}

type HttpGet = NonNullable<LifecycleHandler['httpGet']>;

function checkPort(port: number | string | undefined, path: string, place: Place): FieldError[] {
  if (port === undefined) return [];
  if (typeof port === 'number') {
    if (port >= 1 && port <= PORT_MAX) return [];
    return [invalid(path, port, `must be between 1 and ${PORT_MAX}, inclusive`)];
  }
  const { pattern, maxLength, must } = GRAMMARS.portName;
  if (port.length > maxLength || !new RegExp(pattern, 'u').test(port)) {
    return [invalid(path, port, `must be a port number without quotes, or ${must}`)];
  }
  const ports = place.container.ports ?? [];
  if (ports.some(({ name }) => name === port)) return [];
  return [invalid(path, port, `there is no port of this name in ${place.at}.ports`)];
}

function checkHttpGet(httpGet: HttpGet, path: string, place: Place): FieldError[] {
  const headers = httpGet.httpHeaders ?? [];
  return [
    ...checkPort(httpGet.port, `${path}.port`, place),
    ...headers.flatMap(({ name, value }, index) => {
      const at = `${path}.httpHeaders[${index}]`;
      const errors: FieldError[] = [];
      if (name !== undefined && !HEADER_NAME.test(name)) {
        const detail = "must consist of letters, digits or '-' (e.g. 'X-Header-Name')";
        errors.push(invalid(`${at}.name`, name, detail));
      }
      if (value !== undefined && NOT_IN_HEADER.test(value)) {
        // The value may be a token: it is not shown.
        errors.push(invalid(`${at}.value`, '', 'must not contain control characters'));
      }
      return errors;
    }),
  ];
}

/** One handler, and that one well made. */
function checkHandler(handler: Probe & LifecycleHandler, path: string, place: Place): FieldError[] {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  const given = Object.entries({ exec, httpGet, tcpSocket, grpc, sleep })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (given.length === 0) return [required(path, 'must specify a handler type')];
  const errors = given
    .slice(1)
    .map(name => forbidden(`${path}.${name}`, 'may not specify more than 1 handler type'));
  if (exec !== undefined && (exec.command ?? []).length === 0) {
    errors.push(required(`${path}.exec.command`, 'an empty command cannot be run'));
  }
  if (httpGet !== undefined) errors.push(...checkHttpGet(httpGet, `${path}.httpGet`, place));
  errors.push(...checkPort(tcpSocket?.port, `${path}.tcpSocket.port`, place));
  const seconds = sleep?.seconds;
  if (seconds !== undefined && (seconds < 0 || seconds > place.graceS)) {
    const detail =
      `must be at least 0 and at most terminationGracePeriodSeconds (${place.graceS}): ` +
      'a longer sleep would never end';
    errors.push(invalid(`${path}.sleep.seconds`, seconds, detail));
  }
  return errors;
}

const KINDS = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

function checkProbe(probe: Probe, kind: (typeof KINDS)[number], place: Place): FieldError[] {
  const path = `${place.at}.${kind}`;
  const errors = checkHandler(probe, path, place);
  const { successThreshold = 0, terminationGracePeriodSeconds } = probe;
  if (kind !== 'readinessProbe' && successThreshold > 1) {
    errors.push(invalid(`${path}.successThreshold`, successThreshold, 'must be 1'));
  }
  if (kind === 'readinessProbe' && terminationGracePeriodSeconds !== undefined) {
    const field = `${path}.terminationGracePeriodSeconds`;
    const detail = 'must not be set for readinessProbes: they stop nothing';
    errors.push(invalid(field, terminationGracePeriodSeconds, detail));
  }
  return errors;
}

function checkLifecycle(place: Place): FieldError[] {
  const { postStart, preStop, ...rest } = place.container.lifecycle ?? {};
  const path = `${place.at}.lifecycle`;
  const errors: FieldError[] = [];
  if (postStart !== undefined) errors.push(...checkHandler(postStart, `${path}.postStart`, place));
  if (preStop !== undefined) errors.push(...checkHandler(preStop, `${path}.preStop`, place));
  const { stopSignal } = rest as { readonly stopSignal?: string };
  if (stopSignal !== undefined && !isStopSignal(stopSignal)) {
    const detail = 'must be the name of a Linux signal, such as SIGTERM, SIGUSR1 or SIGRTMIN+3';
    errors.push(invalid(`${path}.stopSignal`, stopSignal, detail));
  }
  return errors;
}

/** A plain init container runs to its end: there is nothing to probe and nothing to hook into. */
function checkPlainInit({ at, container }: Place): FieldError[] {
  return [...KINDS, 'lifecycle' as const]
    .filter(field => container[field] !== undefined)
    .map(field =>
      forbidden(
        `${at}.${field}`,
        'may not be set for init containers without restartPolicy=Always',
      ),
    );
}

function checkContainer(place: Place): FieldError[] {
  const probes = KINDS.flatMap(kind => {
    const probe = place.container[kind];
    return probe === undefined ? [] : checkProbe(probe, kind, place);
  });
  return [...probes, ...checkLifecycle(place)];
}

/** All broken rules of all containers; empty when there are none. */
export function checkProbesAndHooks({ spec }: Pod): FieldError[] {
  const graceS = spec?.terminationGracePeriodSeconds ?? DEFAULT_TERMINATION_GRACE_PERIOD_S;
  const init = (spec?.initContainers ?? []).flatMap((container, index) => {
    const place = { at: `spec.initContainers[${index}]`, container, graceS };
    return container.restartPolicy === 'Always' ? checkContainer(place) : checkPlainInit(place);
  });
  const apps = (spec?.containers ?? []).flatMap((container, index) =>
    checkContainer({ at: `spec.containers[${index}]`, container, graceS }),
  );
  return [...init, ...apps];
}
