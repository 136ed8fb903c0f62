/**
 * Versions that are to pass their host ports on among each other begin together or not at all: one that waits keeps its ports,
 * so what wants them of it goes on too. Row 184, done better: no pod is ended for a successor that cannot begin. Pure.
 */
import type { DesiredPod, Rejection } from './desired.js';
import { describeHostPort, hostPortsOf, portsClash } from '../../protocol/host-ports.js';
import { NODE_PORTS } from '../admission/host-port-gate.js';

/** `holders`: what goes on in the place of a version that waits. Null when `next` wants none of their ports. */
export function portHold(next: DesiredPod, holders: readonly DesiredPod[]): Rejection | null {
  for (const own of hostPortsOf(next.pod)) {
    const isTaken = ({ key, pod }: DesiredPod) =>
      key !== next.key && hostPortsOf(pod).some(taken => portsClash(own, taken));
    const holder = holders.find(isTaken);
    if (holder === undefined) continue;
    const message =
      `${own.path}: host port ${describeHostPort(own)} is taken by pod ${holder.key}, ` +
      'whose new version waits';
    return { phase: 'Pending', reason: NODE_PORTS, message, againAt: null };
  }
  return null;
}
