/**
 * The node's journal: what it accepted, what it did, what it has still to report. One transaction
 * for each promise, durable when the call returns (WAL, synchronous FULL); no transaction while
 * nothing happens. Every call is synchronous. The engine's state is never kept here.
 */
import { join } from 'node:path';
import type { EventRecord, StatusDocument } from '../../protocol/documents/node.js';
import type { Clock } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { OpenedAssignment } from '../../protocol/verify-assignment.js';
import type { CompletionStore } from '../pods/pods.js';
import type { Machine } from '../time/machine.js';
import type { VersionStore } from '../pods/versions.js';
import type { EventSink, NewEvent, SourceCondition } from '../ports.js';
import { completionStore } from './completions.js';
import { alongside, type AlongsideName } from './alongside.js';
import { beginBoot, type ResetReason } from './begin.js';
import { journalConditions } from './conditions.js';
import * as content from './content.js';
import { diskTakes, type Connection } from './database.js';
import { historyStanding, lastBeginning, type Beginning, type Transition } from './history.js';
import { getMeta, setMeta } from './meta.js';
import { HeldContent } from './held-content.js';
import { listHolds } from './holds.js';
import type { JournalOptions } from './journal-options.js';
import * as outbox from './outbox.js';
import { secretStore, type SecretStore } from './secrets.js';
import { DEFAULT_RETENTION } from './retention.js';
import { Retainer } from './retainer.js';
import { timeMemory, type TimeMemory } from './time-memory.js';
import * as trust from './trust.js';
import type { Override } from './overrides.js';
import { siteStore, type SiteStore } from './site.js';
import { activate, trialStore, type TrialHooks, type TrialStore } from './trials.js';
import { UnsavedEvents } from './unsaved-events.js';
import { readTwin, TWIN_FILE } from './twin.js';
import { TwinKeeper, twinOf } from './twin-keeper.js';
import { versionStore } from './versions.js';
import { Writer } from './writer.js';

export type { JournalOptions } from './journal-options.js';
export type { OwnedFile, BundleRecord, RevisionRecord } from './content.js';
export type { Transition, HistoryEntry, HistoryRow } from './history.js';
export type { AcceptedAssignment } from './trust.js';
export { JournalError } from './database.js';

export class Journal implements EventSink {
  /** Made with the file, and anew when the file cannot be trusted any more. */
  readonly id: string;
  /** Counts openings of this journal by an agent, from 1. */
  readonly boot: number;
  /** Bundles and blobs, by digest. */
  readonly content: HeldContent;
  /** Where a damaged file, or a copy of it, was put at this start. */
  readonly setAside: string | null;
  readonly #db: Connection;
  readonly #clock: Clock;
  readonly #machine: Machine | null;
  readonly #twin: TwinKeeper;
  #root: TrustedRoot | null;
  #accepted: trust.AcceptedAssignment | null;
  #fresh: { reason: ResetReason; nonce: string } | null;
  #files: Map<string, content.OwnedFile>;
  readonly #unsaved: UnsavedEvents;
  readonly #writer: Writer;
  #bundles: { changes: number; records: readonly content.BundleRecord[] } | null = null;
  #counter = 0;

  constructor(db: Connection, options: JournalOptions, setAside: string | null) {
    this.#db = db;
    this.#clock = options.clock;
    this.#machine = options.machine ?? null;
    this.setAside = setAside;
    const { retention = DEFAULT_RETENTION, node = '', gatherMs = () => 0 } = options;
    this.#writer = new Writer(db, {
      clock: options.clock,
      retainer: new Retainer(db, retention, node),
      stamp: () => this.#now(),
      onLost: () => this.#lost(),
      onFault: fault => this.onFault?.(fault),
      onRetry: () => {
        this.flush();
        this.onRetry?.();
      },
    });
    this.content = new HeldContent(db, this.#writer, options.clock);
    try {
      const twinFile = join(options.dataDir, TWIN_FILE);
      const former = { twin: readTwin(twinFile), setAside };
      this.#writer.durably(() => beginBoot(db, this.#now(), { ...options, ...former }));
      this.id = getMeta(db, 'journal') ?? '';
      this.boot = Number(getMeta(db, 'boot'));
      this.#root = trust.newestRoot(db);
      const accepted = trust.newestAssignment(db);
      this.#accepted = accepted === 'damaged' ? null : accepted;
      const reason = getMeta(db, 'fresh') as ResetReason | null;
      this.#fresh = reason && { reason, nonce: getMeta(db, 'nonce') ?? '' };
      this.#files = content.filesByName(this.#db);
      this.#unsaved = new UnsavedEvents(db, this.#writer, {
        ...{ node, clock: options.clock, gatherMs },
        onLate: () => this.onEvent?.(),
      });
      const onFault = () => this.#writer.tryAgain();
      this.#twin = new TwinKeeper(twinFile, { twin: () => twinOf(db, this), onFault });
      this.#twin.keep();
    } catch (error) {
      // Nobody has this journal: its alarms must not ring.
      this.#writer.close();
      throw error;
    }
  }

  /** Grows with each call within a boot; with `boot` before it, it needs no disk. */
  nextCounter(): number {
    return ++this.#counter;
  }

  /** How far history is; `known`: the row that the hub named last, or 0. */
  history(known = 0): StatusDocument['history'] {
    return historyStanding(this.#db, known);
  }

  /**
   * What was gathered is durable when it returns: nothing of it is told before. @throws what the disk throws: then it is gone. What was
   * durable before is told all the same, so the twin is written, or known to be behind, in any case.
   */
  settle(): void {
    try {
      this.#writer.settle();
    } finally {
      this.#twin.settle();
    }
  }

  /** Called when the disk refused what was gathered: it has to be done again. */
  onLost: (() => void) | null = null;

  /** Called when the disk refuses transactions, and with null when it takes them again. */
  onFault: ((fault: Error | null) => void) | null = null;

  /** Called again and again while it refuses them: what was refused may be tried again. */
  onRetry: (() => void) | null = null;

  /** The date of rows, milliseconds since 1970, once somebody knows the time; null: the system clock's. */
  stamp: (() => number) | null = null;

  /** What the root proves to be past, milliseconds since 1970. */
  floor: (() => number) | null = null;

  conditions(): SourceCondition[] {
    const [fault, twinFault] = [this.#writer.fault(), this.#twin.fault()];
    const unsaved = this.#unsaved.refused;
    const areForgotten = getMeta(this.#db, 'holds-forgotten') !== null;
    const holds = areForgotten ? null : listHolds(this.#db);
    const reset = { reason: this.#fresh?.reason, setAside: getMeta(this.#db, 'set-aside') };
    return journalConditions({ ...reset, fault, unsaved, twinFault, holds });
  }

  /** When and why it was begun, the last time. */
  begun(): Beginning | null {
    return lastBeginning(this.#db);
  }

  root(): TrustedRoot | null {
    return this.#root;
  }

  /** The same root again changes nothing. @throws JournalError `OtherFleet` */
  acceptRoot(root: TrustedRoot): void {
    if (this.#root?.digest === root.digest) return;
    trust.assertSameFleet(this.#root, root);
    this.#writer.durably(() => trust.insertRoot(this.#db, this.#now(), root));
    this.#root = root;
    this.#twin.keep();
  }

  /** The newest accepted assignment. */
  accepted(): trust.AcceptedAssignment | null {
    return this.#accepted;
  }

  /** Set while only an answer to this nonce may be accepted. */
  freshNonce(): string | null {
    return this.#fresh?.nonce ?? null;
  }

  /** Envelope, counters and intent at once. An assignment that is accepted already changes nothing. */
  acceptAssignment(opened: OpenedAssignment): void {
    if (!opened.changed) return;
    const { document, digest } = opened;
    const acceptedAt = this.#now();
    this.#writer.durably(() => {
      trust.insertAssignment(this.#db, acceptedAt, opened);
      setMeta(this.#db, 'fresh', null);
      setMeta(this.#db, 'nonce', null);
      content.prune(this.#db, content.digestsOf(document));
    });
    const { epoch, generation } = document;
    this.#accepted = { epoch, generation, digest, acceptedAt, document };
    this.#fresh = null;
    this.content.forget();
    this.#twin.soon();
  }

  /** Read anew only after something was written. */
  bundles(): readonly content.BundleRecord[] {
    const changes = this.#writer.changes();
    if (this.#bundles?.changes !== changes) {
      this.#bundles = { changes, records: content.listBundles(this.#db) };
    }
    return this.#bundles.records;
  }

  /** Gathered while the directory is not touched; else durable when it returns. */
  recordTransition(to: Transition): void {
    const step = () => content.applyTransition(this.#db, this.#stamped(), to);
    if (to.state === 'staged' || to.state === 'waiting') return this.#writer.soon(step);
    this.#writer.durably(step);
    // It may have set a floor.
    if (to.state === 'healthy') this.#twin.keep();
  }

  /** The files that are to lie in the directory from now on, with the step that says so. `by`: in spite of its window. */
  activate(to: Transition, files: readonly content.OwnedFile[], by?: Override): void {
    activate(this.#db, this.#hooks(), { to, files, by });
  }

  /** What people want beside the assignment. */
  site(): SiteStore {
    return siteStore(this.#db, this.#hooks());
  }

  /** Revisions on trial: given up, proven, undone. */
  trials(): TrialStore {
    return trialStore(this.#db, this.#hooks());
  }

  #hooks(): TrialHooks {
    return {
      writer: this.#writer,
      moment: () => this.#stamped(),
      prune: () => content.prune(this.#db, content.digestsOf(this.#accepted?.document)),
      onFiles: () => this.#filesChanged(),
      onKept: when => (when === 'soon' ? this.#twin.soon() : this.#twin.keep()),
      onEvent: () => this.onEvent?.(),
    };
  }

  #filesChanged(): void {
    this.#files = content.filesByName(this.#db);
    this.content.forget();
    this.#twin.keep();
  }

  /** By file name. */
  files(): ReadonlyMap<string, content.OwnedFile> {
    return this.#files;
  }

  /**
   * Durable when it returns, unless the disk refuses: then the event waits in memory (at most 1,000 do), the condition
   * `JournalWritable` says so, and the next call tries again. Never throws for the disk's sake.
   */
  record(event: NewEvent): void {
    this.#unsaved.add(this.#moment(), event);
    this.flush();
    this.onEvent?.();
  }

  /** Writes what the disk refused before: the twin, events. */
  flush(): void {
    if (this.#twin.fault() !== null) this.#twin.keep();
    this.#unsaved.flush();
  }

  /** For one that does not read back. */
  rewriteTwin(): void {
    this.#twin.keep();
  }

  /** Transactions that the disk refused since the journal was opened. */
  refused(): number {
    return this.#writer.refused();
  }

  /** Called after each event: the report loop's wake-up. */
  onEvent: (() => void) | null = null;

  /** Not confirmed yet. */
  events(after: number, limit: number, timeOf?: outbox.TimeOf): EventRecord[] {
    const from = Math.max(after, this.oldestEvent() - 1);
    return outbox.readEvents(this.#db, { after: from, limit, timeOf });
  }

  /** The newest, oldest first, whether the hub has them or not. */
  recentEvents(timeOf?: outbox.TimeOf): EventRecord[] {
    return outbox.recentEvents(this.#db, { timeOf });
  }

  oldestEvent(): number {
    return outbox.oldestEvent(this.#db);
  }

  newestEvent(): number {
    return outbox.newestEvent(this.#db);
  }

  /** Numbers beyond the newest are not believed. Calling twice is safe. */
  acknowledgeEvents(through: number): void {
    if (through < this.oldestEvent() || through > this.newestEvent()) return;
    // Else they are said again after the next start, and the hub knows their numbers.
    diskTakes(() => this.#writer.soon(() => outbox.dropEvents(this.#db, through)));
  }

  /** What is proven of the time. */
  time(): TimeMemory {
    return timeMemory(this.#db, this.#writer);
  }

  /** A value that is worth no transaction of its own. */
  readonly alongside = (name: AlongsideName) => alongside(this.#db, this.#writer, name);

  /** Pods that ended for good, and what those on the engine were made from. */
  ofPods(): { readonly completions: CompletionStore; readonly versions: VersionStore } {
    const parts = [this.#db, this.#writer] as const;
    return { completions: completionStore(...parts), versions: versionStore(...parts) };
  }

  /** Secrets, sealed. */
  readonly secrets = (): SecretStore => secretStore(this.#db, this.#writer);

  close(): void {
    this.#unsaved.close();
    this.#writer.close();
    this.#twin.settle();
    this.#db.close();
  }

  #lost(): void {
    this.content.forget();
    this.onLost?.();
  }

  /** Of rows. */
  #now(): number {
    return this.stamp?.() ?? this.#clock.now();
  }

  #stamped(): outbox.Stamped {
    return { ...this.#moment(), stamp: this.#now(), floor: this.floor?.() ?? 0 };
  }

  /** Of events, whose times are put right when they are told. */
  #moment(): outbox.Moment {
    return outbox.momentOf(this.#clock.now(), this.#machine);
  }
}
