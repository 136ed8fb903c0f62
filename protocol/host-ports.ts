/**
 * The ports of the node that pods take, and when two of them clash: same number and protocol, same address or one of
 * them any address (kubelet behaviour row 184; `pkg/scheduler/framework` HostPortInfo). Pure.
 */
import { canonicalIp } from './ip-address.js';
import { locatedContainers, type Pod } from './pod.js';

export interface HostPort {
  readonly port: number;
  readonly protocol: string;
  /** Empty = any address. */
  readonly ip: string;
  /** `spec.containers[0].ports[1].hostPort`. */
  readonly path: string;
}

const EVERYWHERE: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

/** One spelling for one address of the node; empty for all of them. */
export function hostAddress(hostIP: string): string {
  const address = canonicalIp(hostIP);
  return EVERYWHERE.has(address) ? '' : address;
}

/** With the node's network each container port is one of the node, whether it is named as such or not. */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  const isOnHost = pod.spec?.hostNetwork === true;
  return locatedContainers(pod).flatMap(({ container, at }) =>
    (container.ports ?? []).flatMap(({ containerPort, hostPort, hostIP = '', protocol }, index) => {
      const port = isOnHost ? containerPort : (hostPort ?? 0);
      if (port === 0) return [];
      const field = hostPort === undefined ? 'containerPort' : 'hostPort';
      const ip = hostAddress(hostIP);
      return [{ port, protocol: protocol ?? 'TCP', ip, path: `${at}.ports[${index}].${field}` }];
    }),
  );
}

/** Of what a sandbox has of the node, as the engine tells it: no field of a manifest says it. */
export function boundPorts(
  bound: readonly {
    readonly hostPort: number;
    readonly hostIP: string;
    readonly protocol: string;
  }[],
): readonly HostPort[] {
  return bound.map(({ hostPort, hostIP, protocol }) => ({
    port: hostPort,
    protocol,
    ip: hostAddress(hostIP),
    path: '',
  }));
}

export function portsClash(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === '' || b.ip === '';
}

/** `8080/TCP`, `127.0.0.1:8080/TCP`. */
export function describeHostPort({ ip, port, protocol }: HostPort): string {
  return `${ip === '' ? '' : `${ip}:`}${port}/${protocol}`;
}
