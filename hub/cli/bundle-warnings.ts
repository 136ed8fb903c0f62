/**
 * What of a bundle the nodes will not run unless their owners allow it: said when it is applied, decided on the nodes.
 * Pure.
 */
import { bindingsOf } from '../../protocol/image-binding.js';
import { defaultPullPolicy, withDefaults } from '../../protocol/pod-defaults.js';
import {
  BUNDLE_DEFAULT,
  checkPodSecurity,
  NO_EXCEPTIONS,
  podSecurityMessage,
} from '../../protocol/pod-security-standards.js';
import { SECRET_ENV_WHY, secretEnvUses } from '../../protocol/pod-secrets.js';
import { unheardAnnotations } from '../../protocol/pod-own-annotations.js';
import { allContainers, type ValidPod } from '../../protocol/pod.js';
import type { BundleStrategy, ImageEntry } from '../../protocol/documents/bundle.js';
import { parseLongDurationMs } from '../../protocol/duration.js';
import { openAt, readWindows, windowText } from '../../protocol/maintenance-window.js';
import type { BundleObjectStatus, BundleSpec } from '../objects.js';
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';

/** One line for each pod that breaks the policy that nodes have by default. */
export function podSecurityWarnings(pods: readonly ValidPod[]): string[] {
  const { level, minHostPort } = BUNDLE_DEFAULT;
  return pods.flatMap(pod => {
    const violations = checkPodSecurity(withDefaults(pod), level, {
      ...NO_EXCEPTIONS,
      minHostPort,
    });
    if (violations.length === 0) return [];
    const message = podSecurityMessage(level, violations);
    return [`Warning: pod "${pod.metadata.name}" ${message}; nodes refuse that by default`];
  });
}

/** One line for each annotation of ours that nobody takes notice of. */
export function annotationWarnings(pods: readonly ValidPod[]): string[] {
  return pods.flatMap(pod =>
    unheardAnnotations(pod).map(({ path, key, near }) => {
      const what = path.endsWith('fieldPath')
        ? `${key} has no value`
        : 'nobody reads this annotation';
      const meant = near === null ? '' : `: did you mean "${near}"?`;
      return `Warning: pod "${pod.metadata.name}" ${path}: ${what}${meant}`;
    }),
  );
}

/** One line for each Secret that a pod wants as a variable. */
export function secretEnvWarnings(pods: readonly ValidPod[]): string[] {
  return pods.flatMap(pod =>
    secretEnvUses(pod).map(
      ({ secret, path }) =>
        `Warning: pod "${pod.metadata.name}" ${path}: nodes refuse a sealed Secret ("${secret}") as an environment variable by ` +
        `default: ${SECRET_ENV_WHY}; mount it as a volume, or set allowSecretEnv: true on the nodes`,
    ),
  );
}

/**
 * One line for each pod that runs now and may take as long to end as its successor has to begin: a node waits for it, so
 * that a revision that is no good is given up that much later.
 */
export function graceWarnings(
  running: readonly BundleManifest[],
  { progressDeadlineSeconds: deadline }: BundleStrategy,
): string[] {
  return running.filter(isPod).flatMap(pod => {
    const grace = withDefaults(pod).spec.terminationGracePeriodSeconds ?? 0;
    if (deadline > grace) return [];
    const { name } = pod.metadata;
    return [
      `Warning: pod "${name}", which runs now, has up to ${grace} s to end (terminationGracePeriodSeconds): the progress ` +
        `deadline of ${deadline} s counts from its end`,
    ];
  });
}

/** One line for each window that is over before a revision that began in it has to be healthy. */
export function windowWarnings({
  progressDeadlineSeconds: deadline,
  maintenanceWindows: windows = [],
}: BundleStrategy): string[] {
  return windows
    .filter(({ duration }) => (parseLongDurationMs(duration) ?? 0) < deadline * 1000)
    .map(
      window =>
        `Warning: window "${windowText(window)}" is shorter than the progress deadline of ${deadline} s: a revision may be ` +
        'given up, and the former one put back, after it has closed',
    );
}

/** People write windows of a day, a week, a month. */
const SOON_MS = 35 * 86_400_000;

/** Where none of the windows opens soon: it may be meant so, or the schedule be written wrongly. `now`: milliseconds since 1970. */
export function farWindowWarnings(
  { maintenanceWindows: windows = [] }: BundleStrategy,
  now: number,
): string[] {
  if (windows.length === 0) return [];
  const at = openAt([readWindows(windows)], now);
  if (at !== null && at <= now + SOON_MS) return [];
  const texts = windows.map(window => `"${windowText(window)}"`).join(' and ');
  const when =
    at === null
      ? 'never opens'
      : `opens ${new Date(at).toISOString().slice(0, 16)}Z for the first time, in ${Math.floor((at - now) / 86_400_000)} days`;
  return [`Warning: window ${texts} ${when}: nodes wait until then`];
}

/** One line for each image that no node can be alone-ready with, where the rollout requires that. */
export function aloneWarnings(
  pods: readonly ValidPod[],
  { require = [] }: BundleStrategy,
  images: readonly ImageEntry[],
): string[] {
  if (!require.includes('aloneReady')) return [];
  const bound = bindingsOf(images);
  const asked = pods.flatMap(pod =>
    allContainers(pod).flatMap(({ image = '', imagePullPolicy }) => {
      const policy = imagePullPolicy ?? defaultPullPolicy(image);
      return policy === 'Always' && !bound.has(image) ? image : [];
    }),
  );
  return [...new Set(asked)].map(
    image =>
      `Warning: image "${image}" has imagePullPolicy Always, which asks the registry at each start: no node becomes ` +
      'alone-ready with it; --pin, or imagePullPolicy: IfNotPresent',
  );
}

/** What runs: the same warning of it would say nothing new. */
interface Running {
  readonly manifests: readonly BundleManifest[];
  /** Nodes where it is healthy: their owners allow it. */
  readonly healthy: number;
}

/** Pure. */
export function runningOf({
  spec,
  status,
}: {
  readonly spec: Pick<BundleSpec, 'manifests'>;
  readonly status?: Pick<BundleObjectStatus, 'nodes'>;
}): Running {
  return { manifests: spec.manifests, healthy: status?.nodes.healthy ?? 0 };
}

/** All that a person is to know before nodes say it; not again what nodes showed by running it. `running`: null for a new bundle. */
export function bundleWarnings(
  pods: readonly ValidPod[],
  running: Running | null = null,
): string[] {
  const all = (of: readonly ValidPod[]) => [...podSecurityWarnings(of), ...secretEnvWarnings(of)];
  const isShown = running !== null && running.healthy > 0;
  const known = new Set(isShown ? all(running.manifests.filter(isPod)) : []);
  return [...all(pods).filter(warning => !known.has(warning)), ...annotationWarnings(pods)];
}
