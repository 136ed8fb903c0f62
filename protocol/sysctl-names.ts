/**
 * Names of sysctls, and the namespace that each belongs to. Standard: sysctl(8) and Kubernetes `pkg/apis/core`
 * (`ConvertSysctlVariableToDotsSeparator`, `GetNamespace`); kubelet behaviour row 162. Pure.
 */

export type SysctlNamespace = 'ipc' | 'net';

const IPC_NAMES = new Set(['kernel.sem']);
const IPC_PREFIXES = ['kernel.shm', 'kernel.msg', 'fs.mqueue.'];

/** With dots: `net/ipv4/conf/eth0.100/forwarding` is `net.ipv4.conf.eth0/100.forwarding`. */
export function sysctlName(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  if (first !== '/') return name;
  return name.replace(/[./]/g, separator => (separator === '/' ? '.' : '/'));
}

/** Null for one that holds for the whole machine. `name` has dots. */
export function sysctlNamespace(name: string): SysctlNamespace | null {
  if (name.startsWith('net.')) return 'net';
  const isIpc = IPC_NAMES.has(name) || IPC_PREFIXES.some(prefix => name.startsWith(prefix));
  return isIpc ? 'ipc' : null;
}
