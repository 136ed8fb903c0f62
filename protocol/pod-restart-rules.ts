/**
 * Which containers may say what about their restart, and what an init container may not have. As API validation does
 * (kubelet behaviour rows 62, 89, 115 to 121). Pure.
 */
import { forbidden, invalid, required, type FieldError } from './field-error.js';
import type { Container, Pod } from './pod.js';
import { checkRestartOnChange } from './pod-restart-on-change.js';

const POLICIES = ['Always', 'OnFailure', 'Never'];
const ACTIONS = ['Restart', 'RestartAllContainers'];
const OPERATORS = ['In', 'NotIn'];
const MAX_RULES = 20;
const MAX_VALUES = 255;

interface Rule {
  readonly action?: unknown;
  readonly exitCodes?: { readonly operator?: unknown; readonly values?: unknown };
}

function checkRule({ action, exitCodes }: Rule, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!ACTIONS.includes(action as string)) {
    errors.push(invalid(`${at}.action`, action, `must be one of ${ACTIONS.join(', ')}`));
  }
  if (exitCodes === undefined) {
    return [...errors, required(`${at}.exitCodes`, 'a rule speaks of exit codes')];
  }
  const { operator, values } = exitCodes;
  if (!OPERATORS.includes(operator as string)) {
    errors.push(
      invalid(`${at}.exitCodes.operator`, operator, `must be one of ${OPERATORS.join(', ')}`),
    );
  }
  const isCode = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
  if (!Array.isArray(values) || values.length > MAX_VALUES || !values.every(isCode)) {
    const detail = `must be at most ${MAX_VALUES} whole numbers from 0 to 255`;
    errors.push(invalid(`${at}.exitCodes.values`, values, detail));
  }
  return errors;
}

function checkRules(container: Container, at: string): FieldError[] {
  const { restartPolicyRules: rules } = container as { restartPolicyRules?: readonly Rule[] };
  if (rules === undefined || rules.length === 0) return [];
  const errors = rules.flatMap((rule, index) =>
    checkRule(rule, `${at}.restartPolicyRules[${index}]`),
  );
  if (container.restartPolicy === undefined) {
    errors.push(required(`${at}.restartPolicy`, 'rules need a policy that holds where none fits'));
  }
  if (rules.length > MAX_RULES) {
    errors.push(invalid(`${at}.restartPolicyRules`, rules.length, `at most ${MAX_RULES} rules`));
  }
  return errors;
}

/** A plain init container runs to its end: nothing can be asked of it while it runs (row 62). */
const NOT_FOR_INIT = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const;

function checkInit(container: Container, at: string): FieldError[] {
  const { restartPolicy } = container;
  // A sidecar is restarted whatever its exit code; a rule of its may restart all.
  if (restartPolicy === 'Always') return checkRules(container, at);
  const errors = NOT_FOR_INIT.filter(field => container[field] !== undefined).map(field =>
    forbidden(`${at}.${field}`, 'only for a sidecar (restartPolicy: Always)'),
  );
  const { restartPolicyRules = [] } = container as { restartPolicyRules?: readonly Rule[] };
  const hasRules = restartPolicyRules.length > 0;
  if (restartPolicy !== undefined && !(hasRules && POLICIES.includes(restartPolicy))) {
    errors.push(
      invalid(`${at}.restartPolicy`, restartPolicy, 'must be Always, which makes a sidecar of it'),
    );
  }
  return [...errors, ...checkRules(container, at)];
}

/** All broken rules; empty when there are none. */
export function checkRestarts(pod: Pod): FieldError[] {
  const { initContainers = [], containers = [], activeDeadlineSeconds } = pod.spec ?? {};
  const errors: FieldError[] = [];
  if (activeDeadlineSeconds !== undefined && activeDeadlineSeconds < 1) {
    errors.push(invalid('spec.activeDeadlineSeconds', activeDeadlineSeconds, 'must be 1 or more'));
  }
  initContainers.forEach((container, index) => {
    errors.push(...checkInit(container, `spec.initContainers[${index}]`));
  });
  containers.forEach((container, index) => {
    const at = `spec.containers[${index}]`;
    const { restartPolicy } = container;
    if (restartPolicy !== undefined && !POLICIES.includes(restartPolicy)) {
      const detail = `must be one of ${POLICIES.join(', ')}`;
      errors.push(invalid(`${at}.restartPolicy`, restartPolicy, detail));
    }
    errors.push(...checkRules(container, at));
  });
  return [...errors, ...checkRestartOnChange(pod)];
}
