/**
 * One look at what a start without network, clock and hub would find, and at each way back: the node, the revisions that the journal
 * keeps, the engine's images. Asks the engine and writes nothing.
 */
import type { RootDocument } from '../../protocol/documents/root.js';
import { NO_BINDINGS } from '../../protocol/image-binding.js';
import type { ValidPod } from '../../protocol/pod.js';
import { neededImages, type NeededImage } from '../images/needed.js';
import { bundleKey } from '../intake/decide.js';
import { DirectoryError, type OwnedDirectory } from '../intake/owned-files.js';
import type { Beginning } from '../journal/history.js';
import type { Journal } from '../journal/journal.js';
import { previousDigest } from '../journal/previous.js';
import type { BundleName, PodReport } from '../ports.js';
import type { ImageStore } from '../runtime/images.js';
import { directoryFaults } from './directory-faults.js';
import { isOver, type AloneFindings, type Fault, type Unknown, type WayBack } from './faults.js';
import { imageLookup, roomFaults } from './images.js';
import { Revisions, type KeptRevision, type RevisionParts } from './revisions.js';

export interface GatherParts extends RevisionParts {
  readonly journal: Journal;
  readonly root: () => RootDocument;
  readonly directory: Pick<OwnedDirectory, 'assertSafe' | 'list' | 'path'>;
  /** Left out where somebody else runs the pods. */
  readonly images?: Pick<ImageStore, 'imageStatus' | 'imageFilesystem'> | undefined;
  /** What else a start would stumble over: identity, journal, room, who may write where. */
  readonly startFaults: () => readonly Fault[];
  /** Why nothing can be written into the static pod directory; null: it can. */
  readonly writeFault: () => string | null;
  /** A file that a person removed stays away (drift: report); left out: it is put back. */
  readonly leavesDrift?: boolean;
  /** Null until the pods of this start are known. */
  readonly pods: () => readonly PodReport[] | null;
}

/** What was found at one look. */
export interface Found {
  readonly alone: AloneFindings | Unknown;
  /** Digests that were looked at, with why they are not complete. */
  readonly revisions: ReadonlyMap<string, readonly Fault[]>;
  readonly undo: readonly WayBack[] | Unknown;
  /** When and why the journal was begun; null: nobody knows. */
  readonly begun: Beginning | null;
}

const BY_A_KUBELET: Unknown = {
  unknown: {
    reason: 'RuntimeNone',
    message: 'with runtime: none a kubelet has the images and starts the pods',
  },
};

export class Gather {
  readonly #parts: GatherParts;
  readonly #revisions: Revisions;

  constructor(parts: GatherParts) {
    this.#parts = parts;
    this.#revisions = new Revisions(parts);
  }

  /** Throws `RuntimeError` `EngineUnavailable`, and what a disk throws. */
  async look(): Promise<Found> {
    const { journal, root, images } = this.#parts;
    const kept = new Map<string, KeptRevision>();
    const records = journal.bundles().filter(({ state }) => state !== 'removing');
    for (const { namespace, name, active, healthy, previous } of records) {
      for (const digest of [active, healthy, previous]) {
        if (digest === null || kept.has(digest)) continue;
        kept.set(digest, this.#revisions.kept({ namespace, name }, digest, root()));
      }
    }
    const node = [...this.#parts.startFaults(), ...this.#directoryFaults()];
    const lookup = images === undefined ? null : imageLookup(images);
    const revisions = new Map<string, readonly Fault[]>();
    for (const [digest, one] of kept) {
      const isActive = records.some(record => record.active === digest);
      const needed = isActive ? this.#stillNeeded(one) : one.images;
      revisions.set(digest, [...one.faults, ...((await lookup?.(needed)) ?? [])]);
    }
    const local = (await lookup?.(this.#localImages())) ?? [];
    if (images !== undefined) node.push(...(await roomFaults(images)));
    const bundles = records.flatMap(({ namespace, name, active }) => {
      if (active === null) return [];
      return [{ bundle: { namespace, name }, faults: revisions.get(active) ?? [] }];
    });
    const isFaulty = [node, local, ...bundles.map(one => one.faults)].some(one => one.length > 0);
    if (images === undefined && !isFaulty) {
      return { alone: BY_A_KUBELET, revisions, undo: BY_A_KUBELET, begun: null };
    }
    const pods = [...kept.values()].reduce(
      (sum, one) =>
        sum + (records.some(({ active }) => active === one.digest) ? one.pods.length : 0),
      0,
    );
    const localPods = this.#localPods().length;
    const undo = this.#waysBack(kept, revisions);
    const alone = { node, local, bundles, pods, localPods };
    return { alone, revisions, undo, begun: journal.begun() };
  }

  #waysBack(
    kept: ReadonlyMap<string, KeptRevision>,
    revisions: ReadonlyMap<string, readonly Fault[]>,
  ): WayBack[] {
    const { journal } = this.#parts;
    const records = journal.bundles().filter(({ state }) => state !== 'removing');
    return records.map(record => {
      const { namespace, name } = record;
      const bundle = { namespace, name };
      const digest = previousDigest(record, this.givenUp(bundle));
      const target = digest === null ? undefined : kept.get(digest);
      if (digest === null || target === undefined) return { bundle, revision: null, fault: null };
      const revision = journal.content.bundleDocument(digest)?.revision ?? null;
      const fault = revisions.get(digest)?.[0] ?? this.forbidden(bundle, digest, kept);
      return { bundle, revision, fault };
    });
  }

  givenUp({ namespace, name }: BundleName): ReadonlySet<string> {
    const failures = this.#parts.journal.trials().failures();
    const own = failures.filter(one => one.namespace === namespace && one.name === name);
    return new Set(own.map(({ digest }) => digest));
  }

  /** Why the root, this node's memory or another bundle keeps it from being put back; null: nothing does. */
  forbidden(
    bundle: BundleName,
    digest: string,
    known: ReadonlyMap<string, KeptRevision> = new Map(),
  ) {
    const { journal, root } = this.#parts;
    const keptOf = (of: BundleName, one: string) =>
      known.get(one) ?? this.#revisions.kept(of, one, root());
    const others = journal.bundles().flatMap(({ namespace, name, active }) => {
      if (active === null || bundleKey({ namespace, name }) === bundleKey(bundle)) return [];
      return [keptOf({ namespace, name }, active)];
    });
    return this.#revisions.forbidden(keptOf(bundle, digest), root(), others);
  }

  /** Files that are not as they should be are written from the journal at a start, if the directory can be written to. */
  #directoryFaults(): Fault[] {
    const { directory, journal, writeFault, leavesDrift = false } = this.#parts;
    const isNew = journal.freshNonce() !== null;
    if (journal.files().size === 0 && !isNew) return [];
    try {
      directory.assertSafe();
      const found = directory.list();
      const promised = [...journal.files().values()];
      return directoryFaults({ promised, found, isNew, leavesDrift, writeFault: writeFault() });
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      // It is not read then: what was accepted begins from the agent's own copies.
      if (error.fault === 'UnsafeDirectory') return [];
      return [{ reason: error.fault, message: error.message }];
    }
  }

  /** A pod that ended for good is not started again. */
  #stillNeeded({ bundle, staged, pods, images }: KeptRevision): readonly NeededImage[] {
    const reports = this.#parts.pods() ?? [];
    const over = new Set(
      reports.flatMap(({ bundle: own, manifestDigest, pod }) => {
        const isIts = own !== null && bundleKey(own) === bundleKey(bundle);
        return isIts && isOver(pod.status?.phase) ? (manifestDigest ?? []) : [];
      }),
    );
    const left = staged.flatMap(({ owned, pod }) => (over.has(owned.manifest) ? [] : (pod ?? [])));
    if (left.length === pods.length) return images;
    const names = new Set(neededImages({ pods: left, bindings: NO_BINDINGS }).map(one => one.key));
    return images.filter(({ key }) => names.has(key));
  }

  #localPods(): readonly ValidPod[] {
    const reports = this.#parts.pods() ?? [];
    return reports
      .filter(({ bundle, pod }) => bundle === null && !isOver(pod.status?.phase))
      .map(({ pod }) => pod as ValidPod);
  }

  #localImages(): readonly NeededImage[] {
    return neededImages({ pods: this.#localPods(), bindings: NO_BINDINGS });
  }
}
