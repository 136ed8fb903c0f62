/**
 * No two pods on one port of the node. What a plain process of the host has taken only the engine can tell, when it is
 * to bind it.
 *
 * Kubelet behaviour row 184, done better: the message names the port and the pod that has it, a pod that is ending is
 * waited for (acceptance test T18), and the pod starts as soon as the port is free. Pure.
 */
import { rejected, waiting, type Gate } from './gate.js';
import { describeHostPort, hostPortsOf, portsClash } from '../../protocol/host-ports.js';

export const NODE_PORTS = 'NodePorts';

const PREDICATE =
  "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";

export const hostPortGate: Gate = ({ pod }, { holdings }) => {
  const clashes = hostPortsOf(pod).flatMap(own =>
    holdings
      .filter(({ ports }) => ports.some(taken => portsClash(own, taken)))
      .map(holder => ({ own, holder })),
  );
  // One that stays is the stronger reason.
  const worst = clashes.find(({ holder }) => !holder.isEnding) ?? clashes[0];
  if (worst === undefined) return null;
  const { own, holder } = worst;
  const taken = `${own.path}: host port ${describeHostPort(own)} is taken by pod ${holder.key}`;
  return holder.isEnding
    ? waiting(NODE_PORTS, `${PREDICATE}: ${taken}, which is ending`)
    : rejected(NODE_PORTS, `${PREDICATE}: ${taken}`);
};
