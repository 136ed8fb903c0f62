/**
 * Puts the files of a bundle's revision in the place of the former ones, or takes them away: written beside, promised in the
 * journal, then renamed, so that an interruption leaves the old set or one that the next start completes. Decides nothing.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { UNDONE } from '../../protocol/bundle-reasons.js';
import { isPodKey } from '../../protocol/bundle-manifest.js';
import type { Log } from '../../protocol/ports.js';
import type { Journal, OwnedFile, Transition } from '../journal/journal.js';
import type { Override } from '../journal/overrides.js';
import type { BundleName, NewEvent } from '../ports.js';
import { bundleKey, type Occupied, type StagedManifest } from './decide.js';
import { configFirst, type PromisedDirectory } from './directory.js';

export class Switch {
  readonly #journal: Journal;
  readonly #directory: PromisedDirectory;
  readonly #log: Log;

  constructor(parts: { journal: Journal; directory: PromisedDirectory; log: Log }) {
    this.#journal = parts.journal;
    this.#directory = parts.directory;
    this.#log = parts.log;
  }

  /** What the bundles' active revisions occupy. */
  occupied(): Occupied[] {
    return this.#journal.bundles().flatMap(record => {
      const document =
        record.active === null ? null : this.#journal.content.bundleDocument(record.active);
      if (!document) return [];
      const entries = document.manifests.filter(({ kind }) => kind === 'Pod');
      const pods = entries.flatMap(entry => {
        const content = this.#directory.contentOf(entry);
        return content ? [JSON.parse(content.toString('utf8')) as Pod] : [];
      });
      return [{ bundle: record, pods }];
    });
  }

  /** Pods of the bundle that run and whose files would go or become others; all of them where what they are configured by would. */
  disturbed(
    bundle: BundleName,
    staged: readonly StagedManifest[],
  ): { readonly pod: Pod; readonly file: OwnedFile }[] {
    const record = this.#journal.bundles().find(one => bundleKey(one) === bundleKey(bundle));
    const document = record?.active ? this.#journal.content.bundleDocument(record.active) : null;
    if (!document) return [];
    const next = new Map(staged.map(({ owned }) => [owned.file, owned.content]));
    const own = [...this.#journal.files().values()].filter(
      file => bundleKey(file) === bundleKey(bundle),
    );
    const changed = own.filter(file => next.get(file.file) !== file.content);
    const files = changed.every(({ pod }) => isPodKey(pod)) ? changed : own;
    return files.flatMap(file => {
      const entry = document.manifests.find(one => one.digest === file.manifest);
      const content = entry?.kind === 'Pod' ? this.#directory.contentOf(entry) : null;
      return content ? [{ pod: JSON.parse(content.toString('utf8')) as Pod, file }] : [];
    });
  }

  /** False when nothing was promised: the directory refuses. `by`: whoever wanted it outside its window. */
  put(step: Transition, staged: readonly StagedManifest[], by?: Override): boolean {
    const done = this.#change(step, staged, files => this.#journal.activate(step, files, by));
    if (done) {
      const { revision } = step;
      this.#log.info('bundle activated', { bundle: bundleKey(step), revision });
    }
    return done;
  }

  /** The last healthy revision, in place of one that was given up. As `put`; `by`: whoever wanted it although a pod asks for time. */
  putBack(
    step: Transition,
    target: { readonly digest: string; readonly revision: number; readonly by: Override | null },
    staged: readonly StagedManifest[],
  ): boolean {
    const { digest, revision, by } = target;
    const done = this.#change(step, staged, files =>
      this.#journal.trials().rollBack(step, { digest, files, by }, rolledBackEvent(step, revision)),
    );
    const fields = { bundle: bundleKey(step), from: step.revision, to: revision };
    if (done) this.#log.warn('bundle rolled back', fields);
    return done;
  }

  /** As `put`. */
  takeAway(step: Transition, by?: Override): boolean {
    return this.#directory.change({
      write: [],
      remove: this.#directory.filesOf(step),
      commit: () => this.#journal.activate(step, [], by),
    });
  }

  #change(
    bundle: BundleName,
    staged: readonly StagedManifest[],
    commit: (files: StagedManifest['owned'][]) => void,
  ): boolean {
    const bytesOf = new Map(staged.map(({ owned, bytes }) => [owned.file, bytes]));
    const files = configFirst(staged.map(({ owned }) => owned));
    const names = new Set(files.map(({ file }) => file));
    const done = this.#directory.change({
      write: files.flatMap(({ file }) => {
        const bytes = bytesOf.get(file);
        return bytes === undefined ? [] : [{ file, bytes }];
      }),
      remove: this.#directory.filesOf(bundle).filter(file => !names.has(file)),
      commit: () => commit(files),
    });
    if (done) this.#directory.restored(bundle);
    return done;
  }
}

/** By a person's hand it is no failure, and has a word that takes it back. Pure. */
export function rolledBackEvent(
  {
    namespace,
    name,
    revision,
    reason,
  }: Pick<Transition, 'namespace' | 'name' | 'revision' | 'reason'>,
  to: number,
): NewEvent {
  const isUndone = reason === UNDONE;
  const way = `revision ${revision} gives way to revision ${to}, the last healthy one`;
  const hand = `; undone by hand at the device, where flotilla-agent redo ${name} takes that back`;
  return {
    type: isUndone ? 'Normal' : 'Warning',
    reason: 'BundleRolledBack',
    message: isUndone ? `${way}${hand}` : way,
    involved: { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' },
  };
}
