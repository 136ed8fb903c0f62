/**
 * What a person at the device says of bundles, hub or no hub: found among those of the journal, written there with who and why. What
 * follows from it is staging's to do. Throws `HttpError`, which says what to do instead.
 */
import { HttpError } from './api/http-error.js';
import { WINDOW } from './activation/table.js';
import type { BundleRecord, Journal } from './journal/journal.js';
import { askedBy, type HoldRecord } from './journal/site.js';
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

/** They wait for no maintenance window; without a name: those that wait for one. */
export function activateNow(journal: SiteJournal, wish: SiteWish): SiteAnswer {
  check(wish);
  const waiting =
    wish.bundle === null
      ? journal.bundles().filter(({ state, reason }) => state === 'waiting' && reason === WINDOW)
      : [toActivate(bundleNamed(journal.bundles(), wish.bundle), journal.site().holds())];
  const { by, reason } = wish;
  for (const record of waiting) journal.site().activateNow(record, { by, reason });
  return answerOf(waiting);
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

function toActivate(record: BundleRecord, holds: readonly HoldRecord[]): BundleRecord {
  const { namespace, name, revision, digest, active, state, reason } = record;
  const what = `bundle ${namespace}/${name} revision ${revision}`;
  const held = holds.find(
    one => one.name === '' || (one.namespace === namespace && one.name === name),
  );
  if (held !== undefined) {
    throw new HttpError(409, `${what} is held by ${askedBy(held)}: flotilla-agent release`);
  }
  if (active === digest) throw new HttpError(409, `${what} is activated already: it is ${state}`);
  if (state === 'staged' || state === 'waiting') return record;
  throw new HttpError(409, `${what} waits for no window: it is ${state} (${reason})`);
}
