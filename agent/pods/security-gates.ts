/**
 * What keeps a pod from starting on this node: sysctls that the node does not allow, and what its engine cannot do.
 *
 * Asked by admission before anything of the pod is made, in the kubelet's words (behaviour rows 161, 162). Pure.
 */
import type { DesiredPod, Rejection } from './desired.js';
import { engineLimit } from './engine-limits.js';
import { forbiddenSysctl } from './sysctls.js';
import type { EngineFeatures } from '../runtime/runtime.js';

/** Null lets the pod pass. `engine` is null while it has not told what it can do. */
export type SecurityGate = (
  pod: DesiredPod,
  context: { readonly engine: EngineFeatures | null },
) => Rejection | null;

function rejected({ reason, message }: { reason: string; message: string }): Rejection {
  return { phase: 'Failed', reason, message, againAt: null };
}

/** `allowedUnsafeSysctls`: names, or beginnings with `*` behind them; see `sysctlPatternProblem`. */
export function sysctlGate(allowedUnsafeSysctls: readonly string[]): SecurityGate {
  return ({ pod }) => {
    const found = forbiddenSysctl(pod, allowedUnsafeSysctls);
    return found === null ? null : rejected({ reason: 'SysctlForbidden', message: found.message });
  };
}

export const engineGate: SecurityGate = ({ pod }, { engine }) => {
  const limit = engine === null ? null : engineLimit(pod, engine);
  return limit === null ? null : rejected(limit);
};
