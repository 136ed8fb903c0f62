/** Rows of the table of supported fields: probes and lifecycle hooks of a container. Data only. */
import type { SupportRow } from './pod-support-row.js';

const NO_TCP_HOOK = 'a kubelet takes it and fails when it comes to it: use exec, httpGet or sleep';

function httpGetSupport(at: string): readonly SupportRow[] {
  return [
    [`${at}.httpGet`, 'supported', ''],
    [`${at}.httpGet.host`, 'supported', 'the pod’s address if absent'],
    [`${at}.httpGet.httpHeaders`, 'supported', ''],
    [`${at}.httpGet.httpHeaders[].name`, 'supported', ''],
    [`${at}.httpGet.httpHeaders[].value`, 'supported', ''],
    [`${at}.httpGet.path`, 'supported', ''],
    [`${at}.httpGet.port`, 'supported', ''],
    [`${at}.httpGet.scheme`, 'supported', ''],
  ];
}

/** `at` is the path of a probe. */
export function probeSupport(at: string): readonly SupportRow[] {
  return [
    [at, 'supported', ''],
    [`${at}.exec`, 'supported', ''],
    [`${at}.exec.command`, 'supported', ''],
    [`${at}.failureThreshold`, 'supported', ''],
    [`${at}.grpc`, 'supported', ''],
    [`${at}.grpc.port`, 'supported', ''],
    [`${at}.grpc.service`, 'supported', ''],
    ...httpGetSupport(at),
    [`${at}.initialDelaySeconds`, 'supported', ''],
    [`${at}.periodSeconds`, 'supported', ''],
    [`${at}.successThreshold`, 'supported', ''],
    [`${at}.tcpSocket`, 'supported', ''],
    [`${at}.tcpSocket.host`, 'supported', 'the pod’s address if absent'],
    [`${at}.tcpSocket.port`, 'supported', ''],
    [`${at}.terminationGracePeriodSeconds`, 'supported', 'not for readiness'],
    [`${at}.timeoutSeconds`, 'supported', ''],
  ];
}

function hookSupport(at: string): readonly SupportRow[] {
  return [
    [at, 'supported', ''],
    [`${at}.exec`, 'supported', ''],
    [`${at}.exec.command`, 'supported', ''],
    ...httpGetSupport(at),
    [`${at}.sleep`, 'supported', ''],
    [`${at}.sleep.seconds`, 'supported', ''],
    [`${at}.tcpSocket`, 'forbidden', NO_TCP_HOOK],
  ];
}

/** `at` is the path of a container's `lifecycle`. */
export function lifecycleSupport(at: string): readonly SupportRow[] {
  return [
    [at, 'supported', ''],
    ...hookSupport(`${at}.postStart`),
    ...hookSupport(`${at}.preStop`),
    [`${at}.stopSignal`, 'supported', ''],
  ];
}
