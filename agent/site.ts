/**
 * What a person at the device says of bundles, hub or no hub: found among those of the journal, written there with who and why. What
 * follows from it is staging's to do. Throws `HttpError`, which says what to do instead.
 */
import { HttpError } from './api/http-error.js';
import { LOCKED, UNDONE } from '../protocol/bundle-reasons.js';
import { HELD, WINDOW } from './activation/table.js';
import { obstacleOf } from './activation/undo.js';
import { assertNotHeld, heldHere, heldText, type HeldHere } from './held-here.js';
import type { FailureRecord } from './journal/failures.js';
import { holdOn, type HoldRecord } from './journal/holds.js';
import type { BundleRecord, Journal } from './journal/journal.js';
import { whatGoes } from './intake/removals.js';
import type { WayBack } from './intake/roll-back.js';
import { askedBy, type Attempted } from './journal/overrides.js';
import type { BundleName } from './ports.js';

export interface SiteWish {
  /** `NAME` or `NAMESPACE/NAME`; null: all that it may be about. */
  readonly bundle: string | null;
  readonly by: string;
  /** May be empty. */
  readonly reason: string;
}

export interface SiteAnswer {
  readonly bundles: readonly (BundleName & { readonly revision: number })[];
  /** What stands in the way of it by now, a sentence for each bundle that waits. */
  readonly waits?: readonly string[];
}

/** Why what was asked for is not done yet. Pure. */
export function waitsOf(
  records: readonly BundleRecord[],
  { bundles }: Pick<SiteAnswer, 'bundles'>,
): string[] {
  return bundles.flatMap(bundle => {
    const record = records.find(one => isOf(one, bundle));
    if (record?.state === 'waiting') return [`${record.reason}: ${record.message}`];
    return (record && obstacleOf(record)) ?? [];
  });
}

const TEXT_MAX = 256;

/** What staging knows of a bundle. */
export interface SiteFacts {
  readonly wayBack: (record: BundleRecord) => WayBack | string;
  /** A pod of it asks not to be disturbed by what is to change. */
  readonly isLocked: (record: BundleRecord) => boolean;
}

type SiteJournal = Pick<Journal, 'accepted' | 'bundles' | 'content' | 'site' | 'trials'>;
export type HoldAnswer = SiteAnswer & { readonly bundles: readonly HeldHere[] };

/** Nothing of them is switched or taken away until they are released; without a name: of all, those to come too. */
export function hold(journal: SiteJournal, wish: SiteWish & { readonly node: string }): HoldAnswer {
  check(wish);
  const { by, reason } = wish;
  if (wish.bundle === null) {
    journal.site().hold({ node: wish.node }, { by, reason });
    return { bundles: [] };
  }
  const record = bundleNamed(journal.bundles(), wish.bundle);
  const { namespace, name } = record;
  journal.site().hold({ namespace, name }, { by, reason });
  return { bundles: [heldHere(record, journal.content)] };
}

export interface ReleaseAnswer extends SiteAnswer {
  readonly released: number;
  /** Who holds the bundle still, with all others; null: nobody does. */
  readonly heldStill: string | null;
}

/** Without a name: all that is held. */
export function release(
  journal: SiteJournal,
  wish: SiteWish & { readonly node: string },
): ReleaseAnswer {
  check(wish);
  const { by, reason } = wish;
  const holds = journal.site().holds();
  if (wish.bundle === null) {
    journal.site().release({ node: wish.node }, { by, reason });
    return { bundles: [], released: holds.length, heldStill: null };
  }
  const record = bundleNamed(journal.bundles(), wish.bundle);
  const { namespace, name } = record;
  const isHeld = holds.some(one => one.namespace === namespace && one.name === name);
  if (!isHeld && holds.some(one => one.name === '')) {
    throw new HttpError(409, 'all bundles are held, not this one alone: flotilla-agent release');
  }
  if (!isHeld) throw new HttpError(409, `bundle ${namespace}/${name} is not held`);
  journal.site().release({ namespace, name }, { by, reason });
  const still = holdOn(journal.site().holds(), record);
  const heldStill = still === null ? null : askedBy(still);
  return { ...answerOf([record]), released: 1, heldStill };
}

/** What is to change without waiting any longer. */
export interface ActivateAnswer extends SiteAnswer {
  readonly bundles: readonly (BundleName & {
    readonly revision: number;
    /** It is the way back from that revision that does not wait. */
    readonly goesBack: boolean;
    /** It is its removal that does not wait. */
    readonly isRemoval: boolean;
  })[];
  /** `bundle default/shop is held by mo (stocktaking)`, of each that waits and was left as it is for that. */
  readonly held: readonly string[];
}

/** They wait for no maintenance window and no pod that asks for time; without a name: those that wait for one. */
export function activateNow(
  journal: SiteJournal,
  wish: SiteWish,
  { isLocked }: Pick<SiteFacts, 'isLocked'>,
): ActivateAnswer {
  check(wish);
  const holds = journal.site().holds();
  const isWaiting = (record: BundleRecord) => waitsForPeople(record) || isLocked(record);
  const all = wish.bundle === null ? journal.bundles().filter(isWaiting) : [];
  const held = all.flatMap(record => heldText(record, holds) ?? []);
  const waiting =
    wish.bundle === null
      ? all.filter(record => heldText(record, holds) === null)
      : [toActivate(bundleNamed(journal.bundles(), wish.bundle), { holds, isLocked })];
  if (waiting.length === 0 && held.length > 0) {
    throw new HttpError(409, `${held.join('; ')}: flotilla-agent release`);
  }
  const { by, reason } = wish;
  const failures = journal.trials().failures();
  const assigned = journal.accepted()?.document.bundles ?? [];
  const bundles = waiting.map(record => {
    const { namespace, name } = record;
    const isRemoval = !assigned.some(one => isOf(one, record));
    const given = isRemoval ? null : givenUp(record, failures);
    const { revision } = given ?? record;
    const { digest, attempt } = given ?? (isRemoval ? whatGoes(record) : record);
    journal.site().activateNow({ namespace, name, digest, attempt }, { by, reason });
    return { namespace, name, revision, goesBack: given !== null, isRemoval };
  });
  return { bundles, held };
}

/** What lies there was given up, and nothing that is to take its place waits itself; null: it is the wanted revision that is meant. */
function givenUp(
  record: BundleRecord,
  failures: readonly FailureRecord[],
): (Attempted & { readonly revision: number }) | null {
  const { namespace, name, state, active, activeAttempt, activeGivenUp } = record;
  if (active === null || !activeGivenUp || state === 'staged' || state === 'waiting') return null;
  const revision = failures.find(one => one.digest === active)?.revision ?? record.revision;
  return { namespace, name, digest: active, attempt: activeAttempt, revision };
}

export interface UndoWish extends SiteWish {
  /** It is only asked what would become of it. */
  readonly isTrial: boolean;
  /** The revision that is to be gone back from; null: what runs. */
  readonly from: number | null;
}

/** What runs instead of which, and what takes its place all the same. */
export interface UndoAnswer extends SiteAnswer {
  readonly bundles: readonly (BundleName & {
    readonly revision: number;
    readonly to: number;
    /** Another revision that the hub wants and that waits here; null: none does. */
    readonly next: number | null;
  })[];
}

/**
 * Goes back to the revision that was healthy before what runs. Without a name: where exactly one bundle can. `isTrial`: says what
 * would become of it, and writes nothing.
 */
export function undo(
  journal: SiteJournal,
  wish: UndoWish,
  { wayBack }: Pick<SiteFacts, 'wayBack'>,
): UndoAnswer {
  check(wish);
  const { by, reason } = wish;
  const record = toUndo(journal.bundles(), wish.bundle, wayBack);
  const { namespace, name, revision, digest, attempt, active, activeAttempt } = record;
  const what = `bundle ${namespace}/${name}`;
  assertNotHeld(record, journal.site().holds());
  const way = wayBack(record);
  if (typeof way === 'string') {
    const failure = undoneHere(record, journal.trials().failures());
    const hint = failure === null ? '' : `; ${tookBack(failure)}`;
    throw new HttpError(409, `${what} cannot go back: ${way}${hint}`);
  }
  if (wish.from !== null && wish.from !== way.fromRevision) {
    throw new HttpError(
      409,
      `${what} is at revision ${way.fromRevision} by now, not at ${wish.from}: nothing was undone; look again`,
    );
  }
  const undone = { namespace, name, revision: way.fromRevision, digest: way.from, to: way.to };
  const isWanted = digest === active;
  if (!wish.isTrial) {
    const of = isWanted ? attempt : activeAttempt;
    journal.site().undo({ ...undone, attempt: of }, { by, reason });
  }
  const next = isWanted || isOver(record) ? null : revision;
  const { fromRevision, toRevision: to } = way;
  return { bundles: [{ namespace, name, revision: fromRevision, to, next }] };
}

export interface RedoWish extends SiteWish {
  /** It is only asked what would become of it. */
  readonly isTrial: boolean;
}

export interface RedoAnswer extends SiteAnswer {
  readonly bundles: readonly (BundleName & {
    readonly revision: number;
    /** Its files lie there still: it stays. */
    readonly isThere: boolean;
    /** `undone at the device by mo (tills print twice)`. */
    readonly why: string;
  })[];
}

/** Takes an undo of this device back: what the hub wants is tried again. Without a name: where exactly one bundle was undone. */
export function redo(journal: SiteJournal, wish: RedoWish): RedoAnswer {
  check(wish);
  const { by, reason } = wish;
  const failures = journal.trials().failures();
  const records = journal.bundles();
  const record =
    wish.bundle === null ? onlyUndone(records, failures) : bundleNamed(records, wish.bundle);
  const { namespace, name, revision, digest, attempt, active } = record;
  const what = `bundle ${namespace}/${name}`;
  assertNotHeld(record, journal.site().holds());
  if (record.state === 'removing') {
    throw new HttpError(409, `${what} is being removed: the hub assigns it no more`);
  }
  const failure = undoneHere(record, failures);
  if (failure === null) throw new HttpError(409, `${what}: ${nothingUndone(record, failures)}`);
  const isThere = active === digest;
  if (!wish.isTrial) {
    const redone = { namespace, name, revision, digest, attempt, isThere };
    journal.site().redo(redone, { by, reason });
  }
  return { bundles: [{ namespace, name, revision, isThere, why: failure.message }] };
}

/** What the hub wants was undone here, at this attempt or a later one. */
function undoneHere(
  { digest, givenUp: isGivenUp, ...bundle }: BundleRecord,
  failures: readonly FailureRecord[],
): FailureRecord | null {
  const isIt = (one: FailureRecord) =>
    isOf(one, bundle) && one.digest === digest && one.reason === UNDONE;
  return isGivenUp ? (failures.find(isIt) ?? null) : null;
}

function nothingUndone(record: BundleRecord, failures: readonly FailureRecord[]): string {
  const former = failures.find(one => isOf(one, record) && one.reason === UNDONE);
  if (former === undefined || former.digest === record.digest) {
    return 'nothing of it was undone at the device';
  }
  return `revision ${former.revision} was undone, and the hub wants revision ${record.revision} by now`;
}

function onlyUndone(
  records: readonly BundleRecord[],
  failures: readonly FailureRecord[],
): BundleRecord {
  const undone = records.filter(record => undoneHere(record, failures) !== null);
  const [only, other] = undone;
  if (only === undefined) throw new HttpError(409, 'nothing that the hub wants was undone here');
  if (other === undefined) return only;
  const names = undone.map(({ namespace, name }) => `${namespace}/${name}`).join(', ');
  throw new HttpError(400, `which one? These were undone: ${names}`);
}

function tookBack({ revision, message }: FailureRecord): string {
  return `revision ${revision} was ${message}: flotilla-agent redo takes that back`;
}

function isOf(one: BundleName, { namespace, name }: BundleName): boolean {
  return one.namespace === namespace && one.name === name;
}

function isOver({ state, givenUp }: BundleRecord): boolean {
  return state === 'rolledBack' || givenUp;
}

/** The one of that name, else the only one that can go back. */
function toUndo(
  records: readonly BundleRecord[],
  name: string | null,
  wayBack: (record: BundleRecord) => WayBack | string,
): BundleRecord {
  if (name !== null) return bundleNamed(records, name);
  const ways = records.map(record => ({ record, way: wayBack(record) }));
  const [only, other] = ways.filter(({ way }) => typeof way !== 'string');
  const title = ({ namespace, name: own }: BundleRecord) => `${namespace}/${own}`;
  if (only === undefined) {
    const why = ways
      .flatMap(({ record, way }) => (typeof way === 'string' ? `${title(record)}: ${way}` : []))
      .join('; ');
    throw new HttpError(409, `no bundle of this node can go back${why === '' ? '' : `: ${why}`}`);
  }
  if (other === undefined) return only.record;
  const names = ways.flatMap(({ record, way }) => (typeof way === 'string' ? [] : title(record)));
  throw new HttpError(400, `which one? These can go back: ${names.join(', ')}`);
}

function answerOf(records: readonly BundleRecord[]): SiteAnswer {
  return {
    bundles: records.map(({ namespace, name, revision }) => ({ namespace, name, revision })),
  };
}

function check({ by, reason }: SiteWish): void {
  for (const [what, text] of Object.entries({ by, reason })) {
    if (text.length > TEXT_MAX || /\p{Cc}/u.test(text)) {
      throw new HttpError(400, `${what}: a line of at most ${TEXT_MAX} characters`);
    }
  }
  if (by === '') throw new HttpError(400, 'by: who says so');
}

function bundleNamed(records: readonly BundleRecord[], text: string): BundleRecord {
  const found = records.filter(({ namespace, name }) =>
    text.includes('/') ? `${namespace}/${name}` === text : name === text,
  );
  const [record, other] = found;
  const names = (some: readonly BundleRecord[]) =>
    some.map(({ namespace, name }) => `${namespace}/${name}`).join(', ') || 'none';
  if (record === undefined) {
    throw new HttpError(404, `no bundle "${text}" on this node; there are: ${names(records)}`);
  }
  if (other !== undefined) throw new HttpError(400, `"${text}" may be any of ${names(found)}`);
  return record;
}

function waitsForPeople({ state, reason }: BundleRecord): boolean {
  return state === 'waiting' && (reason === WINDOW || reason === LOCKED || reason === HELD);
}

function toActivate(
  record: BundleRecord,
  { holds, isLocked }: Pick<SiteFacts, 'isLocked'> & { readonly holds: readonly HoldRecord[] },
): BundleRecord {
  const { namespace, name, revision, digest, active, state, reason } = record;
  const what = `bundle ${namespace}/${name} revision ${revision}`;
  assertNotHeld(record, holds);
  if (isLocked(record)) return record;
  if (active === digest) throw new HttpError(409, `${what} is activated already: it is ${state}`);
  if (state === 'staged' || state === 'waiting') return record;
  throw new HttpError(409, `${what} waits for neither a window nor a lock: it is ${state} (${reason})`);
}
