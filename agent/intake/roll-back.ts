/**
 * Puts the last healthy revision back where one was given up, from what the journal holds and under the rules that hold for
 * anything that begins: the root's denials and floors, signatures, policy, what other bundles occupy. What stands in the way
 * is said, and tried again with the next pass.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import { undoneTo } from '../activation/undo.js';
import type { ImagesAhead } from '../images/ahead.js';
import type { BundleRecord, Journal } from '../journal/journal.js';
import { conflictWith, memoryAllows, rootAllows } from './decide.js';
import type { Lacking } from './lacking.js';
import type { Switch } from './switch.js';
import type { Verdicts } from './verdicts.js';

export interface RollBackParts {
  readonly journal: Journal;
  readonly switch: Switch;
  readonly verdicts: Verdicts;
  /** Blobs of a revision that are not here. */
  readonly lackingOf: (document: BundleDocument) => Lacking[];
  /** Left out where somebody else runs the pods. */
  readonly images?: Pick<ImagesAhead, 'hold' | 'dropReturn'> | undefined;
}

export class RollBack {
  readonly #parts: RollBackParts;

  constructor(parts: RollBackParts) {
    this.#parts = parts;
  }

  /** Does nothing when nothing is to be undone. What it lacks for it. */
  attempt(record: BundleRecord, root: RootDocument): Lacking[] {
    const { journal, lackingOf } = this.#parts;
    const failed = record.active === null ? null : journal.bundleDocument(record.active);
    const digest = undoneTo(record, failed?.strategy ?? DEFAULT_STRATEGY);
    if (digest === null) {
      this.#parts.images?.dropReturn(record);
      return [];
    }
    const target = journal.bundleDocument(digest);
    if (target === null) return this.#blocked(record, 'it is not kept here any more');
    const lacking = lackingOf(target);
    if (lacking.length > 0) {
      this.#blocked(record, `content of revision ${target.revision} is missing`);
      return lacking;
    }
    this.#putBack(record, { digest, target, from: failed?.revision ?? record.revision }, root);
    return [];
  }

  #putBack(
    record: BundleRecord,
    of: { readonly digest: string; readonly target: BundleDocument; readonly from: number },
    root: RootDocument,
  ): void {
    const { journal, verdicts } = this.#parts;
    const { digest, target, from } = of;
    const { namespace, name, revision } = target;
    const bundle: AssignedBundle = { namespace, name, revision, digest, size: 0, attempt: 0 };
    for (const allowed of [
      rootAllows(bundle, root),
      memoryAllows(bundle, {
        knownDigest: journal.knownDigest(bundle, revision),
        rollbackFloor: journal.rollbackFloor(bundle),
      }),
    ]) {
      if (!allowed.ok) return void this.#blocked(record, allowed.refusal.detail);
    }
    const staged = verdicts.of(target, { bundle, root, isActive: false });
    // What does not read back is forgotten: the next pass finds it lacking.
    if (staged === null) return;
    if (!staged.ok) return void this.#blocked(record, staged.refusal.detail);
    const pods = staged.value.flatMap(({ pod }) => pod ?? []);
    const conflict = conflictWith({ bundle, pods }, this.#parts.switch.occupied());
    if (conflict !== null) return void this.#blocked(record, conflict);
    // Its images may have gone since: until they are back, what failed is better than nothing.
    const held = this.#parts.images?.hold({
      ...{ bundle: { namespace, name }, digest, pods, isReturn: true },
      bindings: bindingsOf(target.images),
    });
    if (held) return void (held.reason === '' || this.#blocked(record, held.message));
    const failure = journal
      .trials()
      .failures()
      .find(one => one.digest === record.active);
    const step = {
      ...{ namespace, name, revision: from, digest: record.active ?? '' },
      attempt: record.activeAttempt,
      state: 'rolledBack' as const,
      reason: failure?.reason ?? record.reason,
      message: `${failure?.message ?? record.message}; back at revision ${revision}`,
    };
    if (this.#parts.switch.putBack(step, { digest, revision }, staged.value)) {
      this.#parts.images?.dropReturn(record);
    }
  }

  /** Said once where the failed revision is the wanted one; elsewhere its own state is told. */
  #blocked(record: BundleRecord, why: string): [] {
    const { journal } = this.#parts;
    if (record.digest !== record.active) return [];
    const { namespace, name, revision, digest, attempt, reason } = record;
    const text = `; cannot go back: ${why}`;
    if (record.message.endsWith(text)) return [];
    const message = `${record.message.split('; cannot go back: ')[0] ?? ''}${text}`;
    const step = { namespace, name, revision, digest, attempt, reason, message };
    journal.recordTransition({ ...step, state: 'failed' });
    return [];
  }
}
