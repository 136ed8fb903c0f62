/**
 * Where a probe or hook goes: named ports, addresses as a URL writes them, the sentence for a connection that failed.
 * `probe.ResolveContainerPort` (kubelet behaviour rows 105, 106). Pure.
 */
import type { Container } from '../../protocol/pod.js';

/** Nothing can be reached with what the manifest says. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** A name is one of the container's own ports. Throws `AddressError`. */
export function portNumber(port: number | string, container: Container | null): number {
  if (typeof port === 'number') return port;
  const found = container?.ports?.find(({ name }) => name === port)?.containerPort;
  if (found !== undefined) return found;
  throw new AddressError(`couldn't find port: ${port}`);
}

/** `given` of the manifest, else the container's own address. Throws `AddressError`. */
export function hostOf(given: string | undefined, address: string): string {
  const host = given || address;
  if (host !== '') return host;
  throw new AddressError('the pod has no address yet');
}

/** `host:port`, an IPv6 address in brackets. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'read: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
};

/** Why a connection failed, in the words of Go's `net` where it has some; never what the other side sent. */
export function causeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return message;
  return CAUSES[code] ?? code;
}
