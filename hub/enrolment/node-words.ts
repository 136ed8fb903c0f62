/** How a Node stands, in the words of `get nodes`. Pure. */
import type { NodeCondition } from 'kubernetes-types/core/v1.js';
import { CLONE_SUSPECTED, ENROLLED } from './standing-conditions.js';

/** The first word of a node is one of these. */
export const NODE_STATES = [
  'Ready',
  'NotReady',
  /** It has not said anything yet. */
  'Unknown',
  'PendingApproval',
  'Revoked',
] as const;
export type NodeStateWord = (typeof NODE_STATES)[number];

/** May follow it. */
export const NODE_REMARKS = [
  'SchedulingDisabled',
  CLONE_SUSPECTED,
  'Restoring',
  'AheadOfHub',
] as const;
export type NodeRemark = (typeof NODE_REMARKS)[number];

export interface NodeWords {
  readonly state: NodeStateWord;
  readonly remarks: readonly NodeRemark[];
}

export function nodeWords(
  conditions: readonly Pick<NodeCondition, 'type' | 'status' | 'reason'>[] | undefined,
  { unschedulable = false }: { readonly unschedulable?: boolean | undefined } = {},
): NodeWords {
  const found = (type: string) => conditions?.find(condition => condition.type === type);
  const enrolled = found(ENROLLED);
  if (enrolled?.status === 'False') {
    return { state: NODE_STATES.find(s => s === enrolled.reason) ?? 'NotReady', remarks: [] };
  }
  const ready = found('Ready');
  return {
    state: ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady',
    remarks: NODE_REMARKS.filter(remark =>
      remark === 'SchedulingDisabled' ? unschedulable : found(remark)?.status === 'True',
    ),
  };
}
