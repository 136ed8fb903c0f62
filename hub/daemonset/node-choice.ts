/**
 * The nodes that a pod template asks for, as the label selector of a bundle: `nodeSelector`, required node affinity, `nodeName`. A
 * selector joins its requirements with "and": terms of an affinity, which are joined with "or", become one where they differ in the
 * values of a single In alone. Pure.
 */
import { invalid, type FieldError } from '../../protocol/field-error.js';
import type { ValidPod } from '../../protocol/pod.js';
import { isLabelValue } from '../selectors.js';

const HOSTNAME = 'kubernetes.io/hostname';
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const TERMS = `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms`;

export type NodeChoice =
  | { readonly ok: true; readonly selector: string }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

type Affinity = NonNullable<NonNullable<ValidPod['spec']['affinity']>['nodeAffinity']>;
type Term = NonNullable<Affinity[typeof REQUIRED]>['nodeSelectorTerms'][number];

/** Of a pod that `validateBundleManifest` accepted; paths are those of the pod. Empty: every node. */
export function nodeChoiceOf({ spec }: Pick<ValidPod, 'spec'>): NodeChoice {
  const { nodeName, nodeSelector = {}, affinity } = spec;
  const terms = affinity?.nodeAffinity?.[REQUIRED]?.nodeSelectorTerms ?? [];
  const read = terms.map((term, i) => requirementsOf(term, `${TERMS}[${i}]`));
  const errors = read.flatMap(one => one.errors);
  const joined = terms.length === 0 ? [] : joinedTerms(read.map(one => one.requirements));
  if (joined === null && errors.length === 0) {
    errors.push(
      invalid(
        TERMS,
        terms.length,
        'a bundle selects nodes by one label selector, which has no "or": give these nodes a label of their own and select that, ' +
          'or write one DaemonSet for each term',
      ),
    );
  }
  if (nodeName !== undefined && nodeName !== '' && !isLabelValue(nodeName)) {
    errors.push(invalid('spec.nodeName', nodeName, 'is not the name of a node'));
  }
  if (errors.length > 0) return { ok: false, errors };
  const texts = [
    ...Object.entries(nodeSelector).map(([key, value]) => `${key}=${value}`),
    ...(joined ?? []).map(textOf),
    ...(nodeName === undefined || nodeName === '' ? [] : [`${HOSTNAME}=${nodeName}`]),
  ];
  return { ok: true, selector: [...new Set(texts)].sort().join(',') };
}

/** The pod without what the bundle's selector says instead: to change that restarts nothing. */
export function withoutNodeChoice(pod: ValidPod): ValidPod {
  const { nodeName: _name, nodeSelector: _selector, affinity, ...rest } = pod.spec;
  const { nodeAffinity, ...otherAffinity } = affinity ?? {};
  const { [REQUIRED]: _required, ...preferred } = nodeAffinity ?? {};
  const kept = {
    ...otherAffinity,
    ...(Object.keys(preferred).length === 0 ? {} : { nodeAffinity: preferred }),
  };
  const left = Object.keys(kept).length === 0 ? {} : { affinity: kept };
  return { ...pod, spec: { ...rest, ...left } };
}

/** A node's name is its label too. */
function requirementsOf({ matchExpressions = [], matchFields = [] }: Term, at: string) {
  const requirements: readonly Requirement[] = [
    ...matchExpressions,
    ...matchFields.map(one => ({ ...one, key: HOSTNAME })),
  ];
  const errors: FieldError[] = [];
  if (requirements.length === 0) {
    errors.push(invalid(at, {}, 'a term without requirements matches no node: take it out'));
  }
  for (const [i, { operator, values = [] }] of requirements.entries()) {
    const isField = i >= matchExpressions.length;
    const where = isField
      ? `${at}.matchFields[${i - matchExpressions.length}].values`
      : `${at}.matchExpressions[${i}].values`;
    const isNumber = operator === 'Gt' || operator === 'Lt';
    const wrong = values.find(value =>
      isNumber ? !/^\d{1,18}$/.test(value) : !isLabelValue(value),
    );
    if (wrong === undefined) continue;
    const what = isNumber ? 'a whole number without a sign, below 10^18' : 'a label value';
    errors.push(invalid(where, wrong, `no label of a node is compared with that: must be ${what}`));
  }
  return { requirements, errors };
}

/** One term that means the same as all of them; null: there is none. */
function joinedTerms(terms: readonly (readonly Requirement[])[]): readonly Requirement[] | null {
  const [first = [], ...others] = terms;
  if (others.some(term => term.length !== first.length)) return null;
  const differing = first.flatMap((one, i) =>
    others.some(term => term[i] === undefined || textOf(term[i]) !== textOf(one)) ? [i] : [],
  );
  const [at, more] = differing;
  if (at === undefined) return first;
  const column = terms.flatMap(term => term[at] ?? []);
  const isOne = column.every(one => one.operator === 'In' && one.key === column[0]?.key);
  if (more !== undefined || !isOne) return null;
  const values = [...new Set(column.flatMap(one => one.values ?? []))];
  return first.map((one, i) => (i === at ? { ...one, values } : one));
}

function textOf({ key, operator, values = [] }: Requirement): string {
  const [value = ''] = values;
  const list = `(${[...new Set(values)].sort().join(',')})`;
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${value}` : `${key} in ${list}`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${value}` : `${key} notin ${list}`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return `${key}${operator === 'Gt' ? '>' : '<'}${value}`;
  }
}
