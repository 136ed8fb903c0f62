/**
 * What this machine is: read from the operating system, in the words of a Kubernetes Node. Decides
 * nothing.
 */
import { readFileSync } from 'node:fs';
import * as os from 'node:os';
import type { StatusDocument } from '../protocol/documents/node.js';

export interface NodeInfo {
  readonly info: Omit<StatusDocument['info'], 'agentVersion' | 'containerRuntimeVersion'>;
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The kubelet's default. */
const PODS_MAX = '110';

/** Kubernetes' word for the architecture. */
export function architecture(): string {
  return { x64: 'amd64', arm64: 'arm64', arm: 'arm' }[process.arch as string] ?? process.arch;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function osImage(): string {
  const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(readText('/etc/os-release'))?.[1];
  return name ?? os.type();
}

/** The interface of the default route (proc_net_route(5): destination 00000000), else null. */
function defaultInterface(): string | null {
  const routes = readText('/proc/net/route').split('\n').slice(1);
  const columns = routes.map(route => route.split(/\s+/));
  return columns.find(([, destination]) => destination === '00000000')?.[0] ?? null;
}

function addresses(): StatusDocument['info']['addresses'] {
  const interfaces = os.networkInterfaces();
  const preferred = defaultInterface();
  const names = preferred ? [preferred] : Object.keys(interfaces).sort();
  const internal = names
    .filter(name => !/^(docker|br-|veth)/.test(name))
    .flatMap(name => interfaces[name] ?? [])
    .filter(address => !address.internal && !address.address.startsWith('fe80:'))
    .sort((a, b) => a.family.localeCompare(b.family))
    .slice(0, 8)
    .map(({ address }) => ({ type: 'InternalIP' as const, address }));
  return [...internal, { type: 'Hostname', address: os.hostname() }];
}

/** Cheap enough for each status; addresses change while the agent runs. */
export function readNodeInfo(): NodeInfo {
  const resources = {
    cpu: String(os.cpus().length),
    memory: `${Math.floor(os.totalmem() / 1024)}Ki`,
    pods: PODS_MAX,
  };
  return {
    info: {
      architecture: architecture(),
      operatingSystem: 'linux',
      osImage: osImage(),
      kernelVersion: os.release(),
      bootID: readText('/proc/sys/kernel/random/boot_id'),
      machineID: readText('/etc/machine-id'),
      addresses: addresses(),
    },
    capacity: resources,
    allocatable: resources,
  };
}
