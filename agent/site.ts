/**
 * What a person at the device says of bundles, hub or no hub: found among those of the journal, written there with who and why. What
 * follows from it is staging's to do. Throws `HttpError`, which says what to do instead.
 */
import { HttpError } from './api/http-error.js';
import { HELD, LOCKED, WINDOW } from '../protocol/bundle-reasons.js';
import { obstacleOf } from './activation/undo.js';
import { assertNotHeld, heldHere, heldHint, type HeldHere } from './held-here.js';
import type { FailureRecord } from './journal/failures.js';
import { heldName, holdOn, type HoldRecord } from './journal/holds.js';
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

export type SiteJournal = Pick<Journal, 'accepted' | 'bundles' | 'content' | 'site' | 'trials'>;
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
  /** `bundle default/shop, by mo (stocktaking)`, of each hold that was ended. */
  readonly released: readonly string[];
  /** Who holds the bundle still, with all others; null: nobody does. */
  readonly heldStill: string | null;
}

const endedText = (hold: HoldRecord) => `${heldName(hold)}, by ${askedBy(hold)}`;

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
    return { bundles: [], released: holds.map(endedText), heldStill: null };
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
  return {
    ...answerOf([record]),
    released: holds.filter(one => isOf(one, record)).map(endedText),
    heldStill,
  };
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
  /** `bundle default/shop is held by mo (stocktaking): flotilla-agent release default/shop`, of each that waits and was left as it is for that. */
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
  const held = all.flatMap(record => heldHint(record, holds) ?? []);
  const waiting =
    wish.bundle === null
      ? all.filter(record => holdOn(holds, record) === null)
      : [toActivate(bundleNamed(journal.bundles(), wish.bundle), { holds, isLocked })];
  if (waiting.length === 0 && held.length > 0) {
    throw new HttpError(409, held.join('; '));
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

export function isOf(one: BundleName, { namespace, name }: BundleName): boolean {
  return one.namespace === namespace && one.name === name;
}

function answerOf(records: readonly BundleRecord[]): SiteAnswer {
  return {
    bundles: records.map(({ namespace, name, revision }) => ({ namespace, name, revision })),
  };
}

export function check({ by, reason }: SiteWish): void {
  for (const [what, text] of Object.entries({ by, reason })) {
    if (text.length > TEXT_MAX || /\p{Cc}/u.test(text)) {
      throw new HttpError(400, `${what}: a line of at most ${TEXT_MAX} characters`);
    }
  }
  if (by === '') throw new HttpError(400, 'by: who says so');
}

export function bundleNamed(records: readonly BundleRecord[], text: string): BundleRecord {
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
  throw new HttpError(
    409,
    `${what} waits for neither a window nor a lock: it is ${state} (${reason})`,
  );
}
