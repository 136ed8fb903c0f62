/**
 * An apps/v1 DaemonSet as the bundle that means the same: its template is the pod, the nodes that the template asks for are the bundle's
 * selector, `updateStrategy` is the plan of its rollouts. What cannot be said by a bundle is refused with its field, in the API server's
 * words where that refuses it too (Kubernetes v1.36, `ValidateDaemonSet`); nothing is passed over but what an API server writes. Pure.
 */
import { validateBundleManifest } from '../../protocol/bundle-manifest.js';
import {
  checkConfigMetadata,
  isFields,
  notAnObject,
  unknownFields,
  type Fields,
} from '../../protocol/config-object-rules.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { invalid, required, wrongType, type FieldError } from '../../protocol/field-error.js';
import { LABEL_PATTERN } from '../../protocol/names.js';
import type { ValidPod } from '../../protocol/pod.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import {
  CHANGE_CAUSE,
  changeCauseFault,
  changeCauseOf,
  withChangeCause,
} from '../rollout/change-cause.js';
import type { Labels } from '../selectors.js';
import { selectorErrors } from './label-selector.js';
import { nodeChoiceOf, withoutNodeChoice } from './node-choice.js';
import { readUpdateStrategy, type DaemonSetPlan } from './update-strategy.js';

/** What it says of a bundle, all of it: what the DaemonSet leaves out is its default here. */
export interface DaemonSetBundle {
  /** Of the DaemonSet, the bundle and the pod. */
  readonly name: string;
  /** Null: it says none. */
  readonly namespace: string | null;
  readonly labels: Labels;
  /** Without the change cause, and what kubectl and API servers write for themselves. */
  readonly annotations: Labels;
  /** Empty: it says none. */
  readonly changeCause: string;
  /** A label selector; empty: every node. */
  readonly nodeSelector: string;
  readonly pod: ValidPod;
  readonly plan: DaemonSetPlan;
  readonly strategy: Pick<BundleStrategy, 'minReadySeconds'>;
  /** What was taken and has no effect, a sentence each. */
  readonly notes: readonly string[];
}

/** Paths of errors are those of the DaemonSet. */
export type DaemonSetReading =
  | { readonly ok: true; readonly bundle: DaemonSetBundle }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Bookkeeping of kubectl and of a cluster, in every file that was read from one. */
const BOOKKEEPING: readonly string[] = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.daemonset.template.generation',
];
const SPEC_FIELDS = [
  ...['selector', 'template', 'updateStrategy', 'minReadySeconds', 'revisionHistoryLimit'],
];
/** Kubernetes' own default, in every file that was read from a cluster: nobody means anything by it. */
const HISTORY_DEFAULT = 10;
const INT32_MAX = 2_147_483_647;

/** Never throws on bad input; all that is wrong at once. */
export function bundleOfDaemonSet(value: Fields): DaemonSetReading {
  const document = withoutNulls(value);
  const { apiVersion, metadata, spec } = document;
  if (apiVersion !== 'apps/v1') {
    return { ok: false, errors: [invalid('apiVersion', apiVersion, 'a DaemonSet is of apps/v1')] };
  }
  if (!isFields(metadata)) return { ok: false, errors: [required('metadata.name')] };
  if (!isFields(spec)) return { ok: false, errors: [required('spec')] };
  const meta = metadataOf(metadata);
  const template = templateOf(spec['template'], meta);
  const rollout = readUpdateStrategy(spec['updateStrategy']);
  const errors = [
    ...unknownFields(document, ['apiVersion', 'kind', 'metadata', 'spec', 'status']),
    ...meta.errors,
    ...unknownFields(spec, SPEC_FIELDS, 'spec'),
    ...selectorErrors(spec['selector'], template.labels),
    ...template.errors,
    ...(rollout.ok ? [] : rollout.errors),
    ...secondsErrors(spec, 'minReadySeconds'),
    ...secondsErrors(spec, 'revisionHistoryLimit'),
  ];
  if (errors.length > 0 || template.pod === null || !rollout.ok) return { ok: false, errors };
  const { minReadySeconds, revisionHistoryLimit = HISTORY_DEFAULT } = spec;
  const { name, namespace, labels, annotations } = meta;
  return {
    ok: true,
    bundle: {
      ...{ name, namespace, labels, changeCause: changeCauseOf(annotations) },
      annotations: withChangeCause(annotations, ''),
      ...{ nodeSelector: template.selector, pod: template.pod, plan: rollout.plan },
      strategy: {
        minReadySeconds:
          (minReadySeconds as number | undefined) ?? DEFAULT_STRATEGY.minReadySeconds,
      },
      notes:
        revisionHistoryLimit === HISTORY_DEFAULT
          ? []
          : [
              'spec.revisionHistoryLimit has no effect: how many revisions are kept is the same for every bundle',
            ],
    },
  };
}

/** Null is the same as left out. */
function withoutNulls(value: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [
        key,
        key !== 'template' && isFields(member) ? withoutNulls(member) : member,
      ]),
  );
}

interface Metadata {
  readonly name: string;
  readonly namespace: string | null;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly errors: readonly FieldError[];
}

function metadataOf(metadata: Fields): Metadata {
  const errors = checkConfigMetadata(metadata);
  const { name, namespace } = metadata;
  const at = 'metadata.name';
  if (
    typeof name === 'string' &&
    errors.every(({ path }) => path !== at) &&
    !LABEL_PATTERN.test(name)
  ) {
    const detail = 'a bundle is named after it: at most 63 of a-z, 0-9 and -';
    errors.push(invalid(at, name, detail));
  }
  const annotations = Object.fromEntries(
    Object.entries(textsOf(metadata['annotations'])).filter(([key]) => !BOOKKEEPING.includes(key)),
  );
  const fault = changeCauseFault(changeCauseOf(annotations));
  if (fault !== null) {
    errors.push(
      invalid(`metadata.annotations[${CHANGE_CAUSE}]`, changeCauseOf(annotations), fault),
    );
  }
  return {
    name: typeof name === 'string' ? name : '',
    namespace: typeof namespace === 'string' && namespace !== '' ? namespace : null,
    labels: textsOf(metadata['labels']),
    annotations,
    errors,
  };
}

/** What is no text is an error already. */
function textsOf(value: unknown): Labels {
  if (!isFields(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

interface Template {
  /** Null: there is no template to have any. */
  readonly labels: Labels | null;
  readonly selector: string;
  /** Null: there are errors. */
  readonly pod: ValidPod | null;
  readonly errors: readonly FieldError[];
}

const TEMPLATE = 'spec.template';

function templateOf(value: unknown, { name, namespace }: Metadata): Template {
  const refused = (...errors: FieldError[]) => ({
    ...{ labels: null, selector: '', pod: null, errors },
  });
  if ((value ?? null) === null) return refused(required(TEMPLATE));
  if (!isFields(value)) return refused(notAnObject(TEMPLATE, value));
  const { metadata, spec } = value;
  const meta = metadata ?? {};
  if (!isFields(meta)) return refused(notAnObject(`${TEMPLATE}.metadata`, meta));
  const { name: ownName, namespace: ownNamespace, ...others } = meta;
  const errors = unknownFields(value, ['metadata', 'spec'], TEMPLATE);
  if ((ownName ?? '') !== '' && ownName !== name) {
    const detail = `the pod is named after the DaemonSet, "${name}": take the line out`;
    errors.push(invalid(`${TEMPLATE}.metadata.name`, ownName, detail));
  }
  if ((ownNamespace ?? '') !== '' && ownNamespace !== (namespace ?? ownNamespace)) {
    const detail = 'the pod is in the namespace of the DaemonSet: take the line out';
    errors.push(invalid(`${TEMPLATE}.metadata.namespace`, ownNamespace, detail));
  }
  // A wrong name of the DaemonSet is said once.
  const podName = LABEL_PATTERN.test(name) ? name : 'pod';
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...others, name: podName }, spec };
  const result = validateBundleManifest(pod);
  const labels = textsOf(others['labels']);
  if (!result.ok || result.kind !== 'Pod') {
    const inPod = result.ok ? [] : result.errors.map(inTemplate);
    return { labels, selector: '', pod: null, errors: [...errors, ...inPod] };
  }
  const choice = nodeChoiceOf(result.manifest);
  errors.push(...ruleErrors(result.manifest), ...(choice.ok ? [] : choice.errors.map(inTemplate)));
  if (!choice.ok || errors.length > 0) return { labels, selector: '', pod: null, errors };
  return { labels, selector: choice.selector, pod: withoutNodeChoice(result.manifest), errors };
}

/** What a pod may be and one of a DaemonSet may not. */
function ruleErrors({ spec }: ValidPod): FieldError[] {
  const { restartPolicy = 'Always', activeDeadlineSeconds } = spec;
  const at = `${TEMPLATE}.spec`;
  return [
    ...(restartPolicy === 'Always'
      ? []
      : [invalid(`${at}.restartPolicy`, restartPolicy, 'supported values: Always')]),
    ...(activeDeadlineSeconds === undefined
      ? []
      : [invalid(`${at}.activeDeadlineSeconds`, activeDeadlineSeconds, 'must not be specified')]),
  ];
}

/** The same error where the pod stands in the DaemonSet. */
function inTemplate({ path, message, code }: FieldError): FieldError {
  const at = path === '' ? TEMPLATE : `${TEMPLATE}.${path}`;
  return { path: at, message: message.replace(path, () => at), code };
}

function secondsErrors(spec: Fields, field: string): FieldError[] {
  const value = spec[field] ?? 0;
  const path = `spec.${field}`;
  if (!Number.isInteger(value)) return [wrongType(path, 'must be an integer')];
  const number = value as number;
  if (number > INT32_MAX)
    return [invalid(path, value, `must be less than or equal to ${INT32_MAX}`)];
  return number >= 0 ? [] : [invalid(path, value, 'must be greater than or equal to 0')];
}
