/**
 * Puts the last healthy revision back where one was given up, by the health gate or by a person, from what the journal holds and under the rules that hold for
 * anything that begins: the root's denials and floors, signatures, policy, what other bundles occupy. What stands in the way
 * is said, and tried again with the next pass.
 */
import type {
  ActivateNow,
  AssignedBundle,
  AssignmentDocument,
} from '../../protocol/documents/assignment.js';
import type { BundleDocument, BundleStrategy } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { UNDONE } from '../../protocol/bundle-reasons.js';
import type { ValidPod } from '../../protocol/pod.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import { mayNotUndo, undoneTo, withObstacle } from '../activation/undo.js';
import type { ImagesAhead } from '../images/ahead.js';
import type { FailureRecord } from '../journal/failures.js';
import type { BundleRecord, Journal, Transition } from '../journal/journal.js';
import { inSpiteOf } from '../journal/overrides.js';
import {
  bundleKey,
  conflictWith,
  memoryAllows,
  rootAllows,
  type StagedManifest,
} from './decide.js';
import { isInVain, type Lacking, type Whereabouts } from './lacking.js';
import type { Shortfall } from './shortfall.js';
import type { Switch } from './switch.js';
import { transition } from './transition.js';
import type { LockGate } from './lock-gate.js';
import { FREE } from './window-gate.js';
import type { Verdicts } from './verdicts.js';

export interface RollBackParts {
  readonly journal: Journal;
  readonly switch: Switch;
  readonly verdicts: Verdicts;
  readonly shortfall: Pick<Shortfall, 'ofKnown'>;
  readonly whereabouts: (digest: string) => Whereabouts;
  /** Left out where somebody else runs the pods. */
  readonly images?: Pick<ImagesAhead, 'hold' | 'dropReturn'> | undefined;
  readonly locks?: Pick<LockGate, 'judge'> | undefined;
}

/** Digests and numbers: what runs, and what was healthy before it. */
export interface WayBack {
  readonly from: string;
  readonly fromRevision: number;
  readonly to: string;
  readonly toRevision: number;
}

interface Way {
  readonly digest: string;
  readonly target: BundleDocument;
  readonly staged: readonly StagedManifest[];
  readonly pods: readonly ValidPod[];
}

interface Wished {
  /** Whoever at the hub wants it without waiting; null: nobody. */
  readonly now: ActivateNow | null;
}

interface Obstacle {
  readonly why: string;
  /** The root, this node's memory or its rules refuse what is kept, or nothing is: waiting for it would be in vain. */
  readonly isForGood: boolean;
  readonly lacking: Lacking[];
}

export class RollBack {
  readonly #parts: RollBackParts;

  constructor(parts: RollBackParts) {
    this.#parts = parts;
  }

  /** Does nothing when nothing is to be undone. What it lacks for it. */
  attempt(
    record: BundleRecord,
    { root, assignment }: { root: RootDocument; assignment: Pick<AssignmentDocument, 'bundles'> },
  ): Lacking[] {
    const digest = undoneTo(record, this.#strategyOf(record));
    if (digest === null) {
      this.#parts.images?.dropReturn(record);
      return [];
    }
    const way = this.#wayTo(record, digest, root);
    // What does not read back is forgotten: the next pass finds it lacking.
    if (way === null) return [];
    if ('why' in way) {
      this.#blocked(record, way.why);
      return way.lacking;
    }
    this.#putBack(record, { ...way, now: nowOf(record, assignment) });
    return [];
  }

  /** What was given up stays, and no waiting would change that; it may where a newer root or other rules of the owner allow more. */
  cannotReturn(record: BundleRecord, root: RootDocument): boolean {
    const digest = undoneTo(record, this.#strategyOf(record));
    const way = digest === null ? null : this.#wayTo(record, digest, root);
    return way !== null && 'why' in way && way.isForGood;
  }

  /** Of what lies in the directory. A person's word counts whatever the revision says of its failures. */
  #strategyOf({ active }: BundleRecord): Pick<BundleStrategy, 'onFailure'> {
    if (this.#failureOf(active)?.reason === UNDONE) return { onFailure: 'rollback' };
    const document = active === null ? null : this.#parts.journal.content.bundleDocument(active);
    return document?.strategy ?? DEFAULT_STRATEGY;
  }

  #failureOf(digest: string | null): FailureRecord | undefined {
    const { journal } = this.#parts;
    return journal
      .trials()
      .failures()
      .find(one => one.digest === digest);
  }

  /** What a person at the device may have instead of what runs, or a sentence why there is no way back. */
  wayBack(record: BundleRecord, root: RootDocument): WayBack | string {
    const { journal } = this.#parts;
    const running = record.active === null ? null : journal.content.bundleDocument(record.active);
    const why = mayNotUndo(record, this.#strategyOf(record));
    if (why !== null) return why;
    const former = journal.trials().previousHealthy(record);
    if (former === null) return 'no former revision that was healthy on this node is kept here';
    const way = this.#wayTo(record, former.digest, root);
    if (way === null) return 'content of the former revision does not read back';
    if ('why' in way) return way.why;
    return {
      ...{ from: record.active ?? '', fromRevision: running?.revision ?? record.revision },
      ...{ to: former.digest, toRevision: former.revision },
    };
  }

  /** Under the rules that hold for what begins; null: content does not read back. */
  #wayTo(record: BundleRecord, digest: string, root: RootDocument): Way | Obstacle | null {
    const { journal, shortfall, verdicts } = this.#parts;
    const target = journal.content.bundleDocument(digest);
    const lacking = shortfall.ofKnown(record, digest, root);
    if (lacking.length > 0) return this.#missing(digest, lacking);
    if (target === null) return refused('it is not kept here any more');
    const { namespace, name, revision } = target;
    const bundle: AssignedBundle = { namespace, name, revision, digest, size: 0, attempt: 0 };
    for (const allowed of [
      rootAllows(bundle, root),
      memoryAllows(bundle, {
        knownDigest: journal.content.knownDigest(bundle, revision),
        rollbackFloor: journal.content.rollbackFloor(bundle),
      }),
    ]) {
      if (!allowed.ok) return refused(allowed.refusal.detail);
    }
    const staged = verdicts.of(target, { bundle, root, isActive: false });
    if (staged === null) return null;
    if (!staged.ok) return refused(staged.refusal.detail);
    const pods = staged.value.flatMap(({ pod }) => pod ?? []);
    const conflict = conflictWith({ bundle: record, pods }, this.#parts.switch.occupied());
    if (conflict !== null) return { why: conflict, isForGood: false, lacking: [] };
    return { digest, target, staged: staged.value, pods };
  }

  #missing(digest: string, lacking: Lacking[]): Obstacle {
    const { journal, whereabouts } = this.#parts;
    const isForGood = lacking.some(one => isInVain(whereabouts(one.digest)));
    const what = `content of revision ${journal.content.revisionOf(digest) ?? ''} is missing`;
    return {
      why: isForGood ? `${what}, and the hub has none that fits` : what,
      isForGood,
      lacking,
    };
  }

  #putBack(record: BundleRecord, { digest, target, staged, pods, now }: Way & Wished): void {
    const failure = this.#failureOf(record.active);
    const from = failure?.revision ?? record.revision;
    const { namespace, name, revision } = target;
    // Its images may have gone since: until they are back, what failed is better than nothing.
    const held = this.#parts.images?.hold({
      ...{ bundle: { namespace, name }, digest, pods, isReturn: true },
      bindings: bindingsOf(target.images),
    });
    if (held) return void (held.reason === '' || this.#blocked(record, held.message));
    const disturbed = this.#parts.switch.disturbed(record, staged);
    const going = { namespace, name, digest: record.active ?? '', attempt: record.activeAttempt };
    const passage =
      this.#parts.locks?.judge({
        ...{ ...going, pods: disturbed, isReturn: true },
        ...(now === null ? {} : { now }),
      }) ?? FREE;
    const { hold: lock, by } = passage;
    if (lock) return void (lock.reason === '' || this.#blocked(record, lock.message));
    const wish = by === null ? '' : ` ${inSpiteOf(by)}`;
    const step = {
      ...{ ...going, revision: from },
      state: 'rolledBack' as const,
      reason: failure?.reason ?? record.reason,
      message: `${failure?.message ?? record.message}; back at revision ${revision}${wish}`,
    };
    if (!this.#parts.switch.putBack(step, { digest, revision, by }, staged)) return;
    this.#parts.images?.dropReturn(record);
    this.#furtherBack(record, step);
  }

  /** Where the wanted revision had given way before, its own state names a revision that is not there any more. */
  #furtherBack(record: BundleRecord, { digest, message }: Transition): void {
    if (record.state !== 'rolledBack' || record.digest === digest) return;
    const text = `${record.message.split('; then ')[0] ?? ''}; then ${message}`;
    this.#parts.journal.recordTransition(
      transition(record, { state: 'rolledBack', reason: record.reason, message: text }),
    );
  }

  /** Said once where the failed revision is the wanted one; elsewhere its own state is told. */
  #blocked(record: BundleRecord, why: string): [] {
    const { journal } = this.#parts;
    if (record.digest !== record.active) return [];
    const { namespace, name, revision, digest, attempt, reason } = record;
    const message = withObstacle(record.message, why);
    // An app that touches its lock while it works is no news.
    if (withoutTimes(record.message) === withoutTimes(message)) return [];
    const step = { namespace, name, revision, digest, attempt, reason, message };
    journal.recordTransition({ ...step, state: 'failed' });
    return [];
  }
}

function refused(why: string): Obstacle {
  return { why, isForGood: true, lacking: [] };
}

/** What the hub says of the revision that lies there. */
function nowOf(
  record: BundleRecord,
  { bundles }: Pick<AssignmentDocument, 'bundles'>,
): ActivateNow | null {
  const assigned = bundles.find(one => bundleKey(one) === bundleKey(record));
  const isOfIt = assigned?.digest === record.active && assigned.attempt === record.activeAttempt;
  return isOfIt ? (assigned.now ?? null) : null;
}

function withoutTimes(text: string): string {
  return text.replace(/ since \d{4}-\d\d-\d\dT[\d:]+Z/g, '');
}
