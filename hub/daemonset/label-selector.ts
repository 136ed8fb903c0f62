/** `spec.selector` of a workload against the labels of its template, refused in the API server's words. Pure. */
import { invalid, required, wrongType, type FieldError } from '../../protocol/field-error.js';
import { isFields, unknownFields } from '../../protocol/config-object-rules.js';
import { isLabelKey, isLabelValue, matches, type Labels, type Requirement } from '../selectors.js';

const AT = 'spec.selector';
const OPERATORS: Readonly<Record<string, Requirement['operator']>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: 'absent',
};

/** `value`: without null fields; undefined: it was left out; `labels`: null where there is no template. Empty: the selector is right. */
export function selectorErrors(value: unknown, labels: Labels | null): FieldError[] {
  if (value === undefined) return [required(AT)];
  if (!isFields(value)) return [wrongType(AT, 'must be an object with matchLabels')];
  const unknown = unknownFields(value, ['matchLabels', 'matchExpressions'], AT);
  const { matchLabels = {}, matchExpressions = [] } = value;
  if (!isFields(matchLabels)) return [wrongType(`${AT}.matchLabels`, 'must be an object')];
  if (!Array.isArray(matchExpressions)) {
    return [wrongType(`${AT}.matchExpressions`, 'must be a list')];
  }
  const errors = [...unknown];
  const requirements: Requirement[] = [];
  for (const [key, item] of Object.entries(matchLabels)) {
    const at = `${AT}.matchLabels[${key}]`;
    if (!isLabelKey(key)) errors.push(invalid(at, key, 'is not a label key'));
    if (typeof item === 'string' && isLabelValue(item)) {
      requirements.push({ key, operator: 'in', values: [item] });
    } else errors.push(invalid(at, item, 'is not a label value'));
  }
  for (const [i, item] of (matchExpressions as readonly unknown[]).entries()) {
    const read = expression(item, `${AT}.matchExpressions[${i}]`);
    errors.push(...read.errors);
    if (read.requirement !== null) requirements.push(read.requirement);
  }
  if (errors.length > 0) return errors;
  if (requirements.length === 0) {
    return [invalid(AT, value, 'empty selector is invalid for daemonset')];
  }
  if (labels === null || matches(requirements, labels)) return [];
  const at = 'spec.template.metadata.labels';
  return [invalid(at, labels, '`selector` does not match template `labels`')];
}

function expression(
  item: unknown,
  at: string,
): { readonly requirement: Requirement | null; readonly errors: readonly FieldError[] } {
  if (!isFields(item)) {
    return { requirement: null, errors: [wrongType(at, 'must be an object')] };
  }
  const { key, operator, values = [] } = item;
  const errors = unknownFields(item, ['key', 'operator', 'values'], at);
  if (typeof key !== 'string' || !isLabelKey(key)) {
    errors.push(invalid(`${at}.key`, key, 'is not a label key'));
  }
  const word = typeof operator === 'string' ? OPERATORS[operator] : undefined;
  if (word === undefined) {
    const known = Object.keys(OPERATORS).join(', ');
    errors.push(invalid(`${at}.operator`, operator, `supported values: ${known}`));
  }
  const given = Array.isArray(values) ? (values as readonly unknown[]) : [null];
  const texts = given.flatMap(one => (typeof one === 'string' && isLabelValue(one) ? one : []));
  const isList = word === 'in' || word === 'notin';
  if (word !== undefined && (isList ? given.length === 0 : given.length > 0)) {
    const detail = isList
      ? 'must be specified when `operator` is `In` or `NotIn`'
      : 'may not be specified when `operator` is `Exists` or `DoesNotExist`';
    errors.push(invalid(`${at}.values`, values, detail));
  }
  if (texts.length < given.length) {
    errors.push(invalid(`${at}.values`, values, 'must be a list of label values'));
  }
  if (errors.length > 0 || word === undefined || typeof key !== 'string') {
    return { requirement: null, errors };
  }
  return { requirement: { key, operator: word, values: texts }, errors };
}
