/** Going back from what runs, at the word of a person at the device, and taking that back. */
import { HttpError } from './api/http-error.js';
import { UNDONE } from '../protocol/bundle-reasons.js';
import { assertNotHeld } from './held-here.js';
import type { FailureRecord } from './journal/failures.js';
import type { BundleRecord } from './journal/journal.js';
import type { WayBack } from './intake/roll-back.js';
import type { BundleName } from './ports.js';
import {
  bundleNamed,
  check,
  isOf,
  type SiteAnswer,
  type SiteFacts,
  type SiteJournal,
  type SiteWish,
} from './site.js';

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
