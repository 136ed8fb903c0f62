/**
 * The node's journal: what it accepted, what it did, what it has still to report. One transaction
 * for each promise, durable when the call returns (WAL, synchronous FULL); no transaction while
 * nothing happens. Every call is synchronous. The engine's state is never kept here.
 */
import { join } from 'node:path';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { EventRecord, StatusDocument } from '../../protocol/documents/node.js';
import type { Clock } from '../../protocol/ports.js';
import type { TrustedRoot, Verified } from '../../protocol/verified.js';
import type { OpenedAssignment } from '../../protocol/verify-assignment.js';
import type { CompletionStore } from '../pods/pods.js';
import type { Machine } from '../time/machine.js';
import type { VersionStore } from '../pods/versions.js';
import type { BundleName, EventSink, NewEvent, SourceCondition } from '../ports.js';
import { completionStore } from './completions.js';
import { begin, keptEvidence, resetReason, type ResetReason } from './begin.js';
import { journalConditions } from './conditions.js';
import * as content from './content.js';
import { isDiskError, openDatabase, unusable, type Connection } from './database.js';
import { historyStanding, type Transition } from './history.js';
import { getMeta, setMeta } from './meta.js';
import { keptContent, type KeptContent } from './kept-content.js';
import type { JournalOptions } from './journal-options.js';
import * as outbox from './outbox.js';
import { secretStore, type SecretStore } from './secrets.js';
import { onReserve } from './reserve.js';
import { DEFAULT_RETENTION } from './retention.js';
import { Retainer } from './retainer.js';
import { timeMemory, type TimeMemory } from './time-memory.js';
import * as trust from './trust.js';
import { siteStore, type Override, type SiteStore } from './site.js';
import { activate, trialStore, type TrialHooks, type TrialStore } from './trials.js';
import { UnsavedEvents } from './unsaved-events.js';
import { readTwin } from './twin.js';
import { TwinKeeper, twinOf } from './twin-keeper.js';
import { versionStore } from './versions.js';
import { Writer } from './writer.js';

export type { JournalOptions } from './journal-options.js';
export type { OwnedFile, BundleRecord, RevisionRecord } from './content.js';
export type { Transition, HistoryEntry, HistoryRow } from './history.js';
export type { AcceptedAssignment } from './trust.js';
export type { ResetReason } from './begin.js';
export { JournalError } from './database.js';

export const JOURNAL_FILE = 'journal.db';
export const TWIN_FILE = 'journal.floors.json';

/**
 * On a full disk what was held back for this is given up, piece by piece.
 *
 * @throws JournalError `NewerSchema` or `Unusable`
 */
export function openJournal(options: JournalOptions): Journal {
  return onReserve(options.dataDir, () => openOnce(options));
}

function openOnce(options: JournalOptions): Journal {
  const file = join(options.dataDir, JOURNAL_FILE);
  const opened = openDatabase(file, options.clock.now());
  try {
    const { connection, setAside } = opened;
    const evidence = keptEvidence(connection, { file, at: options.clock.now() });
    return new Journal(connection, options, setAside ?? evidence);
  } catch (error) {
    opened.connection.close();
    throw isDiskError(error) ? unusable(file, error) : error;
  }
}

export class Journal implements EventSink {
  /** Made with the file, and anew when the file cannot be trusted any more. */
  readonly id: string;
  /** Counts openings of this journal by an agent, from 1. */
  readonly boot: number;
  /** Where a damaged file was put at this start. */
  readonly setAside: string | null;
  readonly #db: Connection;
  readonly #clock: Clock;
  readonly #machine: Machine | null;
  readonly #twin: TwinKeeper;
  readonly #documents = new Map<string, BundleDocument>();
  #root: TrustedRoot | null;
  #accepted: trust.AcceptedAssignment | null;
  #fresh: { reason: ResetReason; nonce: string } | null;
  #files: Map<string, content.OwnedFile>;
  readonly #unsaved: UnsavedEvents;
  readonly #writer: Writer;
  #counter = 0;

  constructor(db: Connection, options: JournalOptions, setAside: string | null) {
    this.#db = db;
    this.#clock = options.clock;
    this.#machine = options.machine ?? null;
    this.setAside = setAside;
    const { retention = DEFAULT_RETENTION, node = '' } = options;
    this.#writer = new Writer(db, {
      clock: options.clock,
      retainer: new Retainer(db, retention, node),
      onLost: () => this.#lost(),
    });
    const twinFile = join(options.dataDir, TWIN_FILE);
    const twin = readTwin(twinFile);
    this.#writer.durably(() => {
      const reset = resetReason(db, twin);
      if (reset) begin(db, { ...options, reason: reset, at: this.#now(), twin });
      setMeta(db, 'boot', String(Number(getMeta(db, 'boot') ?? 0) + 1));
    });
    this.id = getMeta(db, 'journal') ?? '';
    this.boot = Number(getMeta(db, 'boot'));
    this.#root = trust.newestRoot(db);
    const accepted = trust.newestAssignment(db);
    this.#accepted = accepted === 'damaged' ? null : accepted;
    const reason = getMeta(db, 'fresh') as ResetReason | null;
    this.#fresh = reason && { reason, nonce: getMeta(db, 'nonce') ?? '' };
    this.#files = content.filesByName(this.#db);
    this.#unsaved = new UnsavedEvents(db, this.#writer, node);
    this.#twin = new TwinKeeper(twinFile, () => twinOf(db, this));
    this.#twin.keep();
  }

  /** Grows with each call within a boot; with `boot` before it, it needs no disk. */
  nextCounter(): number {
    return ++this.#counter;
  }

  /** How far history is; `known`: the row that the hub named last, or 0. */
  history(known = 0): StatusDocument['history'] {
    return historyStanding(this.#db, known);
  }

  /** What was gathered is durable when it returns: nothing of it is told before. @throws what the disk throws: then it is gone */
  settle(): void {
    this.#writer.settle();
    this.#twin.settle();
  }

  /** Called when the disk refused what was gathered: it has to be done again. */
  onLost: (() => void) | null = null;

  conditions(): SourceCondition[] {
    const twinFault = this.#twin.fault();
    const { reason } = this.#fresh ?? {};
    return journalConditions({ reason, unsaved: this.#unsaved.length, twinFault });
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
    this.#documents.clear();
    this.#twin.soon();
  }

  kept(): KeptContent {
    return keptContent(this.#db);
  }

  /** The digest that this node knows for a revision's number. */
  knownDigest(bundle: BundleName, revision: number): string | null {
    return content.knownDigest(this.#db, bundle, revision);
  }

  rollbackFloor(bundle: BundleName): number {
    return content.rollbackFloor(this.#db, bundle);
  }

  storeBundle(bundle: Verified<BundleDocument>): void {
    this.#writer.soon(() => content.insertRevision(this.#db, this.#now(), bundle));
  }

  bundleDocument(digest: string): BundleDocument | null {
    const known = this.#documents.get(digest);
    if (known) return known;
    const document = content.readRevision(this.#db, digest);
    if (document) this.#documents.set(digest, document);
    return document;
  }

  /** The bundle as it was signed; null when it is not here any more. */
  bundleEnvelope(digest: string): Buffer | null {
    return content.readEnvelope(this.#db, digest);
  }

  hasBlob(digest: string): boolean {
    return content.hasBlob(this.#db, digest);
  }

  storeBlob(digest: string, bytes: Uint8Array): void {
    this.#writer.soon(() => content.insertBlob(this.#db, digest, bytes));
  }

  blob(digest: string): Buffer | null {
    return content.readBlob(this.#db, digest);
  }

  /** A blob that does not read back as its name says: it has to be fetched again. */
  dropBlob(digest: string): void {
    this.#writer.durably(() => this.#db.prepare('DELETE FROM blobs WHERE digest = ?').run(digest));
  }

  bundles(): content.BundleRecord[] {
    return content.listBundles(this.#db);
  }

  /** Gathered while the directory is not touched; else durable when it returns. */
  recordTransition(to: Transition): void {
    const step = () => content.applyTransition(this.#db, this.#now(), to);
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
      moment: () => outbox.momentOf(this.#now(), this.#machine),
      prune: () => content.prune(this.#db, content.digestsOf(this.#accepted?.document)),
      onFiles: () => this.#filesChanged(),
      onFloor: () => this.#twin.keep(),
      onEvent: () => this.onEvent?.(),
    };
  }

  #filesChanged(): void {
    this.#files = content.filesByName(this.#db);
    this.#documents.clear();
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
    this.#unsaved.add(outbox.momentOf(this.#now(), this.#machine), event);
    this.flush();
    this.onEvent?.();
  }

  /** Writes what the disk refused before: the twin, events. */
  flush(): void {
    if (this.#twin.fault() !== null) this.#twin.keep();
    this.#unsaved.flush();
  }

  /** Called after each event: the report loop's wake-up. */
  onEvent: (() => void) | null = null;

  /** Not confirmed yet. */
  events(after: number, limit: number, timeOf?: outbox.TimeOf): EventRecord[] {
    const from = Math.max(after, this.oldestEvent() - 1);
    return outbox.readEvents(this.#db, { after: from, limit, timeOf });
  }

  /** The newest, oldest first, whether the hub has them or not. */
  recentEvents(): EventRecord[] {
    return outbox.recentEvents(this.#db);
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
    this.#writer.soon(() => outbox.dropEvents(this.#db, through));
  }

  /** What is proven of the time. */
  time(): TimeMemory {
    return timeMemory(this.#db, this.#writer);
  }

  /** Pods that ended for good, and what those on the engine were made from. */
  ofPods(): { readonly completions: CompletionStore; readonly versions: VersionStore } {
    const parts = [this.#db, this.#writer] as const;
    return { completions: completionStore(...parts), versions: versionStore(...parts) };
  }

  /** Secrets, sealed. */
  secrets(): SecretStore {
    return secretStore(this.#db, this.#writer);
  }

  close(): void {
    this.#writer.close();
    this.#twin.settle();
    this.#db.close();
  }

  #lost(): void {
    this.#documents.clear();
    this.onLost?.();
  }

  #now(): number {
    return this.#clock.now();
  }
}
