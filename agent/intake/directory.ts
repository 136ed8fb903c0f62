/**
 * The static pod directory as the journal promises it: repaired at the start and whenever it is not
 * trusted, changed together with the journal's promise. A directory that cannot be written is a
 * fault that is kept until the next try.
 */
import { isPodKey, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { ManifestEntry } from '../../protocol/documents/bundle.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { bundleKey, makerOf, ownedContent } from './decide.js';
import { FORGOTTEN, forgottenText } from '../sources/explained.js';
import { keptManifest } from './kept-manifest.js';
import type { Journal, OwnedFile } from '../journal/journal.js';
import { Drift } from './drift.js';
import { DirectoryError, type FoundFile, type OwnedDirectory } from './owned-files.js';
import { Restorations } from './restorations.js';
import type { BundleName, SourceCondition } from '../ports.js';

export class PromisedDirectory {
  readonly #directory: OwnedDirectory;
  readonly #journal: Journal;
  readonly #log: Log;
  /** Active bundles whose content has to be fetched again. */
  readonly #broken = new Set<string>();
  #unexplained: readonly string[] = [];
  /** Of our making, from before the journal began anew. */
  #forgotten: readonly string[] = [];
  #fault: DirectoryError | null = null;
  /** The fault that the log has. */
  #told: string | null = null;
  /** It may differ from the journal. */
  #dirty = true;

  readonly #restorations: Restorations;
  /** Null: what a person changed is put back. */
  readonly #drift: Drift | null;

  constructor(options: {
    directory: OwnedDirectory;
    journal: Journal;
    clock: Pick<Clock, 'monotonic'>;
    log: Log;
    drift?: 'restore' | 'report' | undefined;
  }) {
    this.#directory = options.directory;
    this.#journal = options.journal;
    this.#log = options.log;
    this.#restorations = new Restorations(options);
    this.#drift = options.drift === 'report' ? new Drift(options) : null;
  }

  /** What went wrong in this try. */
  fault(): DirectoryError | null {
    return this.#fault;
  }

  needsRetry(): boolean {
    return this.#dirty || this.#fault !== null;
  }

  distrust(): void {
    this.#dirty = true;
  }

  /**
   * Begins a try: owned files become what the journal says; what an interrupted change left goes.
   */
  repair(): void {
    const before = this.#fault;
    this.#fault = null;
    if (!this.#dirty) return;
    try {
      this.#directory.assertSafe();
      const interrupted = this.#directory.leftovers();
      const found = new Map(this.#directory.list().map(file => [file.file, file]));
      const write = this.#toWrite(found, interrupted).flatMap(file => {
        const bytes = this.#bytesOf(file);
        return bytes ? [{ file: file.file, bytes }] : [];
      });
      const remove = this.#strangers([...found.values()]);
      if (write.length > 0 || remove.length > 0) {
        this.#directory.apply({ write, remove });
        this.#log.info('static pod directory repaired', {
          ...(write.length > 0 ? { written: write.map(({ file }) => file).join(' ') } : {}),
          ...(remove.length > 0 ? { removed: remove.join(' ') } : {}),
        });
        // What our own change was about to write when it was cut off was nobody's hand.
        const byHand = write.filter(({ file }) => !interrupted.includes(file));
        for (const { file } of byHand) this.#restorations.tell(file, found.get(file));
      }
      // Not before: they tell what our own hand was about to write.
      this.#directory.removeLeftovers();
      this.#dirty = false;
      this.#told = null;
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      this.#fault = error;
      this.#tell(before, error);
    }
  }

  /** What is not as it is to be, but for what stays as a person made it. */
  #toWrite(found: ReadonlyMap<string, FoundFile>, interrupted: readonly string[]): OwnedFile[] {
    const promised = configFirst([...this.#journal.files().values()]);
    if (this.#drift === null) {
      // Whoever may write to it is as good as whoever wrote to it.
      const isShared = ({ file }: OwnedFile) => found.get(file)?.isShared === true;
      return promised.filter(file => !holds(found.get(file.file), file) || isShared(file));
    }
    const differing = promised.filter(file => !holds(found.get(file.file), file));
    const identity = this.#directory.identity();
    const isByHand = ({ file }: OwnedFile) =>
      this.#drift?.isKnown(identity) === true && !interrupted.includes(file);
    const byHand = differing.filter(isByHand);
    const differences = byHand.map(file => ({ file, found: found.get(file.file) }));
    this.#drift.compared(differences, identity);
    return differing.filter(file => !byHand.includes(file));
  }

  /**
   * `altered`: other bytes than the bundle's, which are put back; `foreign`: they stay, and do not say of which bundle and pod they
   * are; `forgotten`: of our making, and this journal, which began anew, cannot know yet what for.
   */
  explains(file: string, bytes: Uint8Array): boolean | 'altered' | 'foreign' | 'forgotten' {
    const promised = this.#journal.files().get(file);
    if (promised === undefined) return this.#isForgotten(file, bytes) ? 'forgotten' : false;
    const digest = sha256Hex(bytes);
    if (this.#drift === null) {
      if (this.#directory.isShared(file)) this.#dirty = true;
      return promised.content === digest ? true : 'altered';
    }
    if (this.#drift.isNews(promised, digest)) this.#dirty = true;
    if (promised.content === digest || makerOf(file, bytes) !== null) return true;
    return 'foreign';
  }

  /** Nothing is promised under this name, and the journal can be trusted to know. */
  isWithdrawn(file: string): boolean {
    return !this.#journal.files().has(file) && this.#knows();
  }

  #knows(): boolean {
    return this.#journal.accepted() !== null && this.#journal.freshNonce() === null;
  }

  /**
   * Until a fresh assignment says what is to run, and for a bundle that it names until its content is here: then what is promised takes
   * the place of what lies there.
   */
  #isForgotten(file: string, bytes: Uint8Array): boolean {
    const bundle = makerOf(file, bytes);
    if (bundle === null) return false;
    if (!this.#knows()) return true;
    const key = bundleKey(bundle);
    const isAssigned = this.#journal.accepted()?.document.bundles.some(b => bundleKey(b) === key);
    return isAssigned === true && !this.#isActive(key);
  }

  #isActive(key: string): boolean {
    return this.#journal.bundles().some(one => bundleKey(one) === key && one.active !== null);
  }

  /** Once for each fault. */
  #tell(before: DirectoryError | null, { fault: reason, message: detail }: DirectoryError): void {
    if (before?.message === detail || this.#told === detail) return;
    this.#told = detail;
    this.#log.warn('the static pod directory cannot be brought to what it should be', {
      reason,
      detail,
    });
  }

  /**
   * False when nothing was promised. After the promise a fault only means that the directory is
   * behind.
   */
  change(change: Parameters<OwnedDirectory['apply']>[0]): boolean {
    let committed = false;
    try {
      this.#directory.apply({
        ...change,
        commit: () => {
          change.commit?.();
          committed = true;
        },
      });
      this.#told = null;
      return true;
    } catch (error) {
      this.#dirty ||= committed;
      if (!(error instanceof DirectoryError)) throw error;
      this.#fault = error;
      this.#tell(null, error);
      return committed;
    }
  }

  /** Names that a bundle owns, those of pods before what the pods use: the order of removal. */
  filesOf(bundle: BundleName): string[] {
    const own = [...this.#journal.files().values()].filter(
      file => bundleKey(file) === bundleKey(bundle),
    );
    return configFirst(own)
      .toReversed()
      .map(({ file }) => file);
  }

  /** True while an active bundle's content has to come again before its files can be restored. */
  isBroken(bundle: BundleName): boolean {
    return this.#broken.has(bundleKey(bundle));
  }

  /** Its files were written, all of them. */
  restored(bundle: BundleName): void {
    this.#drift?.overwritten(this.filesOf(bundle));
    this.#broken.delete(bundleKey(bundle));
  }

  conditions(): SourceCondition[] {
    const conditions: SourceCondition[] = [];
    if (this.#fault) {
      const { fault: reason, message } = this.#fault;
      conditions.push({ type: 'StaticPodPathWritable', status: 'False', reason, message });
    }
    if (this.#unexplained.length > 0) {
      const names = this.#unexplained.slice(0, 8).join(', ');
      const message =
        `${this.#directory.path}: no accepted bundle explains ${names}; ` +
        'neither run nor removed';
      const reason = 'ReservedPrefix';
      conditions.push({ type: 'UnexplainedFiles', status: 'True', reason, message });
    }
    // Since then a bundle may have taken them over.
    const forgotten = this.#forgotten.filter(file => !this.#journal.files().has(file));
    if (forgotten.length > 0) {
      const names = forgotten.slice(0, 8).join(', ');
      const message = forgottenText(`${names} in ${this.#directory.path}`);
      conditions.push({ type: 'UnexplainedFiles', status: 'True', reason: FORGOTTEN, message });
    }
    return [...conditions, ...(this.#drift?.conditions() ?? [])];
  }

  /** As `keptManifest`. */
  contentOf(entry: ManifestEntry): Buffer | null {
    return keptManifest(this.#journal, entry);
  }

  /**
   * Files under the prefix that nothing explains: those of our own making are to go, once the
   * journal can be trusted to know; the others stay and are told.
   */
  #strangers(found: readonly FoundFile[]): string[] {
    const strange = found.filter(({ file }) => !this.#journal.files().has(file));
    const ours = strange.filter(
      ({ file, bytes }) => bytes !== null && makerOf(file, bytes) !== null,
    );
    const stays = ours.filter(({ file, bytes }) => bytes && this.#isForgotten(file, bytes));
    this.#forgotten = stays.map(({ file }) => file);
    this.#unexplained = strange.filter(file => !ours.includes(file)).map(({ file }) => file);
    return ours.filter(file => !stays.includes(file)).map(({ file }) => file);
  }

  #bytesOf(file: OwnedFile): Buffer | null {
    const record = this.#journal.bundles().find(known => bundleKey(known) === bundleKey(file));
    const document = record?.active ? this.#journal.content.bundleDocument(record.active) : null;
    const entry = document?.manifests.find(({ digest }) => digest === file.manifest);
    const content = entry ? this.contentOf(entry) : null;
    if (content) {
      return ownedContent(JSON.parse(content.toString('utf8')) as BundleManifest, {
        bundle: file,
        digest: file.manifest,
        bindings: bindingsOf(document?.images ?? []),
      });
    }
    this.#broken.add(bundleKey(file));
    return null;
  }
}

/** What pods use lies there before the pods do: the order of writing. */
export function configFirst<T extends Pick<OwnedFile, 'pod'>>(files: readonly T[]): T[] {
  return files.toSorted((a, b) => Number(isPodKey(a.pod)) - Number(isPodKey(b.pod)));
}

function holds(found: FoundFile | undefined, file: OwnedFile): boolean {
  if (!found || found.bytes === null) return false;
  return sha256Hex(found.bytes) === file.content;
}
