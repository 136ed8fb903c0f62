/**
 * Manifests: YAML and JSON as files of a person or answers of a web server, and canonical JSON as blobs of a bundle; from the text to
 * the pods as they would be run.
 */
import { isDeepStrictEqual } from 'node:util';
import { mergeSources, NOTHING_DESIRED, type SourcePod } from '../../../agent/pods/desired.js';
import { parseManifests, type Parsed } from '../../../agent/sources/parse-manifests.js';
import { bundleOfDaemonSet } from '../../../hub/daemonset/daemonset.js';
import { parseSelector } from '../../../hub/selectors.js';
import { checkManifests } from '../../../hub/rollout/check-manifests.js';
import { validateBundleManifest } from '../../../protocol/bundle-manifest.js';
import { canonicalJson, parseCanonical } from '../../../protocol/canonical.js';
import { MANIFEST_BYTES_MAX } from '../../../protocol/limits.js';
import { listItems, readManifests, type ManifestDocument } from '../../../protocol/manifest.js';
import { checkPodSecurity, POD_SECURITY_LEVELS } from '../../../protocol/pod-security-standards.js';
import { NO_EXCEPTIONS } from '../../../protocol/pod-security-violation.js';
import { podSummary } from '../../../protocol/pod-summary.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { podManifest, configMapManifest, NOW } from '../../support/fleet.js';
import { ACCEPTED, BrokenPromise, parsed, refused, type Outcome, type Target } from '../target.js';
import { manifestVectors } from '../vectors.js';

/** Seeds of more make every run slow, and show no more. */
const SEED_BYTES_MAX = 4 * 1024;
/** In every Secret of the seeds: never to be told. */
const CANARY = 'hunter2canary';

const OPTIONS = {
  ...{ origin: 'web.yaml', isOwned: false, secretFault: null },
  duplicates: 'refused',
} as const;

function valuesOf(text: string): readonly unknown[] | null {
  const reading = readManifests(text, { source: 'again' });
  return reading.ok ? reading.documents.map(({ value }) => value) : null;
}

/** What was read means the same when it is written as JSON, and that the same when it is read as YAML. */
function meansOne({ value }: ManifestDocument): void {
  const json = JSON.stringify(value);
  const again = valuesOf(json);
  if (again === null || !isDeepStrictEqual(again[0] ?? {}, value)) {
    throw new BrokenPromise('a document is another one, or none, when it is written as JSON');
  }
  // YAML has no key of more than 1024 characters in one line; nothing else keeps it from reading JSON.
  const yaml = valuesOf(`--- ${json}`);
  if (yaml === null && !/"(?:[^"\\]|\\.){900}/.test(json)) {
    throw new BrokenPromise('YAML refuses what JSON reads');
  }
  if (yaml !== null && !isDeepStrictEqual(yaml[0] ?? {}, value)) {
    throw new BrokenPromise('YAML reads something else than JSON');
  }
}

function places(document: ManifestDocument): void {
  for (const path of ['', 'metadata.name', 'spec.containers[0].image', 'spec.nothing[3].there']) {
    const { line, column } = document.position(path);
    if (!(line >= 1 && column >= 1)) throw new BrokenPromise(`${path} stands at ${line}:${column}`);
  }
  for (const item of listItems(document) ?? []) item.where('metadata.name');
}

function keepsSecrets(text: string, result: Parsed): void {
  if (result.ok || !/\bkind["']?\s*:\s*["']?Secret|\bstringData\b/.test(text)) return;
  const told = JSON.stringify(result);
  if (told.includes(CANARY)) throw new BrokenPromise('a value of a Secret is told');
}

/** As the agent would run it, and the same once more from what it is kept as. */
function runs(pods: readonly SourcePod[]): void {
  const snapshot = {
    ...{ kind: 'file' as const, complete: true, pods },
    ...{ refused: [], conditions: [], objects: [] },
  };
  const input = {
    previous: NOTHING_DESIRED,
    running: new Set<string>(),
    nodeName: 'Edge1',
    now: NOW,
  };
  const desired = mergeSources({ ...input, snapshots: [snapshot] });
  const again = pods.map(one => {
    const result = parseManifests(Buffer.from(canonicalJson(one.manifest)), OPTIONS);
    const [manifest] = result.ok ? result.pods.map(pod => pod.manifest) : [];
    if (manifest === undefined || canonicalJson(manifest) !== canonicalJson(one.manifest)) {
      throw new BrokenPromise('an accepted pod is another one, or none, when it is read again');
    }
    return { ...one, manifest };
  });
  const same = mergeSources({ ...input, snapshots: [{ ...snapshot, pods: again }] });
  const uids = (of: typeof same) => of.pods.map(({ uid, sandboxHash }) => [uid, sandboxHash]);
  if (!isDeepStrictEqual(uids(desired), uids(same))) {
    throw new BrokenPromise('a pod has another uid when its manifest is read again');
  }
  for (const { pod } of desired.pods) judged(pod);
}

function judged(pod: ValidPod): void {
  for (const level of POD_SECURITY_LEVELS) checkPodSecurity(pod, level, NO_EXCEPTIONS);
  podSummary({ spec: pod.spec, status: {} }, NOW);
}

/** What a hub would make of it. */
function converts(value: ManifestDocument['value']): Outcome {
  const result = bundleOfDaemonSet(value);
  if (!result.ok) return parsed(result.errors.map(({ message }) => message)[0] ?? '');
  const { pod, nodeSelector } = result.bundle;
  if (!validateBundleManifest(pod).ok) throw new BrokenPromise('its pod is no part of a bundle');
  parseSelector(nodeSelector);
  return ACCEPTED;
}

function readFile(input: Buffer): Outcome {
  const text = input.toString('latin1');
  const reading = readManifests(input, { source: 'web.yaml' });
  const result = parseManifests(input, OPTIONS);
  keepsSecrets(text, result);
  if (!reading.ok) {
    if (result.ok) throw new BrokenPromise('a text that cannot be read gave pods');
    return refused(result.message);
  }
  for (const document of reading.documents) {
    meansOne(document);
    places(document);
    if (document.value['kind'] === 'DaemonSet') return converts(document.value);
  }
  if (!result.ok) return parsed(result.message);
  runs(result.pods);
  return result.pods.length + result.objects.length > 0 ? ACCEPTED : parsed('nothing in it');
}

/** A blob of a bundle, as the node reads it, and the hub when it is applied. */
function readBlob(input: Buffer): Outcome {
  const read = parseCanonical(input, { bytesMax: MANIFEST_BYTES_MAX, what: 'manifest' });
  if (!read.ok) return refused(read.refusal.detail);
  const result = validateBundleManifest(read.value);
  if (!result.ok) {
    // The readers of messages cut lists of errors; one error alone has its own limit.
    return parsed(result.errors.map(({ message }) => message)[0] ?? '');
  }
  const { manifest } = result;
  const again = validateBundleManifest(JSON.parse(canonicalJson(manifest)));
  if (!again.ok || canonicalJson(again.manifest) !== canonicalJson(manifest)) {
    throw new BrokenPromise('an accepted manifest is another one, or none, when it is read again');
  }
  const namespace = manifest.metadata?.namespace || 'default';
  const { causes } = checkManifests([manifest], { namespace, podsMax: 1 });
  if (causes.length > 0) throw new BrokenPromise(`the hub refuses it: ${causes[0]?.message}`);
  if (result.kind === 'Pod') {
    const source = {
      manifest: result.manifest,
      origin: 'blob',
      bundle: null,
      manifestDigest: null,
    };
    runs([source]);
  }
  return ACCEPTED;
}

const secret = {
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } },
  stringData: { password: CANARY },
};
const daemonSet = {
  ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'd', labels: { a: 'b' } } },
  spec: {
    selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'Exists' }] },
    ...{ minReadySeconds: 5, updateStrategy: { rollingUpdate: { maxUnavailable: '10%' } } },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: {
        ...{ containers: [{ name: 'main', image: 'web:1' }], nodeSelector: { site: 'north' } },
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: 'ram', operator: 'Gt', values: ['4'] }] },
              ],
            },
          },
        },
      },
    },
  },
};
const list = { apiVersion: 'v1', kind: 'List', items: [podManifest('a'), configMapManifest('b')] };

function small(seeds: readonly Buffer[]): readonly Buffer[] {
  return seeds.filter(seed => seed.length <= SEED_BYTES_MAX);
}

/** The documents of good vectors, each for itself. */
function documents(): readonly unknown[] {
  const texts = [...manifestVectors('.yaml'), ...manifestVectors('.json')];
  return small(texts).flatMap(text => valuesOf(text.toString()) ?? []);
}

export function targets(): Target[] {
  const json = [...documents().flat(), secret, list, daemonSet].map(one =>
    Buffer.from(JSON.stringify(one)),
  );
  const blobs = documents().map(one => Buffer.from(canonicalJson(one)));
  const yamlSecret = Buffer.from(
    `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  password: ${CANARY}\n`,
  );
  return [
    {
      name: 'manifest/yaml',
      form: 'text',
      seeds: [...small(manifestVectors('.yaml')), yamlSecret],
      words: [
        '---\n',
        '<<: ',
        '*a',
        '&a ',
        '!!str ',
        '? ',
        '- ',
        '|\n  ',
        '>-\n',
        "'",
        '"',
        '#',
        '~',
      ],
      ...{ bytesMax: SEED_BYTES_MAX, share: 0.4 },
      run: readFile,
    },
    {
      name: 'manifest/json',
      form: 'json',
      seeds: json,
      ...{ bytesMax: SEED_BYTES_MAX, share: 0.4 },
      run: readFile,
    },
    {
      name: 'manifest/blob',
      form: 'canonical',
      seeds: blobs,
      ...{ bytesMax: SEED_BYTES_MAX, share: 0.4 },
      run: readBlob,
    },
  ];
}
