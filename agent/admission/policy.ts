/**
 * What the owner of a node lets pods do, source by source, and the gate that holds them to it: Pod Security Standards,
 * and lists of host paths and images.
 *
 * A kubelet has nothing of the kind (behaviour row 163): what lies in its directory may do anything. So may local files
 * here unless the owner says otherwise; bundles come over the network and may not. The hub has no say. Pure.
 */
import { rejected } from './gate.js';
import { describePattern, imageMatches, type ImagePattern } from './images.js';
import type { DesiredPod, Rejection } from '../pods/desired.js';
import { locatedContainers, type Pod, type ValidPod } from '../../protocol/pod.js';
import { withDefaults } from '../../protocol/pod-defaults.js';
import { NO_BINDINGS, type ImageBindings } from '../../protocol/image-binding.js';
import { parseImageReference } from '../../protocol/pod-image.js';
import { isBelow } from '../../protocol/release-scope.js';
import {
  BUNDLE_DEFAULT,
  checkPodSecurity,
  podSecurityMessage,
  type PodSecurityLevel,
} from '../../protocol/pod-security-standards.js';

export type PolicySource = DesiredPod['source'];
export const POLICY_SOURCES: readonly PolicySource[] = ['bundle', 'file', 'http'];

export interface HostPathRule {
  /** Absolute, without a trailing slash; allows itself and all below it. Links are followed when it is mounted. */
  readonly prefix: string;
  /** True: every mount of it must be read-only. */
  readonly readOnly: boolean;
}

export interface SourcePolicy {
  readonly podSecurity: PodSecurityLevel;
  /** Host ports from this number up are no offence; null: all are. Without meaning for privileged. */
  readonly minHostPort: number | null;
  /** Null: the level alone decides. Else these and no others, at whatever level. */
  readonly hostPaths: readonly HostPathRule[] | null;
  /** Null: any image. */
  readonly images: readonly ImagePattern[] | null;
  readonly requireDigests: boolean;
}

export type AdmissionPolicy = Readonly<Record<PolicySource, SourcePolicy>>;

const PRIVILEGED: SourcePolicy = {
  podSecurity: 'privileged',
  minHostPort: null,
  hostPaths: null,
  images: null,
  requireDigests: false,
};

export const DEFAULT_POLICY: AdmissionPolicy = {
  bundle: {
    ...PRIVILEGED,
    podSecurity: BUNDLE_DEFAULT.level,
    minHostPort: BUNDLE_DEFAULT.minHostPort,
  },
  file: PRIVILEGED,
  http: PRIVILEGED,
};

/** Read-write rules first: the most that the list allows for the path. */
function ruleFor(path: string, rules: readonly HostPathRule[]): HostPathRule | null {
  const found = rules.filter(({ prefix }) => isBelow(path, prefix));
  return found.find(({ readOnly }) => !readOnly) ?? found[0] ?? null;
}

function describeRules(rules: readonly HostPathRule[]): string {
  if (rules.length === 0) return 'none is allowed';
  const all = rules.map(({ prefix, readOnly }) => (readOnly ? `${prefix} (read-only)` : prefix));
  return `allowed: ${all.join(', ')}`;
}

/** The first mount through which the volume could be written. */
function writableMount(pod: Pod, volume: string): string | null {
  for (const { container, at } of locatedContainers(pod)) {
    const mounts = container.volumeMounts ?? [];
    const index = mounts.findIndex(({ name, readOnly }) => name === volume && readOnly !== true);
    if (index !== -1) return `${at}.volumeMounts[${index}].readOnly`;
  }
  return null;
}

function hostPathOffence(pod: Pod, rules: readonly HostPathRule[], list: string): string | null {
  for (const [index, { name, hostPath }] of (pod.spec?.volumes ?? []).entries()) {
    if (hostPath === undefined) continue;
    const at = `spec.volumes[${index}].hostPath`;
    const rule = ruleFor(hostPath.path, rules);
    if (rule === null) {
      return `${at}.path: ${hostPath.path} is not in ${list} (${describeRules(rules)})`;
    }
    if (!rule.readOnly) continue;
    const only = `${list} allows ${rule.prefix} for reading only`;
    if (hostPath.type?.endsWith('OrCreate') === true) {
      return `${at}.type: ${hostPath.type} could create it, and ${only}`;
    }
    const mount = writableMount(pod, name);
    if (mount !== null) return `${mount}: must be true: ${only}`;
  }
  return null;
}

/** What is to be looked up on the node before `linkOffence` is asked; empty where the policy lists no host paths. */
export function pathsToFollow(pod: Pod, { hostPaths }: SourcePolicy): readonly string[] {
  if (hostPaths === null) return [];
  const used = (pod.spec?.volumes ?? []).flatMap(({ hostPath }) => hostPath?.path ?? []);
  return used.length === 0 ? [] : [...used, ...hostPaths.map(({ prefix }) => prefix)];
}

/**
 * A host path that is in the list as it is written, and leads out of it by a symbolic link. `real`: where each path of
 * `pathsToFollow` leads; a prefix that is a link itself stands for what it leads to.
 */
export function linkOffence(
  pod: Pod,
  source: PolicySource,
  { policy, real }: { policy: AdmissionPolicy; real: ReadonlyMap<string, string> },
): string | null {
  const { hostPaths } = policy[source];
  if (hostPaths === null) return null;
  const leads = (path: string) => real.get(path) ?? path;
  const rules = hostPaths.map(({ prefix, readOnly }) => ({ prefix: leads(prefix), readOnly }));
  const volumes = (pod.spec?.volumes ?? []).map(({ hostPath, ...volume }) =>
    hostPath === undefined
      ? volume
      : { ...volume, hostPath: { ...hostPath, path: leads(hostPath.path) } },
  );
  const leading = { ...pod, spec: { ...pod.spec, volumes } } as Pod;
  const offence = hostPathOffence(leading, rules, `admission.${source}.hostPaths`);
  return offence === null ? null : `symbolic links followed: ${offence}`;
}

interface UsedImage {
  readonly image: string;
  readonly path: string;
}

function imagesOf(pod: Pod): UsedImage[] {
  const volumes = (pod.spec?.volumes ?? []) as readonly { image?: { reference?: string } }[];
  return [
    ...locatedContainers(pod).map(({ container, at }) => ({
      image: container.image ?? '',
      path: `${at}.image`,
    })),
    ...volumes.flatMap(({ image }, index) =>
      image === undefined
        ? []
        : [{ image: image.reference ?? '', path: `spec.volumes[${index}].image.reference` }],
    ),
  ].filter(({ image }) => image !== '');
}

/** A digest in the reference, or the word of the bundle that it comes from. */
function hasDigest(image: string, bindings: ImageBindings): boolean {
  return (parseImageReference(image)?.digest ?? null) !== null || bindings.has(image);
}

/**
 * Why the policy keeps a pod of this source from starting. Expects a pod with its defaults; `bindings`: what its bundle binds its
 * images to.
 */
export function policyRejection(
  pod: Pod,
  source: PolicySource,
  { policy, bindings }: { readonly policy: AdmissionPolicy; readonly bindings: ImageBindings },
): Rejection | null {
  const { podSecurity, minHostPort, hostPaths, images, requireDigests } = policy[source];
  const hostPathsAreListed = hostPaths !== null;
  const violations = checkPodSecurity(pod, podSecurity, { minHostPort, hostPathsAreListed });
  if (violations.length > 0) {
    return rejected('PodSecurity', podSecurityMessage(podSecurity, violations));
  }
  const list = (name: string) => `admission.${source}.${name}`;
  const offence = hostPaths && hostPathOffence(pod, hostPaths, list('hostPaths'));
  if (offence !== null) return rejected('HostPathNotAllowed', offence);
  for (const { image, path } of imagesOf(pod)) {
    if (images !== null && !images.some(pattern => imageMatches(image, pattern))) {
      const allowed = images.length === 0 ? 'none' : images.map(describePattern).join(', ');
      const message = `${path}: ${image} is not in ${list('images')} (allowed: ${allowed})`;
      return rejected('ImageNotAllowed', message);
    }
    if (requireDigests && !hasDigest(image, bindings)) {
      const message = `${path}: ${image} has no digest, which ${list('requireDigests')} demands`;
      const or = source === 'bundle' ? ', or apply with --pin' : '';
      return rejected('DigestRequired', `${message}; write name@sha256:…${or}`);
    }
  }
  return null;
}

/** The same as a sentence, for a pod of a bundle that is about to be staged; null lets it pass. */
export function bundleRefusal(
  policy: AdmissionPolicy,
): (pod: ValidPod, bindings?: ImageBindings) => string | null {
  return (pod, bindings = NO_BINDINGS) => {
    const found = policyRejection(withDefaults(pod), 'bundle', { policy, bindings });
    return found && `${found.reason}: ${found.message}`;
  };
}

/** For `/configz`: what holds, defaults filled in, as the configuration file would say it. */
export function describePolicy(policy: AdmissionPolicy): Readonly<Record<PolicySource, object>> {
  const one = (source: PolicySource) => {
    const { podSecurity, minHostPort, hostPaths, images, requireDigests } = policy[source];
    return {
      podSecurity,
      ...(podSecurity === 'privileged' ? {} : { minHostPort }),
      ...(hostPaths === null ? {} : { hostPaths }),
      ...(images === null ? {} : { images: images.map(describePattern) }),
      requireDigests,
    };
  };
  return { bundle: one('bundle'), file: one('file'), http: one('http') };
}
