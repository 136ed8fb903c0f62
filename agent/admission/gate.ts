/**
 * What stands between a wanted pod and its start: gates, each with one question, and the words in which they say no.
 *
 * A gate never looks at what runs already and never remembers; it is asked again in every round, so a pod begins as
 * soon as the cause is gone (kubelet behaviour row 180 and pain P2, done better). Types and wording only.
 */
import type { PodReport } from '../ports.js';
import type { Desired, DesiredPod, Rejection } from '../pods/desired.js';
import type { EngineFeatures } from '../runtime/runtime.js';
import type { HostPort } from '../../protocol/host-ports.js';
import type { NodeIdentity } from '../../protocol/node-affinity.js';
import type { Amounts } from '../../protocol/pod-requests.js';

/** What the node is and has, as far as a pod can ask for it. */
export interface AdmissionNode extends NodeIdentity {
  /** Quantities by name: cpu, memory, ephemeral-storage, pods; what is not named is not limited. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** What a pod takes of the node: one that runs, or that was admitted before the one that is judged. */
export interface Holding {
  readonly key: string;
  readonly ports: readonly HostPort[];
  readonly requests: Amounts;
  /** No longer wanted, or about to be replaced: what it takes will be free. */
  readonly isEnding: boolean;
}

export interface GateContext {
  readonly node: AdmissionNode;
  readonly desired: Desired;
  /** Those of the round before. */
  readonly reports: readonly PodReport[];
  /** Null while the engine has not told what it can do. */
  readonly engine: EngineFeatures | null;
  /** Without the pod of the judged one's own name, which ends before it begins (row 64). */
  readonly holdings: readonly Holding[];
  readonly now: number;
}

/** Null lets the pod pass. Pure. */
export type Gate = (pod: DesiredPod, context: GateContext) => Rejection | null;

/** As the kubelet rejects a pod (row 179); tried again when something changes. */
export function rejected(reason: string, message: string): Rejection {
  return { phase: 'Failed', reason, message, againAt: null };
}

/** What only waits for something that is on its way. */
export function waiting(reason: string, message: string, againAt: number | null = null): Rejection {
  return { phase: 'Pending', reason, message, againAt };
}
