/**
 * What a person at the device says of bundles, hub or no hub: found among those of the journal, written there with who and why. What
 * follows from it is staging's to do. Throws `HttpError`, which says what to do instead.
 */
import { HttpError } from './api/http-error.js';
import { WINDOW } from './activation/table.js';
import type { BundleRecord, Journal } from './journal/journal.js';
import type { WayBack } from './intake/roll-back.js';
import { askedBy, holdOn, type HoldRecord } from './journal/site.js';
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
}

const TEXT_MAX = 256;

/** What staging knows of a bundle. */
export interface SiteFacts {
  readonly wayBack: (record: BundleRecord) => WayBack | string;
  /** A pod of it asks not to be disturbed. */
  readonly isLocked: (record: BundleRecord) => boolean;
}

type SiteJournal = Pick<Journal, 'bundles' | 'site'>;

/** Nothing of them is switched or taken away until they are released; without a name: of all, those to come too. */
export function hold(journal: SiteJournal, wish: SiteWish & { readonly node: string }): SiteAnswer {
  check(wish);
  const { by, reason } = wish;
  if (wish.bundle === null) {
    journal.site().hold({ node: wish.node }, { by, reason });
    return { bundles: [] };
  }
  const record = bundleNamed(journal.bundles(), wish.bundle);
  const { namespace, name } = record;
  journal.site().hold({ namespace, name }, { by, reason });
  return answerOf([record]);
}

/** Without a name: all that is held. */
export function release(
  journal: SiteJournal,
  wish: SiteWish & { readonly node: string },
): SiteAnswer & { readonly released: number } {
  check(wish);
  const { by, reason } = wish;
  const holds = journal.site().holds();
  if (wish.bundle === null) {
    journal.site().release({ node: wish.node }, { by, reason });
    return { bundles: [], released: holds.length };
  }
  const record = bundleNamed(journal.bundles(), wish.bundle);
  const { namespace, name } = record;
  const isHeld = holds.some(one => one.namespace === namespace && one.name === name);
  if (!isHeld && holds.some(one => one.name === '')) {
    throw new HttpError(409, 'all bundles are held, not this one alone: flotilla-agent release');
  }
  if (!isHeld) throw new HttpError(409, `bundle ${namespace}/${name} is not held`);
  journal.site().release({ namespace, name }, { by, reason });
  return { ...answerOf([record]), released: 1 };
}

/** They wait for no maintenance window and no pod that asks for time; without a name: those that wait for one. */
export function activateNow(
  journal: SiteJournal,
  wish: SiteWish,
  { isLocked }: Pick<SiteFacts, 'isLocked'>,
): SiteAnswer {
  check(wish);
  const holds = journal.site().holds();
  const waiting =
    wish.bundle === null
      ? journal.bundles().filter(record => waitsForWindow(record) || isLocked(record))
      : [toActivate(bundleNamed(journal.bundles(), wish.bundle), { holds, isLocked })];
  const { by, reason } = wish;
  for (const record of waiting) journal.site().activateNow(record, { by, reason });
  return answerOf(waiting);
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
  const held = holdOn(journal.site().holds(), record);
  if (held !== null) {
    throw new HttpError(409, `${what} is held by ${askedBy(held)}: flotilla-agent release`);
  }
  const way = wayBack(record);
  if (typeof way === 'string') throw new HttpError(409, `${what} cannot go back: ${way}`);
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

function waitsForWindow({ state, reason }: BundleRecord): boolean {
  return state === 'waiting' && reason === WINDOW;
}

function toActivate(
  record: BundleRecord,
  { holds, isLocked }: Pick<SiteFacts, 'isLocked'> & { readonly holds: readonly HoldRecord[] },
): BundleRecord {
  const { namespace, name, revision, digest, active, state, reason } = record;
  const what = `bundle ${namespace}/${name} revision ${revision}`;
  const held = holdOn(holds, record);
  if (held !== null) {
    throw new HttpError(409, `${what} is held by ${askedBy(held)}: flotilla-agent release`);
  }
  if (isLocked(record)) return record;
  if (active === digest) throw new HttpError(409, `${what} is activated already: it is ${state}`);
  if (state === 'staged' || state === 'waiting') return record;
  throw new HttpError(409, `${what} waits for no window: it is ${state} (${reason})`);
}
