/**
 * The first ConfigMap or Secret that a pod needs and that is not there: asked before anything of the pod is made.
 *
 * Goes beyond the kubelet, which makes sandbox and containers first (pain P12). What is optional is not asked for.
 * Pure.
 */
import { usedVolumes } from './used-volumes.js';
import type { ConfigObject, ConfigObjects } from '../pods/config-objects.js';
import type { DesiredPod, Rejection } from '../pods/desired.js';
import { NODE_CONFIG_MAP, parameterHint } from '../../protocol/node-parameters.js';
import { podNamespace, type Container, type ValidPod } from '../../protocol/pod.js';

export interface MissingObject {
  /** The field that names it. */
  readonly path: string;
  /** A sentence that begins with the path. */
  readonly message: string;
  readonly kind: ConfigObject['kind'];
}

interface Need {
  readonly kind: ConfigObject['kind'];
  readonly name: string;
  /** Empty: the object is enough. */
  readonly keys: readonly string[];
  readonly path: string;
}

interface Named {
  readonly name?: string;
  readonly optional?: boolean;
}

function needOf(
  kind: ConfigObject['kind'],
  named: (Named & { key?: string; items?: readonly { key: string }[] }) | undefined,
  path: string,
): Need[] {
  if (named === undefined || named.optional === true) return [];
  const keys = [
    ...(named.key === undefined ? [] : [named.key]),
    ...(named.items ?? []).map(({ key }) => key),
  ];
  return [{ kind, name: named.name ?? '', keys, path }];
}

function ofVolumes(pod: ValidPod): Need[] {
  return usedVolumes(pod).flatMap(({ volume: { configMap, secret, projected }, index }) => {
    const at = `spec.volumes[${index}]`;
    const { secretName: name = '', ...rest } = secret ?? {};
    return [
      ...needOf('ConfigMap', configMap, `${at}.configMap`),
      ...(secret === undefined ? [] : needOf('Secret', { ...rest, name }, `${at}.secret`)),
      ...(projected?.sources ?? []).flatMap((source, number) => {
        const path = `${at}.projected.sources[${number}]`;
        return [
          ...needOf('ConfigMap', source.configMap, `${path}.configMap`),
          ...needOf('Secret', source.secret, `${path}.secret`),
        ];
      }),
    ];
  });
}

function ofContainer({ env = [], envFrom = [] }: Container, at: string): Need[] {
  return [
    ...envFrom.flatMap(({ configMapRef, secretRef }, index) => [
      ...needOf('ConfigMap', configMapRef, `${at}.envFrom[${index}].configMapRef`),
      ...needOf('Secret', secretRef, `${at}.envFrom[${index}].secretRef`),
    ]),
    ...env.flatMap(({ valueFrom }, index) => {
      const path = `${at}.env[${index}].valueFrom`;
      return [
        ...needOf('ConfigMap', valueFrom?.configMapKeyRef, `${path}.configMapKeyRef`),
        ...needOf('Secret', valueFrom?.secretKeyRef, `${path}.secretKeyRef`),
      ];
    }),
  ];
}

/** Null when all that the pod needs is there. */
export function missingObject(pod: ValidPod, objects: ConfigObjects): MissingObject | null {
  const namespace = podNamespace(pod);
  const needs = [
    ...ofVolumes(pod),
    ...(['initContainers', 'containers'] as const).flatMap(list =>
      (pod.spec[list] ?? []).flatMap((one, index) => ofContainer(one, `spec.${list}[${index}]`)),
    ),
  ];
  for (const { kind, name, keys, path } of needs) {
    const what = `${kind.toLowerCase()} "${name}"`;
    const found = objects.find({ kind, namespace, name });
    if (found === null) {
      const message = `${path}: ${what} not found in namespace ${namespace}`;
      return { path, message, kind };
    }
    const key = keys.find(one => !found.data.has(one));
    if (key === undefined) continue;
    const hint = name === NODE_CONFIG_MAP && kind === 'ConfigMap' ? hintOf(pod, key) : '';
    const message = `${path}: ${what} in namespace ${namespace} has no key "${key}"${hint}`;
    return { path, message, kind };
  }
  return null;
}

/** What a bundle's pods see of the node's own parameters is given at the hub. */
function hintOf({ spec }: ValidPod, key: string): string {
  return `: ${parameterHint(spec.nodeName ?? 'NODE', [key])}`;
}

/** The gate of admission: the pod waits until the document appears. */
export function missingObjectGate({ pod, objects }: DesiredPod): Rejection | null {
  const missing = missingObject(pod, objects);
  if (missing === null) return null;
  const { kind, message } = missing;
  return { phase: 'Pending', reason: `Missing${kind}`, message, againAt: null };
}
