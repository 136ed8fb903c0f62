/** What a person reads before signing: everything in a bundle that can do harm, and what changed. Pure. */
import { counted } from '../../protocol/counted.js';
import { isConfigMap, isPod } from '../../protocol/bundle-manifest.js';
import type { ReleaseRole, ReleaseScope } from '../../protocol/documents/root.js';
import { describeHostPort, hostPortsOf } from '../../protocol/host-ports.js';
import { bindingsOf, type ImageBindings } from '../../protocol/image-binding.js';
import { locatedContainers, type ValidPod } from '../../protocol/pod.js';
import { withDefaults } from '../../protocol/pod-defaults.js';
import {
  BUNDLE_DEFAULT,
  checkPodSecurity,
  NO_EXCEPTIONS,
  podSecurityMessage,
} from '../../protocol/pod-security-standards.js';
import { labelText, outOfScope } from '../../protocol/release-scope.js';
import type { BundleFile } from '../signing/bundle-file.js';
import type { SignatureCount } from '../signing/signature-count.js';
import { renderDiff, renderStrategyDiff } from './bundle-diff.js';
import { changesBetween } from './manifest-changes.js';
import { pinLines } from './pin-images.js';
import { strategyText } from './strategy-options.js';

const WIDTH = 14;
const field = (name: string, value: string) => `${name.padEnd(WIDTH)}${value}`;
const below = (name: string, value: string) => `  ${name.padEnd(WIDTH - 2)}${value}`;

/** `a`, or what stands for an empty list. */
function listed(values: readonly string[], none: string): string {
  return values.length === 0 ? none : values.join(', ');
}

/**
 * Control characters and those that turn the direction of writing, spelt out: a manifest must not paint over what the person
 * reads.
 */
export function harmless(line: string): string {
  return line.replace(
    /[^\P{C}\t]|[\u2028\u2029]/gu,
    c => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

export function describeBundleFile(file: BundleFile): string[] {
  return describe(file).map(harmless);
}

function describe(file: BundleFile): string[] {
  const { document, digest } = file;
  const { requires } = document;
  const bindings = bindingsOf(document.images);
  const bytes = document.manifests.reduce((sum, { size }) => sum + size, 0);
  const hardware =
    requires.hardware.length === 0 ? [] : [`hardware ${requires.hardware.join(', ')}`];
  const needs = [
    requires.arch.length === 0 ? 'any architecture' : requires.arch.join(', '),
    ...hardware,
    ...(requires.minAgent === null ? [] : [`agent ${requires.minAgent} or newer`]),
  ];
  const maps = file.manifests.filter(isConfigMap);
  return [
    field('Bundle:', `${document.namespace}/${document.name}`),
    field('Revision:', String(document.revision)),
    field('Digest:', `sha256:${digest}`),
    field('Fleet:', document.fleet),
    field('Made:', document.issued),
    field('Undo down to:', `revision ${document.rollbackFloor}`),
    field('Nodes:', needs.join('; ')),
    field('Judged by:', strategyText(document.strategy)),
    field('Content:', `${counted(document.manifests.length, 'manifest')}, ${bytes} bytes`),
    ...(document.secrets.length === 0 ? [] : [field('Secrets:', document.secrets.join(', '))]),
    ...(document.parameters === undefined
      ? []
      : [field('Parameters:', document.parameters.join(', '))]),
    ...file.manifests.filter(isPod).flatMap(pod => describePod(pod, bindings)),
    ...maps.flatMap(map => [
      `ConfigMap ${map.metadata?.name ?? ''}`,
      below('keys', listed(Object.keys({ ...map.data, ...map.binaryData }), 'none')),
    ]),
  ];
}

/** What a pod asks for that can do harm, and what its images are bound to; not yet `harmless`. */
export function describePod(pod: ValidPod, bindings: ImageBindings): string[] {
  const whole = withDefaults(pod);
  const images = locatedContainers(pod).map(({ container }) => {
    const image = container.image ?? '';
    const digest = bindings.get(image)?.[0];
    if (digest !== undefined) return below('image', `${image}  (pinned to ${digest})`);
    const isPinned = /@sha256:[0-9a-f]{64}$/.test(image);
    return below('image', `${image}${isPinned ? '  (pinned)' : '  NOT PINNED: a tag can move'}`);
  });
  const hostPaths = (pod.spec.volumes ?? []).flatMap(({ name, hostPath }) => {
    if (hostPath === undefined) return [];
    const isReadOnly = locatedContainers(pod)
      .flatMap(({ container }) => container.volumeMounts ?? [])
      .filter(mount => mount.name === name)
      .every(mount => mount.readOnly === true);
    return below('host path', `${hostPath.path}${isReadOnly ? '  (read only)' : '  (WRITABLE)'}`);
  });
  const ports = hostPortsOf(pod).map(port => below('host port', describeHostPort(port)));
  return [`Pod ${pod.metadata.name}`, ...images, ...hostPaths, ...ports, ...privileges(whole)];
}

/** The strictest level of the Pod Security Standards that it keeps to, and what keeps it from `baseline`. */
function privileges(pod: Parameters<typeof checkPodSecurity>[0]): string[] {
  const { minHostPort } = BUNDLE_DEFAULT;
  const exceptions = { ...NO_EXCEPTIONS, minHostPort, hostPathsAreListed: true };
  const beyond = checkPodSecurity(pod, 'baseline', exceptions);
  if (beyond.length > 0) return [below('PRIVILEGES', podSecurityMessage('baseline', beyond))];
  const isRestricted = checkPodSecurity(pod, 'restricted', exceptions).length === 0;
  return [below('security', isRestricted ? 'restricted' : 'baseline')];
}

/** What signing this instead of the former one means: the head, then the manifests line by line. */
export function describeChanges(before: BundleFile, after: BundleFile): string[] {
  const { added, changed, removed } = changesBetween(before.manifests, after.manifests);
  const pins = pinLines(before.document.images, after.document.images);
  const head = [
    field('Since:', `revision ${before.document.revision}, sha256:${before.digest}`),
    field('Added:', listed(added, 'nothing')),
    field('Changed:', listed(changed, 'nothing')),
    field('Removed:', listed(removed, 'nothing')),
    ...pins,
  ];
  const diff =
    renderDiff(before.manifests, after.manifests) +
    renderStrategyDiff(before.document.strategy, after.document.strategy);
  const lines = diff === '' ? head : [...head, ...diff.trimEnd().split('\n')];
  return lines.map(harmless);
}

/** Who signed, as far as it can be told: without a root a signature is only somebody's. */
export function describeSignatures(file: BundleFile, count: SignatureCount | null): string[] {
  if (file.signatures.length === 0) return [field('Signatures:', 'none yet')];
  const lines = count
    ? count.verdicts.map(({ keyid, verdict }) => below(VERDICTS[verdict], keyid))
    : file.signatures.map(({ keyid }) => below('by', keyid));
  return [field('Signatures:', String(file.signatures.length)), ...lines];
}

const VERDICTS = { good: 'good', bad: 'BAD', foreign: 'foreign' } as const;

export function scopeText(scope: ReleaseScope): string {
  const { podSecurity, minHostPort, hostPaths, nodeLabels, maxNodes, threshold, keys } = scope;
  return [
    `pod security ${podSecurity}`,
    minHostPort === null ? 'no host ports' : `host ports from ${minHostPort}`,
    hostPaths.length === 0
      ? 'host paths as the level has it'
      : `host paths ${hostPaths.join(', ')}`,
    ...(Object.keys(nodeLabels).length === 0
      ? []
      : [`nodes enrolled with ${labelText(nodeLabels)}`]),
    ...(maxNodes === null ? [] : [`at most ${counted(maxNodes, 'node')}`]),
    `${threshold} of ${keys.length} keys`,
  ].join('; ');
}

/**
 * Who has to sign: `2 of the 3 release keys`. The fewest that are enough: a scope that covers all pods may want more of them
 * than the role, or certain ones.
 */
export function signersText(role: ReleaseRole | undefined, pods: readonly ValidPod[]): string {
  const { threshold = 1, keys = [], scopes = [] } = role ?? {};
  const covering = scopes.filter(scope => pods.every(pod => outOfScope(pod, [scope]) === null));
  const least = Math.min(...covering.map(scope => scope.threshold));
  const scope = covering.find(one => one.threshold === least);
  if (!scope || (scope.threshold <= threshold && scope.keys.length === keys.length))
    return `${threshold} of the ${keys.length} release keys`;
  const by = scope.keys.map(id => id.slice(0, 16)).join(', ');
  return `${Math.max(threshold, least)} of the release keys, ${least} of them of ${by},`;
}
