/**
 * What the sources want, merged into one set of pods: one pod per name, each with its identity, its defaults
 * and the digests that say when something of it has to be made again.
 *
 * Never guesses: until a source has spoken nothing that runs of it may be taken for unwanted; sources do not wait for
 * each other (kubelet behaviour row 44 done better). Two sources that want one name: the running one
 * stays (rows 27, 28, 45 done better). Pure.
 */
import type { BundleName, SourceCondition } from '../ports.js';
import { objectsFor, type ConfigObject, type ConfigObjects } from './config-objects.js';
import { mergeObjects } from './merge-objects.js';
import type { ObjectChoices } from './object-memory.js';
import { NO_BINDINGS, type ImageBindings } from '../../protocol/image-binding.js';
import {
  configHash,
  containerHashes,
  podFullName,
  podUid,
  sandboxHash,
} from '../../protocol/pod-identity.js';
import { withDefaults } from '../../protocol/pod-defaults.js';
import { podNamespace, type ValidPod } from '../../protocol/pod.js';

export const CONFIG_HASH = 'kubernetes.io/config.hash';
export const CONFIG_SOURCE = 'kubernetes.io/config.source';
export const CONFIG_SEEN = 'kubernetes.io/config.seen';

export type SourceKind = 'file' | 'http';

/** One pod as a source has it. */
export interface SourcePod {
  /** Validated, as its author wrote it. */
  readonly manifest: ValidPod;
  /** The file's name or the URL. */
  readonly origin: string;
  /** The bundle that owns the file; null for a pod that a person put there. */
  readonly bundle: BundleName | null;
  readonly manifestDigest: string | null;
  /** What its bundle binds its images to; left out: nothing. */
  readonly bindings?: ImageBindings;
  /** Why what its author wrote after this is not taken; left out when this is the newest. */
  readonly refusedEdit?: RefusedEdit;
}

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export interface RefusedEdit extends Refusal {
  /** SHA-256 of the bytes that are refused; null: none could be read. */
  readonly content: string | null;
}

/** A manifest that is refused but can be named. */
export interface RefusedPod {
  readonly namespace: string;
  readonly name: string;
  readonly origin: string;
  readonly bundle: BundleName | null;
  readonly reason: string;
  readonly message: string;
}

/** All that a source wants at one moment. */
export interface SourceSnapshot {
  readonly kind: SourceKind;
  /** False until the source could be read once: what it does not name may then not be stopped. */
  readonly complete: boolean;
  readonly pods: readonly SourcePod[];
  readonly refused: readonly RefusedPod[];
  readonly conditions: readonly SourceCondition[];
  /** ConfigMaps and Secrets that lie beside the pods. */
  readonly objects: readonly ConfigObject[];
}

/** A place that pods come from. */
export interface PodSource {
  snapshot(): SourceSnapshot;
  /** Called after each change of the snapshot; the returned function ends it. */
  onChange(listener: () => void): () => void;
}

export interface DesiredPod {
  /** `namespace/name`, the name with the node's suffix. */
  readonly key: string;
  readonly uid: string;
  readonly source: 'bundle' | 'file' | 'http';
  readonly origin: string;
  readonly bundle: BundleName | null;
  readonly manifestDigest: string | null;
  /** With defaults, suffixed name, uid, node name and the kubelet's annotations. */
  readonly pod: ValidPod;
  /** Whether its author wrote a `dnsPolicy`: who leaves it out asks for no cluster's DNS. */
  readonly namesDnsPolicy: boolean;
  /** Digest over what makes the sandbox. */
  readonly sandboxHash: string;
  /** What its bundle binds its images to; empty for what no bundle owns. */
  readonly bindings: ImageBindings;
  /** By container name. */
  readonly containerHashes: ReadonlyMap<string, string>;
  /** Set by admission: the pod is wanted and may not begin. */
  readonly rejection: Rejection | null;
  /** A later edit of its manifest was refused; this is the last good one. */
  readonly refusedEdit?: RefusedEdit;
  /** Its successor may not begin: this is the version that goes on in its place. */
  readonly heldEdit?: HeldEdit;
  readonly objects: ConfigObjects;
}

/** Why a pod may not begin now; what of it runs already goes on. */
export interface Rejection {
  /** `Failed` as the kubelet's admission has it (row 179); `Pending` for what only waits. */
  readonly phase: 'Failed' | 'Pending';
  /** CamelCase: `NodePorts`, `PodSecurity`, `MissingConfigMap` … */
  readonly reason: string;
  /** A sentence that names the field. */
  readonly message: string;
  /** When to ask again although nothing happens, milliseconds since 1970; null = events will tell. */
  readonly againAt: number | null;
}

export interface HeldEdit extends Rejection {
  /** Digest of the manifest that waits; null for what no bundle owns. */
  readonly manifest: string | null;
}

/** Two manifests for one pod: who stays, and what is said of the other. */
export interface Duplicate {
  readonly winner: DesiredPod;
  readonly condition: SourceCondition;
}

export interface Desired {
  /** Every source has spoken. */
  readonly complete: boolean;
  /** The kinds of sources that have: what runs of theirs and is not wanted may go (row 44 done better). */
  readonly spoken: ReadonlySet<string>;
  /** Sorted by key; one per key and per uid. */
  readonly pods: readonly DesiredPod[];
  readonly refused: readonly RefusedPod[];
  readonly conditions: readonly SourceCondition[];
  /** Their conditions are among `conditions`. */
  readonly duplicates: readonly Duplicate[];
  /** One per kind and name, and those of bundles beside them. */
  readonly objects: readonly ConfigObject[];
  readonly objectChoices: ObjectChoices;
}

export const NOTHING_DESIRED: Desired = {
  complete: false,
  spoken: new Set(),
  pods: [],
  refused: [],
  conditions: [],
  duplicates: [],
  objects: [],
  objectChoices: new Map(),
};

export interface MergeInput {
  readonly snapshots: readonly SourceSnapshot[];
  readonly previous: Desired;
  /** Uids of pods that have a sandbox or container on the engine. */
  readonly running: ReadonlySet<string>;
  /** By uid: what its newest containers were made from, their hashes by name. None when left out. */
  readonly made?: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The merge before knew nothing of the engine: what it chose need not be what runs. */
  readonly wasBlind?: boolean;
  /** Which objects were in force in the agent's life before this one. */
  readonly remembered?: ObjectChoices;
  readonly nodeName: string;
  readonly now: number;
}

const RANK = { bundle: 0, file: 1, http: 2 } as const;

function desiredPod(
  kind: SourceKind,
  from: SourcePod,
  input: MergeInput & { readonly objects: readonly ConfigObject[] },
): DesiredPod {
  const { nodeName, now } = input;
  const { manifest, bindings = NO_BINDINGS } = from;
  const origin = { node: nodeName, source: kind };
  const uid = podUid(manifest, origin);
  const name = podFullName(manifest.metadata.name, nodeName);
  const namespace = podNamespace(manifest);
  const hash = configHash(manifest);
  const before = input.previous.pods.find(pod => pod.uid === uid);
  const seen =
    before?.pod.metadata.annotations?.[CONFIG_HASH] === hash
      ? before.pod.metadata.annotations[CONFIG_SEEN]
      : undefined;
  const full = withDefaults(manifest, { source: kind });
  return {
    key: `${namespace}/${name}`,
    uid,
    source: from.bundle !== null ? 'bundle' : kind,
    origin: from.origin,
    bundle: from.bundle,
    manifestDigest: from.manifestDigest,
    pod: {
      ...full,
      metadata: {
        ...full.metadata,
        name,
        namespace,
        uid,
        annotations: {
          ...full.metadata.annotations,
          [CONFIG_HASH]: hash,
          [CONFIG_SEEN]: seen ?? new Date(now).toISOString(),
          [CONFIG_SOURCE]: kind,
        },
      },
      spec: { ...full.spec, nodeName },
    },
    namesDnsPolicy: manifest.spec.dnsPolicy !== undefined,
    sandboxHash: sandboxHash(manifest, origin),
    bindings,
    containerHashes: containerHashes(manifest, bindings),
    rejection: null,
    ...(from.refusedEdit === undefined ? {} : { refusedEdit: from.refusedEdit }),
    objects: objectsFor(input.objects, from.bundle),
  };
}

/** Of two with one uid, which the app containers do not change, the one that they were made from runs. */
function differences(pod: DesiredPod, made: ReadonlyMap<string, string> | undefined): number {
  if (made === undefined) return 0;
  const names = new Set([...made.keys(), ...pod.containerHashes.keys()]);
  return [...names].filter(name => made.get(name) !== pod.containerHashes.get(name)).length;
}

/** The running one, then the one chosen before, then bundle, file, URL, then the first name. */
function preferred(candidates: readonly DesiredPod[], input: MergeInput): DesiredPod[] {
  const isIncumbent = (pod: DesiredPod) =>
    input.wasBlind !== true &&
    input.previous.pods.some(
      ({ key, source, origin }) =>
        key === pod.key && source === pod.source && origin === pod.origin,
    );
  const score = (pod: DesiredPod) => [
    isIncumbent(pod) ? 0 : 1,
    input.running.has(pod.uid) ? 0 : 1,
    differences(pod, input.made?.get(pod.uid)),
    RANK[pod.source],
  ];
  return candidates.toSorted((a, b) => {
    const left = score(a);
    const right = score(b);
    const at = left.findIndex((value, index) => value !== right[index]);
    if (at !== -1) return (left[at] ?? 0) - (right[at] ?? 0);
    return a.origin < b.origin ? -1 : a.origin > b.origin ? 1 : 0;
  });
}

function conflict(loser: DesiredPod, winner: DesiredPod, what: string): SourceCondition {
  return {
    type: 'PodConflict',
    status: 'True',
    reason: 'Duplicate',
    message:
      `${loser.origin}: ${what} is already wanted by ${winner.origin}, which stays; ` +
      'remove one of the two or give it another name',
  };
}

/** Keeps the first of each group; the others become conditions. */
function oneEach(
  pods: readonly DesiredPod[],
  input: MergeInput,
  by: { keyOf: (pod: DesiredPod) => string; what: (pod: DesiredPod) => string },
): { kept: DesiredPod[]; duplicates: Duplicate[] } {
  const groups = new Map<string, DesiredPod[]>();
  for (const pod of pods) groups.set(by.keyOf(pod), [...(groups.get(by.keyOf(pod)) ?? []), pod]);
  const kept: DesiredPod[] = [];
  const duplicates: Duplicate[] = [];
  for (const group of groups.values()) {
    const [winner, ...losers] = preferred(group, input);
    if (winner === undefined) continue;
    kept.push(winner);
    for (const loser of losers) {
      duplicates.push({ winner, condition: conflict(loser, winner, by.what(loser)) });
    }
  }
  return { kept, duplicates };
}

/** The merged wishes; `complete` only when every source is. */
export function mergeSources(input: MergeInput): Desired {
  const objects = mergeObjects(
    input.snapshots.map(snapshot => snapshot.objects),
    { kept: input.previous.objects, remembered: input.remembered ?? new Map() },
  );
  const all = input.snapshots.flatMap(({ kind, pods }) =>
    pods.map(pod => desiredPod(kind, pod, { ...input, objects: objects.kept })),
  );
  const byKey = oneEach(all, input, { keyOf: pod => pod.key, what: pod => `the pod ${pod.key}` });
  const byUid = oneEach(byKey.kept, input, {
    keyOf: pod => pod.uid,
    what: pod => `the metadata.uid ${pod.uid}`,
  });
  const wanted = new Set(byUid.kept.map(pod => pod.key));
  const refused = input.snapshots
    .flatMap(snapshot => snapshot.refused)
    .filter(pod => !wanted.has(`${pod.namespace}/${podFullName(pod.name, input.nodeName)}`));
  const duplicates = [...byKey.duplicates, ...byUid.duplicates];
  return {
    complete: input.snapshots.length > 0 && input.snapshots.every(snapshot => snapshot.complete),
    spoken: new Set(input.snapshots.filter(snapshot => snapshot.complete).map(({ kind }) => kind)),
    pods: byUid.kept.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    refused,
    conditions: [
      ...input.snapshots.flatMap(snapshot => snapshot.conditions),
      ...duplicates.map(({ condition }) => condition),
      ...objects.conflicts,
    ],
    duplicates,
    objects: objects.kept,
    objectChoices: objects.choices,
  };
}
