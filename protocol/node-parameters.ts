/**
 * Parameters of a node: values of this one place (a site's name, a camera's URL), which reach pods of bundles as the ConfigMap
 * `flotilla-node` of their namespace. They travel in the node's signed assignment, beside the budgets, whose names have a slash. What they
 * are called, how much they may be, and which of them pods ask for. No secrets. Pure.
 */
import { BUDGET_PARAMETER } from './budget.js';
import { canonicalJson, FORBIDDEN_KEYS } from './canonical.js';
import { checkKey } from './config-object-rules.js';
import { invalid, type FieldError } from './field-error.js';
import { DECLARED_PARAMETERS_MAX, PARAMETERS_BYTES_MAX } from './limits.js';
import type { Container, Pod } from './pod.js';

/** The ConfigMap that the node makes; no bundle may have one of this name. */
export const NODE_CONFIG_MAP = 'flotilla-node';

/** Of a pod: `site, camera-url`, for pods that take the ConfigMap as a whole. Keys that a field names need no annotation. */
export const NODE_PARAMETERS = 'flotilla.dev/node-parameters';

export const NODE_PARAMETERS_PATH = `metadata.annotations[${NODE_PARAMETERS}]`;

export type Parameters = Readonly<Record<string, string>>;

/** Why it is no name of a parameter, as the end of a sentence; null: it is one. */
export function parameterKeyFault(key: string): string | null {
  if (FORBIDDEN_KEYS.has(key)) return 'is a word that no document may have';
  const [error] = checkKey(key, '');
  return error === undefined ? null : (error.message.split(': ').at(-1) ?? 'is no key');
}

/** Why it is no value, as the end of a sentence; null: it is one. A zero byte ends an environment variable. */
export function parameterValueFault(value: string): string | null {
  if (value.includes('\0')) return 'must not contain a zero byte';
  return value.isWellFormed() ? null : 'must be text (half of a surrogate pair is none)';
}

/** Of an assignment's parameters: all together, budgets included. Null: they fit. */
export function parametersSizeFault(all: Parameters): string | null {
  const bytes = Buffer.byteLength(canonicalJson(all));
  if (bytes <= PARAMETERS_BYTES_MAX) return null;
  return `all parameters together would be ${bytes} bytes (names and values, as JSON), the limit is ${PARAMETERS_BYTES_MAX}`;
}

/** Those that people gave, sorted by name: without budgets. */
export function givenParameters(all: Parameters): Parameters {
  const budgets = new Set<string>(Object.values(BUDGET_PARAMETER));
  const given = Object.entries(all).filter(([key]) => !budgets.has(key));
  return Object.fromEntries(given.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Where a pod takes values of the node. */
export interface ParameterUse {
  /** Of the field, from `spec`. */
  readonly path: string;
  /** Empty: whatever there is. */
  readonly keys: readonly string[];
  /** The pod begins without it. */
  readonly optional: boolean;
}

interface Reference {
  readonly name?: string;
  readonly optional?: boolean;
  readonly key?: string;
  readonly items?: readonly { readonly key: string }[];
}

function use(path: string, reference: Reference | undefined): ParameterUse[] {
  if (reference?.name !== NODE_CONFIG_MAP) return [];
  const { key, items = [], optional = false } = reference;
  const keys = [...(key === undefined ? [] : [key]), ...items.map(item => item.key)];
  return [{ path, keys, optional }];
}

function containerUses({ env = [], envFrom = [] }: Container, at: string): ParameterUse[] {
  return [
    ...envFrom.flatMap(({ configMapRef }, index) =>
      use(`${at}.envFrom[${index}].configMapRef`, configMapRef),
    ),
    ...env.flatMap(({ valueFrom }, index) =>
      use(`${at}.env[${index}].valueFrom.configMapKeyRef`, valueFrom?.configMapKeyRef),
    ),
  ];
}

export function parameterUses({ spec }: Pick<Pod, 'spec'>): ParameterUse[] {
  const volumes = (spec?.volumes ?? []).flatMap(({ configMap, projected }, index) => {
    const at = `spec.volumes[${index}]`;
    return [
      ...use(`${at}.configMap`, configMap),
      ...(projected?.sources ?? []).flatMap((source, number) =>
        use(`${at}.projected.sources[${number}].configMap`, source.configMap),
      ),
    ];
  });
  const containers = (['initContainers', 'containers'] as const).flatMap(list =>
    (spec?.[list] ?? []).flatMap((one, index) => containerUses(one, `spec.${list}[${index}]`)),
  );
  return [...volumes, ...containers];
}

function annotated({ metadata }: Pick<Pod, 'metadata'>): string[] {
  const text = metadata?.annotations?.[NODE_PARAMETERS] ?? '';
  return text.trim() === '' ? [] : text.split(',').map(item => item.trim());
}

/** What a bundle of these pods declares: keys that a field names, and those of the annotation; once each, sorted. */
export function declaredParameters(pods: readonly Pick<Pod, 'metadata' | 'spec'>[]): string[] {
  const keys = pods.flatMap(pod => [
    ...annotated(pod),
    ...parameterUses(pod).flatMap(one => one.keys),
  ]);
  return [...new Set(keys)].sort();
}

export interface NeededParameter {
  readonly key: string;
  readonly pod: string;
  /** The field that names it. */
  readonly path: string;
}

/** Keys without which a pod does not begin: named by a field that is not `optional`. Each once, as the first pod names it. */
export function neededParameters(
  pods: readonly Pick<Pod, 'metadata' | 'spec'>[],
): NeededParameter[] {
  const needed = new Map<string, NeededParameter>();
  for (const pod of pods) {
    for (const { path, keys, optional } of parameterUses(pod)) {
      for (const key of optional ? [] : keys) {
        if (!needed.has(key)) needed.set(key, { key, pod: pod.metadata?.name ?? '', path });
      }
    }
  }
  return [...needed.values()];
}

const KEYS_SHOWN = 3;

/** `flotilla node parameters edge-1 camera-url=VALUE`: what gives a node values; of many keys the first. */
export function parameterHint(node: string, keys: readonly string[]): string {
  const words = keys.slice(0, KEYS_SHOWN).map(key => `${key}=VALUE`);
  return `flotilla node parameters ${node} ${words.join(' ')}${keys.length > KEYS_SHOWN ? ' ...' : ''}`;
}

/** Of a pod in a bundle: the annotation, and the keys that fields name, can be names of parameters. */
export function checkNodeParameters(pod: Pick<Pod, 'metadata' | 'spec'>): FieldError[] {
  const words = annotated(pod).map(key => ({ path: NODE_PARAMETERS_PATH, key }));
  const named = parameterUses(pod).flatMap(({ path, keys }) => keys.map(key => ({ path, key })));
  return [...words, ...named].flatMap(({ path, key }) => {
    const fault = parameterKeyFault(key);
    return fault === null ? [] : [invalid(path, key, `no name of a parameter: ${fault}`)];
  });
}

/**
 * Of all pods of a bundle: not too many keys, and no pod that takes the whole ConfigMap of a bundle that declares none, which would be
 * empty on every node. `path` begins with the pod's name.
 */
export function declarationFaults(
  pods: readonly Pick<Pod, 'metadata' | 'spec'>[],
): { readonly pod: string; readonly path: string; readonly message: string }[] {
  const { length } = declaredParameters(pods);
  const [first] = pods;
  if (length > DECLARED_PARAMETERS_MAX && first !== undefined) {
    const pod = first.metadata?.name ?? '';
    const message = `the bundle's pods ask for ${length} parameters of the node, the limit is ${DECLARED_PARAMETERS_MAX}`;
    return [{ pod, path: NODE_PARAMETERS_PATH, message }];
  }
  if (length > 0) return [];
  return pods.flatMap(pod =>
    parameterUses(pod)
      .filter(({ optional }) => !optional)
      .map(({ path }) => {
        const name = pod.metadata?.name ?? '';
        const message =
          `${path}: ConfigMap "${NODE_CONFIG_MAP}" has the keys that the bundle declares, and it declares none: ` +
          `name them in the pod's annotation ${NODE_PARAMETERS}: "site, camera-url"`;
        return { pod: name, path, message };
      }),
  );
}
