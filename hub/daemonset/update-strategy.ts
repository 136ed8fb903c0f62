/** `spec.updateStrategy` as what the plan of a rollout says of it. Pure. */
import {
  forbidden,
  invalid,
  required,
  wrongType,
  type FieldError,
} from '../../protocol/field-error.js';
import { isFields, unknownFields } from '../../protocol/config-object-rules.js';
import type { RolloutPlan } from '../rollout/waves/plan.js';
import { shareFault, type Share } from '../rollout/waves/share.js';

const AT = 'spec.updateStrategy';
const ROLLING = `${AT}.rollingUpdate`;

/** What a DaemonSet says of a plan: always both. */
export type DaemonSetPlan = Pick<RolloutPlan, 'updateStrategy' | 'maxUnavailable'>;

/** Kubernetes' defaults: RollingUpdate, one at a time. */
const DEFAULT: DaemonSetPlan = { updateStrategy: 'rolling', maxUnavailable: 1 };

export type UpdateStrategyReading =
  | { readonly ok: true; readonly plan: DaemonSetPlan }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** `value`: without null fields; undefined: it was left out. */
export function readUpdateStrategy(value: unknown): UpdateStrategyReading {
  if (value === undefined) return { ok: true, plan: DEFAULT };
  const refused = (...errors: FieldError[]) => ({ ok: false as const, errors });
  if (!isFields(value)) return refused(wrongType(AT, 'must be an object'));
  const { type = 'RollingUpdate', rollingUpdate = {} } = value;
  if (!isFields(rollingUpdate)) return refused(wrongType(ROLLING, 'must be an object'));
  const errors = [
    ...unknownFields(value, ['type', 'rollingUpdate'], AT),
    ...unknownFields(rollingUpdate, ['maxUnavailable', 'maxSurge'], ROLLING),
  ];
  if (type !== 'RollingUpdate' && type !== 'OnDelete') {
    errors.push(invalid(`${AT}.type`, type, 'supported values: OnDelete, RollingUpdate'));
  }
  const { maxUnavailable = 1, maxSurge = 0 } = rollingUpdate;
  if (!isZero(maxSurge)) {
    const detail =
      'a node has a pod of one name once, so none of the next revision runs beside it: take maxSurge out, ' +
      'and say with maxUnavailable how many nodes may be without theirs at once';
    errors.push(forbidden(`${ROLLING}.maxSurge`, detail));
  } else if (isZero(maxUnavailable)) {
    errors.push(required(`${ROLLING}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  } else {
    const fault = shareFault(maxUnavailable, { least: 1 });
    if (fault !== null) errors.push(wrongType(`${ROLLING}.maxUnavailable`, fault));
  }
  if (errors.length > 0) return refused(...errors);
  const updateStrategy = type === 'OnDelete' ? 'onDelete' : 'rolling';
  return { ok: true, plan: { updateStrategy, maxUnavailable: maxUnavailable as Share } };
}

function isZero(share: unknown): boolean {
  return share === 0 || share === '0%';
}
