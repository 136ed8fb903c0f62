/**
 * The rules of the fields that choose a node: node selector, node affinity, start order. As API validation has them
 * (`pkg/apis/core/validation`), so that a term that can never match is an error and not a pod that never runs. Pure.
 */
import { invalid, required, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import { isInteger } from './node-affinity.js';
import type { Pod } from './pod.js';
import { GRAMMARS, type Grammar } from './pod-grammar.js';
import { checkStartAfter } from './pod-start-after.js';
import { checkUpdateLock } from './pod-update-lock.js';

function matches(grammar: Grammar, text: string): boolean {
  const fits = grammar.maxLength === undefined || text.length <= grammar.maxLength;
  return fits && new RegExp(grammar.pattern, 'u').test(text);
}

function checkSelector(selector: Readonly<Record<string, string>>): FieldError[] {
  return Object.entries(selector).flatMap(([key, value]) => {
    const path = childPath('spec.nodeSelector', key);
    return [
      ...(matches(GRAMMARS.labelKey, key)
        ? []
        : [invalid(path, key, `a label's key must be ${GRAMMARS.labelKey.must}`)]),
      ...(matches(GRAMMARS.labelValue, value)
        ? []
        : [invalid(path, value, `a label's value must be ${GRAMMARS.labelValue.must}`)]),
    ];
  });
}

interface Requirement {
  readonly key?: string;
  readonly operator?: string;
  readonly values?: readonly string[];
}

function checkValues({ operator, values = [] }: Requirement, at: string): FieldError[] {
  const path = `${at}.values`;
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0 ? [] : [required(path, `${operator} needs at least one value`)];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0 ? [] : [invalid(path, values, `${operator} takes no values`)];
    case 'Gt':
    case 'Lt':
      return values.length === 1 && isInteger(values[0] ?? '')
        ? []
        : [invalid(path, values, `${operator} takes one whole number`)];
    default:
      return [];
  }
}

function checkExpression(requirement: Requirement, at: string): FieldError[] {
  const { key = '' } = requirement;
  const errors = checkValues(requirement, at);
  if (!matches(GRAMMARS.labelKey, key)) {
    errors.push(invalid(`${at}.key`, key, `a label's key must be ${GRAMMARS.labelKey.must}`));
  }
  return errors;
}

function checkField({ key, operator = '', values = [] }: Requirement, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (key !== 'metadata.name') {
    errors.push(invalid(`${at}.key`, key, 'the only field is metadata.name'));
  }
  if (operator !== 'In' && operator !== 'NotIn') {
    errors.push(invalid(`${at}.operator`, operator, 'fields know only In and NotIn'));
  }
  if (values.length !== 1) {
    errors.push(invalid(`${at}.values`, values, 'must have one element'));
  }
  return errors;
}

function checkAffinity(pod: Pod): FieldError[] {
  const field = 'requiredDuringSchedulingIgnoredDuringExecution';
  const selector = pod.spec?.affinity?.nodeAffinity?.[field];
  if (selector === undefined) return [];
  const path = `spec.affinity.nodeAffinity.${field}.nodeSelectorTerms`;
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [required(path, 'must have at least one node selector term')];
  return terms.flatMap(({ matchExpressions = [], matchFields = [] }, index) => [
    ...matchExpressions.flatMap((one, at) =>
      checkExpression(one, `${path}[${index}].matchExpressions[${at}]`),
    ),
    ...matchFields.flatMap((one, at) => checkField(one, `${path}[${index}].matchFields[${at}]`)),
  ]);
}

export function checkPlacement(pod: Pod): FieldError[] {
  return [
    ...checkSelector(pod.spec?.nodeSelector ?? {}),
    ...checkAffinity(pod),
    ...checkStartAfter(pod),
    ...checkUpdateLock(pod),
  ];
}
