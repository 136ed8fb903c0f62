/**
 * Brings the static pod directory to what the accepted assignment says, bundle by bundle, from what the journal holds.
 * A pass may run at any time and does nothing when nothing is to be done; it returns what is lacking. Each bundle waits
 * or fails alone, its former revision running on. Asks nobody for anything.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { sha256Hex } from '../protocol/canonical.js';
import type {
  AssignedBundle,
  AssignmentDocument,
  BundleDocument,
  BundleState,
  ManifestEntry,
  RootDocument,
} from '../protocol/documents.js';
import type { Log } from '../protocol/ports.js';
import { accept, type Refusal, type Result } from '../protocol/refusal.js';
import {
  bundleKey,
  conflictWith,
  isOfOurMaking,
  memoryAllows,
  ownedContent,
  rootAllows,
  stageManifest,
  type Occupied,
  type StagedManifest,
} from './intake-decide.js';
import { blobsOf } from './journal/content.js';
import type { BundleRecord, Journal, OwnedFile } from './journal/journal.js';
import { DirectoryError, type FoundFile, type OwnedDirectory } from './owned-files.js';
import type { BundleName, SourceCondition } from './ports.js';

/** What a bundle lacks. */
export interface Lacking {
  readonly digest: string;
  readonly size: number;
  /** Set when it is the bundle's own envelope. */
  readonly envelopeOf: AssignedBundle | null;
}

/** What is known about something that is not here. */
export type Whereabouts =
  | { readonly is: 'coming' | 'missing' | 'absent' }
  /** Bytes came and were refused; `final`: no other bytes could do better. */
  | { readonly is: 'refused'; readonly refusal: Refusal; readonly final: boolean };

export interface StageOptions {
  readonly journal: Journal;
  readonly directory: OwnedDirectory;
  readonly log: Log;
  readonly whereabouts: (digest: string) => Whereabouts;
}

interface Step {
  readonly state: BundleState;
  readonly reason: string;
  readonly message: string;
}

export class Stage {
  readonly #options: StageOptions;
  /** Manifests do not change under a digest, so neither does the verdict. */
  readonly #verdicts = new Map<string, Refusal>();
  /** Active bundles whose content has to be fetched again. */
  readonly #broken = new Set<string>();
  #unexplained: readonly string[] = [];
  #fault: DirectoryError | null = null;
  /** The directory may differ from the journal. */
  #dirty = true;

  constructor(options: StageOptions) {
    this.#options = options;
  }

  /** True while a pass should be tried again later: the directory could not be brought to what is promised. */
  needsRetry(): boolean {
    return this.#dirty || this.#fault !== null;
  }

  /** The directory is compared again with the next pass. */
  distrustDirectory(): void {
    this.#dirty = true;
  }

  /** True for bytes that an accepted bundle put under this name. */
  explains(file: string, bytes: Uint8Array): boolean {
    return this.#options.journal.files().get(file)?.content === sha256Hex(bytes);
  }

  pass(assignment: AssignmentDocument | null, root: RootDocument | null): Lacking[] {
    this.#fault = null;
    if (this.#dirty) this.#repair();
    if (!assignment || !root) return [];
    this.#removeUnassigned(assignment);
    // One bundle may wait for what another gives up in the same assignment.
    for (;;) {
      const before = this.#options.journal.files();
      const lacking = assignment.bundles.flatMap(assigned => this.#advance(assigned, root));
      if (this.#options.journal.files() === before) return lacking;
    }
  }

  conditions(root: RootDocument | null): SourceCondition[] {
    const conditions: SourceCondition[] = [];
    const say = (type: string, status: 'True' | 'False', said: [string, string]) =>
      conditions.push({ type, status, reason: said[0], message: said[1] });
    if (this.#fault)
      say('StaticPodPathWritable', 'False', [this.#fault.fault, this.#fault.message]);
    if (this.#unexplained.length > 0) {
      const names = this.#unexplained.slice(0, 8).join(', ');
      say('UnexplainedFiles', 'True', [
        'ReservedPrefix',
        `${this.#options.directory.path}: no accepted bundle explains ${names}; not run, not removed`,
      ]);
    }
    const revoked = root ? this.#options.journal.bundles().filter(b => isRevoked(b, root)) : [];
    if (revoked.length > 0) {
      const names = revoked.map(bundleKey).join(', ');
      say('RevokedRunning', 'True', ['Denied', `the root withdrew what runs of ${names}`]);
    }
    return conditions;
  }

  // --------------------------------------------------------------------------------------- one bundle

  #advance(assigned: AssignedBundle, root: RootDocument): Lacking[] {
    const { journal } = this.#options;
    const record = journal.bundles().find(bundle => bundleKey(bundle) === bundleKey(assigned));
    const settled =
      record?.active === assigned.digest &&
      record.digest === assigned.digest &&
      record.attempt === assigned.attempt;
    if (settled && !this.#broken.has(bundleKey(assigned))) return [];
    const settle = (step: Step) => this.#settle(assigned, record, step);

    const allowed = this.#allowed(assigned, root);
    if (!allowed.ok) return settle(failed(allowed.refusal));
    const lacking = this.#lacking(assigned);
    if (lacking.length > 0) {
      settle(this.#waitingFor(lacking));
      return lacking;
    }
    const document = journal.bundleDocument(assigned.digest);
    if (!document) return [];
    const staged = this.#stageAll(document, assigned);
    if (staged === null) {
      const again = this.#lacking(assigned);
      settle(this.#waitingFor(again));
      return again;
    }
    if (!staged.ok) return settle(failed(staged.refusal));
    const wanted = { bundle: assigned, pods: staged.value.map(({ pod }) => pod) };
    const conflict = conflictWith(wanted, this.#occupied());
    if (conflict) return settle({ state: 'waiting', reason: 'Conflict', message: conflict });
    this.#activate(assigned, record, staged.value);
    return [];
  }

  #allowed(assigned: AssignedBundle, root: RootDocument): Result<null> {
    const { journal } = this.#options;
    const byRoot = rootAllows(assigned, root);
    if (!byRoot.ok) return byRoot;
    return memoryAllows(assigned, {
      knownDigest: journal.knownDigest(assigned, assigned.revision),
      rollbackFloor: journal.rollbackFloor(assigned),
    });
  }

  #lacking(assigned: AssignedBundle): Lacking[] {
    const { journal } = this.#options;
    const document = journal.bundleDocument(assigned.digest);
    if (!document) {
      return [{ digest: assigned.digest, size: assigned.size, envelopeOf: assigned }];
    }
    const unique = new Map(blobsOf(document).map(blob => [blob.digest, blob]));
    return [...unique.values()]
      .filter(({ digest }) => !journal.hasBlob(digest))
      .map(({ digest, size }) => ({ digest, size, envelopeOf: null }));
  }

  #waitingFor(lacking: readonly Lacking[]): Step {
    const found = lacking.map(({ digest }) => this.#options.whereabouts(digest));
    for (const where of found) {
      if (where.is !== 'refused') continue;
      const { code, detail } = where.refusal;
      return { state: where.final ? 'failed' : 'waiting', reason: code, message: detail };
    }
    const first = (is: string) => lacking[found.findIndex(where => where.is === is)]?.digest;
    const absent = first('absent');
    if (absent) {
      return { state: 'failed', reason: 'BlobAbsent', message: `the hub has no blob ${absent}` };
    }
    const missing = first('missing');
    if (missing) {
      const message = `blob ${missing} does not come; the hub is asked for it`;
      return { state: 'waiting', reason: 'BlobMissing', message };
    }
    return { state: 'staged', reason: 'Fetching', message: 'fetching what is not here yet' };
  }

  /** Null when content that was here did not read back: it is forgotten and lacking now. */
  #stageAll(document: BundleDocument, bundle: AssignedBundle): Result<StagedManifest[]> | null {
    const known = this.#verdicts.get(bundle.digest);
    if (known) return { ok: false, refusal: known };
    const staged: StagedManifest[] = [];
    for (const entry of document.manifests) {
      const content = this.#contentOf(entry);
      if (!content) return null;
      const manifest = stageManifest(content, entry, bundle);
      if (!manifest.ok) {
        this.#verdicts.set(bundle.digest, manifest.refusal);
        return manifest;
      }
      staged.push(manifest.value);
    }
    return accept(staged);
  }

  /** Null when a blob is not there or does not read back; the latter is forgotten, so that it is fetched again. */
  #contentOf(entry: ManifestEntry): Buffer | null {
    const { journal } = this.#options;
    const parts: Buffer[] = [];
    for (const { digest } of entry.parts.length > 0 ? entry.parts : [entry]) {
      const bytes = journal.blob(digest);
      if (!bytes) return null;
      if (sha256Hex(bytes) !== digest) {
        journal.dropBlob(digest);
        return null;
      }
      parts.push(bytes);
    }
    return Buffer.concat(parts);
  }

  #occupied(): Occupied[] {
    const { journal } = this.#options;
    return journal.bundles().flatMap(record => {
      const document = record.active === null ? null : journal.bundleDocument(record.active);
      if (!document) return [];
      const pods = document.manifests.flatMap(entry => {
        const content = this.#contentOf(entry);
        return content ? [JSON.parse(content.toString('utf8')) as Pod] : [];
      });
      return [{ bundle: record, pods }];
    });
  }

  #activate(
    assigned: AssignedBundle,
    record: BundleRecord | undefined,
    staged: readonly StagedManifest[],
  ): void {
    const { journal } = this.#options;
    const files = staged.map(({ owned }) => owned);
    const names = new Set(files.map(({ file }) => file));
    const message = `${files.length} manifests in the static pod directory`;
    const step = transition(assigned, { state: 'activating', reason: 'FilesWritten', message });
    const done = this.#apply({
      write: staged.map(({ owned, bytes }) => ({ file: owned.file, bytes })),
      remove: this.#filesOf(assigned).filter(file => !names.has(file)),
      commit: () => journal.activate(step, files),
    });
    if (!done) {
      const { fault, message: why } = this.#fault as unknown as DirectoryError;
      this.#settle(assigned, record, { state: 'waiting', reason: fault, message: why });
      return;
    }
    this.#broken.delete(bundleKey(assigned));
    this.#options.log.info('bundle activated', {
      bundle: bundleKey(assigned),
      revision: assigned.revision,
    });
  }

  #removeUnassigned(assignment: AssignmentDocument): void {
    const { journal } = this.#options;
    const assigned = new Set(assignment.bundles.map(bundleKey));
    for (const record of journal.bundles()) {
      if (assigned.has(bundleKey(record)) || record.state === 'removing') continue;
      const message = 'the assignment does not list it any more';
      const step = transition(record, { state: 'removing', reason: 'NotAssigned', message });
      this.#apply({
        write: [],
        remove: this.#filesOf(record),
        commit: () => journal.activate(step, []),
      });
    }
  }

  /** Records a step unless the bundle stands there already. */
  #settle(bundle: AssignedBundle, record: BundleRecord | undefined, step: Step): [] {
    const { journal, log } = this.#options;
    const same =
      record?.state === step.state &&
      record.reason === step.reason &&
      record.digest === bundle.digest &&
      record.attempt === bundle.attempt;
    if (same) return [];
    journal.recordTransition(transition(bundle, step));
    if (step.state === 'failed') {
      log.warn('bundle failed', { bundle: bundleKey(bundle), reason: step.reason });
      journal.record({
        type: 'Warning',
        reason: 'BundleFailed',
        message: `revision ${bundle.revision}: ${step.reason}: ${step.message}`,
        involved: { kind: 'Bundle', ...nameOf(bundle), uid: '', fieldPath: '' },
      });
    }
    return [];
  }

  // ---------------------------------------------------------------------------------------- directory

  #filesOf(bundle: BundleName): string[] {
    return [...this.#options.journal.files().values()]
      .filter(file => bundleKey(file) === bundleKey(bundle))
      .map(({ file }) => file);
  }

  /** False when nothing was promised. After the promise a fault only means that the directory is behind. */
  #apply(change: Parameters<OwnedDirectory['apply']>[0]): boolean {
    let committed = false;
    try {
      this.#options.directory.apply({
        ...change,
        commit: () => {
          change.commit?.();
          committed = true;
        },
      });
      return true;
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      this.#fault = error;
      this.#dirty ||= committed;
      return committed;
    }
  }

  /** Owned files as the journal says; what an interrupted change or somebody's hand left otherwise goes. */
  #repair(): void {
    const { directory, journal, log } = this.#options;
    try {
      directory.removeLeftovers();
      const found = new Map(directory.list().map(file => [file.file, file]));
      const owned = [...journal.files().values()];
      const write = owned
        .filter(file => !holds(found.get(file.file), file))
        .flatMap(file => {
          const bytes = this.#bytesOf(file);
          return bytes ? [{ file: file.file, bytes }] : [];
        });
      const strange = [...found.values()].filter(({ file }) => !journal.files().has(file));
      const authoritative = journal.accepted() !== null && journal.freshNonce() === null;
      const ours = strange.filter(
        ({ file, bytes }) => authoritative && bytes !== null && isOfOurMaking(file, bytes),
      );
      this.#unexplained = strange.filter(file => !ours.includes(file)).map(({ file }) => file);
      if (write.length > 0 || ours.length > 0) {
        log.info('static pod directory repaired', { written: write.length, removed: ours.length });
        directory.apply({ write, remove: ours.map(({ file }) => file) });
      }
      this.#dirty = false;
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      this.#fault = error;
    }
  }

  #bytesOf(file: OwnedFile): Buffer | null {
    const { journal } = this.#options;
    const record = journal.bundles().find(bundle => bundleKey(bundle) === bundleKey(file));
    const document = record?.active ? journal.bundleDocument(record.active) : null;
    const entry = document?.manifests.find(({ digest }) => digest === file.manifest);
    const content = entry ? this.#contentOf(entry) : null;
    if (content) {
      return ownedContent(JSON.parse(content.toString('utf8')) as Pod, file, file.manifest);
    }
    this.#broken.add(bundleKey(file));
    return null;
  }
}

function holds(found: FoundFile | undefined, file: OwnedFile): boolean {
  return found !== undefined && found.bytes !== null && sha256Hex(found.bytes) === file.content;
}

function failed({ code, detail }: Refusal): Step {
  return { state: 'failed', reason: code, message: detail };
}

function nameOf({ namespace, name }: BundleName): BundleName {
  return { namespace, name };
}

function transition(bundle: Omit<AssignedBundle, 'size'>, step: Step) {
  const { revision, digest, attempt } = bundle;
  return { ...nameOf(bundle), revision, digest, attempt, ...step };
}

/** What is active may be another revision than the one that the record speaks of. */
function isRevoked(record: BundleRecord, root: RootDocument): boolean {
  if (record.active === null) return false;
  if (root.denied.includes(record.active)) return true;
  return record.active === record.digest && !rootAllows(record, root).ok;
}
