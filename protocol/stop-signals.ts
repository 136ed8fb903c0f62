/**
 * The signals that `lifecycle.stopSignal` may name: those of Linux in the Kubernetes API (`core/v1` Signal). Data and one
 * question about it.
 */
import type { Container } from './pod.js';

const NAMED = [
  ...['ABRT', 'ALRM', 'BUS', 'CHLD', 'CLD', 'CONT', 'FPE', 'HUP', 'ILL', 'INT', 'IO', 'IOT'],
  ...['KILL', 'PIPE', 'POLL', 'PROF', 'PWR', 'QUIT', 'SEGV', 'STKFLT', 'STOP', 'SYS', 'TERM'],
  ...['TRAP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'USR1', 'USR2', 'VTALRM', 'WINCH', 'XCPU', 'XFSZ'],
  ...['RTMIN', 'RTMAX'],
  ...Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`),
  ...Array.from({ length: 14 }, (_, index) => `RTMAX-${index + 1}`),
];

const SIGNALS: ReadonlySet<string> = new Set(NAMED.map(name => `SIG${name}`));

export function isStopSignal(name: string): boolean {
  return SIGNALS.has(name);
}

/** Empty = the image's. The declarations (Kubernetes 1.30) do not have the field yet. */
export function stopSignalOf({ lifecycle }: Container): string {
  return (lifecycle as { readonly stopSignal?: string } | undefined)?.stopSignal ?? '';
}
