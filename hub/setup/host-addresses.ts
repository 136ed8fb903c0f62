/**
 * Names and addresses under which this machine can be reached, best first: what a server
 * certificate must list.
 */
import { hostname, networkInterfaces } from 'node:os';
import { isHostName } from './config.js';

/** Bridges of container engines: an address there leads nobody to this machine. */
const BRIDGE = /^(docker|br-|veth|virbr|podman|cni|flannel|cali|lxc)/;

export interface HostAddresses {
  /** Null if the machine's name is no host name. */
  readonly name: string | null;
  /**
   * Of the machine's own interfaces, IPv4 before IPv6, without loopback, link-local and bridges.
   */
  readonly addresses: readonly string[];
}

export function hostAddresses(): HostAddresses {
  const found = Object.entries(networkInterfaces())
    .filter(([name]) => !BRIDGE.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/i.test(address));
  const ofFamily = (family: string) =>
    found.filter(entry => entry.family === family).map(entry => entry.address);
  const name = hostname().toLowerCase();
  return {
    name: isHostName(name) ? name : null,
    addresses: [...new Set([...ofFamily('IPv4'), ...ofFamily('IPv6')])],
  };
}
