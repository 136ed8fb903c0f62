/**
 * Brings the static pod directory to what the accepted assignment says, bundle by bundle, from what
 * the journal holds. A pass may run at any time and does nothing when nothing is to be done; it
 * returns what is lacking. Each bundle waits or fails alone, its former revision running on. Asks
 * nobody for anything.
 */
import { counted } from '../../protocol/counted.js';
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { CONFLICT, NOT_UNDO_READY, SAYS_WHAT_TO_DO } from '../../protocol/bundle-reasons.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import type { Refusal, Result } from '../../protocol/refusal.js';
import { phaseNow } from '../activation/bundle-health.js';
import { move, toldState } from '../activation/table.js';
import {
  bundleKey,
  conflictWith,
  memoryAllows,
  rootAllows,
  type Occupied,
  type StagedManifest,
} from './decide.js';
import { PromisedDirectory } from './directory.js';
import type { FailureRecord } from '../journal/failures.js';
import type { BundleRecord } from '../journal/journal.js';
import { inSpiteOf } from '../journal/overrides.js';
import { signedAnew, type Lacking } from './lacking.js';
import { lackingParameter } from '../parameters/lacking.js';
import { FormerWait } from './former-wait.js';
import { Removals } from './removals.js';
import { RollBack, type WayBack } from './roll-back.js';
import { revokedBundles, revokedConditions } from './revoked.js';
import { Switch } from './switch.js';
import { transition } from './transition.js';
import { waitingFor, type Step } from './waiting-for.js';
import { FREE, type Passage } from './window-gate.js';
import type { StageOptions } from './stage-options.js';
import { JudgedContent } from './judged-content.js';
import { Shortfall } from './shortfall.js';
import { Verdicts } from './verdicts.js';
import type { SourceCondition } from '../ports.js';

interface Activated {
  readonly assigned: AssignedBundle;
  readonly record: BundleRecord | undefined;
}

export class Stage {
  readonly #options: StageOptions;
  readonly #verdicts: Verdicts;
  readonly #judged: JudgedContent;
  readonly #shortfall: Shortfall;
  readonly #former: FormerWait;
  readonly #directory: PromisedDirectory;
  readonly #switch: Switch;
  readonly #removals: Removals;
  readonly #rollBack: RollBack;
  /** Of a pass: who has all that it needs, in the order of the assignment; of two that want the same the first one gets it. */
  #claimed: Occupied[] = [];

  constructor(options: StageOptions) {
    this.#options = options;
    this.#directory = new PromisedDirectory(options);
    const directory = this.#directory;
    this.#verdicts = new Verdicts({ ...options, directory });
    this.#judged = new JudgedContent(this.#verdicts);
    this.#shortfall = new Shortfall({ ...options, verdicts: this.#verdicts });
    this.#former = new FormerWait(options);
    this.#switch = new Switch({ ...options, directory });
    this.#removals = new Removals({ ...options, switch: this.#switch });
    this.#rollBack = new RollBack({
      ...options,
      switch: this.#switch,
      verdicts: this.#verdicts,
      shortfall: this.#shortfall,
    });
  }

  /**
   * True while a pass should be tried again later: the directory could not be brought to what is
   * promised.
   */
  needsRetry(): boolean {
    return this.#directory.needsRetry();
  }

  /** Milliseconds until time alone may let something go on; null: nothing waits for it. */
  againInMs(): number | null {
    const { windows, locks } = this.#options;
    const times = [windows, locks, this.#former].flatMap(gate => gate?.againInMs() ?? []);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** The directory is compared again with the next pass. */
  distrustDirectory(): void {
    this.#directory.distrust();
  }

  /** True for bytes that an accepted bundle, or a person whose changes are left alone, put under this name. */
  explains(file: string, bytes: Uint8Array): ReturnType<PromisedDirectory['explains']> {
    return this.#directory.explains(file, bytes);
  }

  isWithdrawn(file: string): boolean {
    return this.#directory.isWithdrawn(file);
  }

  pass(assignment: AssignmentDocument | null, root: RootDocument | null): Lacking[] {
    this.#directory.repair();
    this.#options.locks?.beginPass();
    const lacking = this.#pass(assignment, root);
    this.#options.locks?.endPass();
    return lacking;
  }

  #pass(assignment: AssignmentDocument | null, root: RootDocument | null): Lacking[] {
    if (root && this.#options.revokedBundles === 'stop') this.#removals.stopRevoked(root);
    if (!assignment || !root) return [];
    this.#removals.removeUnassigned(assignment);
    this.#options.windows?.keepOnly(assignment.bundles);
    this.#judged.keepOnly(assignment.bundles);
    this.#former.keepOnly(assignment.bundles);
    const { journal } = this.#options;
    // One bundle may wait for what another gives up in the same assignment.
    for (;;) {
      const before = journal.files();
      this.#claimed = [];
      const lacking = assignment.bundles.flatMap(assigned => this.#advance(assigned, root));
      // After what the newest assignment wants instead: then there is nothing to undo.
      const context = { root, assignment };
      lacking.push(...journal.bundles().flatMap(one => this.#rollBack.attempt(one, context)));
      if (journal.files() !== before) continue;
      const former = journal.bundles().flatMap(one => this.#shortfall.former(one, root));
      return [...withoutTwice(lacking, former), ...this.#shortfall.secrets()];
    }
  }

  conditions(root: RootDocument): SourceCondition[] {
    return [
      ...this.#directory.conditions(),
      ...(this.#options.windows?.conditions() ?? []),
      ...(this.#options.locks?.conditions() ?? []),
      ...revokedConditions(revokedBundles(this.#options.journal, root)),
    ];
  }

  /** Where a person at the device gets to who undoes what runs, or why there is no way. Changes nothing. */
  wayBack(record: BundleRecord, root: RootDocument): WayBack | string {
    return this.#rollBack.wayBack(record, root);
  }

  /** What was given up there stays, as `RollBack.cannotReturn` has it. */
  cannotReturn(record: BundleRecord, root: RootDocument): boolean {
    return this.#rollBack.cannotReturn(record, root);
  }

  // --- one bundle

  #advance(assigned: AssignedBundle, root: RootDocument): Lacking[] {
    const { journal } = this.#options;
    const record = journal.bundles().find(bundle => bundleKey(bundle) === bundleKey(assigned));
    const settled =
      record?.active === assigned.digest &&
      record.digest === assigned.digest &&
      record.attempt === assigned.attempt;
    // What the journal lost of it is fetched again, while it runs on.
    if (settled && !this.#directory.isBroken(assigned))
      return this.#shortfall.ofAssigned(assigned, null);
    const failure = journal
      .trials()
      .failures()
      .find(one => isOf(one, assigned));
    if (failure) return this.#hadItsChance(assigned, record, failure);
    const settle = (step: Step, lacking: Lacking[] = []) =>
      this.#settle(assigned, record, step).concat(lacking);

    const allowed = this.#allowed(assigned, root);
    if (!allowed.ok) return settle(failed(allowed.refusal));
    const isActive = record?.active === assigned.digest;
    const lacking = this.#shortfall.ofAssigned(assigned, isActive ? null : root);
    if (lacking.length > 0) {
      settle(waitingFor(lacking, this.#options.whereabouts));
      return lacking;
    }
    const document = journal.content.bundleDocument(assigned.digest);
    if (!document) return [];
    const unsealed = this.#options.runtimeNone === true ? null : this.#shortfall.unsealed(document);
    if (unsealed !== null) return settle(unsealed);
    const staged = this.#judged.of(document, { bundle: assigned, root, isActive });
    if (staged === null) {
      const again = this.#shortfall.ofAssigned(assigned, null);
      settle(waitingFor(again, this.#options.whereabouts));
      return again;
    }
    if (!staged.ok) return settle(failed(staged.refusal), signedAnew(assigned, staged.refusal));
    const wanted = { bundle: assigned, pods: staged.value.flatMap(({ pod }) => pod ?? []) };
    const given = journal.accepted()?.document.parameters ?? {};
    const parameters = isActive ? null : lackingParameter(wanted.pods, document, given);
    if (parameters !== null) return settle(parameters);
    const images = { ...wanted, digest: assigned.digest, bindings: bindingsOf(document.images) };
    const held = this.#options.images?.hold(images);
    const conflict = conflictWith(wanted, [...this.#switch.occupied(), ...this.#claimed]);
    if (conflict) return settle({ event: 'obstacle', reason: CONFLICT, message: conflict });
    this.#claimed.push(wanted);
    // Nothing to write down before it is known whether anything is missing.
    if (held) return held.reason === '' ? [] : settle({ event: 'obstacle', ...held });
    const stuck = isActive ? null : this.#cannotGoBack(assigned, document);
    if (stuck !== null) return settle(stuck);
    const passage = isActive ? FREE : this.#passage(assigned, { document, staged: staged.value });
    if (passage.hold?.reason === '') return [];
    if (passage.hold !== null) return settle({ event: 'obstacle', ...passage.hold });
    const unready = isActive ? null : this.#awaitsFormer(assigned, { record, root });
    if (unready !== null) return settle(unready);
    // It may have waited for months.
    if (!isActive && this.#options.images?.confirm(images) === false) return [];
    this.#activate({ assigned, record, by: passage.by }, staged.value);
    return [];
  }

  /** Its windows, who stands at the device, and the pods that would be disturbed. */
  #passage(
    assigned: AssignedBundle,
    { document, staged }: { document: BundleDocument; staged: readonly StagedManifest[] },
  ): Passage {
    const { windows, locks } = this.#options;
    const passage = windows?.judge(assigned, document) ?? FREE;
    if (passage.hold !== null || locks === undefined) return passage;
    const pods = this.#switch.disturbed(assigned, staged);
    const lock = locks.judge({ ...assigned, pods });
    return lock.hold !== null || lock.by !== null ? lock : passage;
  }

  /** A revision that was given up at this attempt: what runs instead is all that is cared for. */
  #hadItsChance(
    assigned: AssignedBundle,
    record: BundleRecord | undefined,
    failure: FailureRecord,
  ): Lacking[] {
    const { journal } = this.#options;
    const isKnown = record?.digest === assigned.digest && record.attempt === assigned.attempt;
    if (!isKnown) {
      const { reason, attempt } = failure;
      const message = `given up here before, at attempt ${attempt}: ${failure.message}`;
      this.#settle(assigned, record, { event: 'unfit', reason, message });
    }
    const document = record?.active ? journal.content.bundleDocument(record.active) : null;
    if (!record || !document || !this.#directory.isBroken(record)) return [];
    const lacking = this.#shortfall.of(document);
    if (lacking.length > 0) return lacking;
    this.#directory.restored(record);
    this.#directory.distrust();
    this.#directory.repair();
    return [];
  }

  #allowed(assigned: AssignedBundle, root: RootDocument): Result<null> {
    const { journal } = this.#options;
    const byRoot = rootAllows(assigned, root);
    if (!byRoot.ok) return byRoot;
    return memoryAllows(assigned, {
      knownDigest: journal.content.knownDigest(assigned, assigned.revision),
      rollbackFloor: journal.content.rollbackFloor(assigned),
    });
  }

  /** Where its rollout asks for it: a node that could not come back does not set out. */
  #cannotGoBack(assigned: AssignedBundle, { strategy }: BundleDocument): Step | null {
    if (!(strategy.require ?? []).includes('undoReady')) return null;
    const fault = this.#options.readiness?.undoFault(assigned, assigned.digest) ?? null;
    if (fault === null) return null;
    const message = `this node could not go back: ${fault.reason}: ${fault.message}`;
    return { event: 'obstacle', reason: NOT_UNDO_READY, message };
  }

  /** What it would be gone back to from here on is not here, and may come: for that long the switch can wait. */
  #awaitsFormer(
    assigned: AssignedBundle,
    { record, root }: { record: BundleRecord | undefined; root: RootDocument },
  ): Step | null {
    const lacking = record === undefined ? [] : this.#shortfall.wayBackFrom(record, assigned, root);
    return this.#former.judge(assigned, lacking);
  }

  #activate(
    { assigned, record, by }: Pick<Passage, 'by'> & Activated,
    staged: readonly StagedManifest[],
  ): void {
    const next = move(phaseNow(assigned, record), 'staged');
    if (next === null) return;
    const wish = by === null ? '' : `; ${inSpiteOf(by)}`;
    const message = `${counted(staged.length, 'manifest')} in the static pod directory${wish}`;
    const step = { state: toldState(next.to) ?? 'activating', reason: 'FilesWritten', message };
    if (this.#switch.put(transition(assigned, step), staged, by ?? undefined)) {
      this.#judged.drop(assigned);
      if (assigned.attempt > 0) this.#options.onTriedAgain?.(assigned);
      return this.#options.images?.drop(assigned);
    }
    const fault = this.#directory.fault();
    const reason = fault?.fault ?? 'WriteFailed';
    this.#settle(assigned, record, { event: 'obstacle', reason, message: fault?.message ?? '' });
  }

  /** Records a step unless the bundle stands there already. */
  #settle(bundle: AssignedBundle, record: BundleRecord | undefined, step: Step): Lacking[] {
    const { journal, log } = this.#options;
    const next = move(phaseNow(bundle, record), step.event);
    const state = next && toldState(next.to);
    if (state === null) return [];
    const { reason, message } = step;
    const same =
      record?.state === state &&
      record.reason === reason &&
      (record.message === message || !SAYS_WHAT_TO_DO.has(reason)) &&
      record.digest === bundle.digest &&
      record.attempt === bundle.attempt;
    if (same) return [];
    journal.recordTransition(transition(bundle, { state, reason, message }));
    if (state === 'failed') {
      const { namespace, name } = bundle;
      log.warn('bundle failed', { bundle: bundleKey(bundle), reason });
      journal.record({
        type: 'Warning',
        reason: 'BundleFailed',
        message: `revision ${bundle.revision}: ${reason}: ${message}`,
        involved: { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' },
      });
    }
    return [];
  }
}

/** What an assignment names goes by its words. */
function withoutTwice(named: readonly Lacking[], former: readonly Lacking[]): Lacking[] {
  const digests = new Set(named.map(({ digest }) => digest));
  return [...named, ...former.filter(({ digest }) => !digests.has(digest))];
}

function failed({ code, detail }: Refusal): Step {
  return { event: 'unfit', reason: code, message: detail };
}

/** At this attempt or a later one. */
function isOf(failure: FailureRecord, assigned: AssignedBundle): boolean {
  return failure.digest === assigned.digest && failure.attempt >= assigned.attempt;
}
