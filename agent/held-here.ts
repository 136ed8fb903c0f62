/** What a hold keeps as it is, what it keeps waiting, and who is to be asked. Pure. */
import { HttpError } from './api/http-error.js';
import { holdOn, type HoldRecord } from './journal/holds.js';
import type { BundleRecord, Journal } from './journal/journal.js';
import { askedBy } from './journal/overrides.js';
import type { BundleName } from './ports.js';

export interface HeldHere extends BundleName {
  /** The one that the hub wants. */
  readonly revision: number;
  /** The one whose files lie there; null: none does. */
  readonly active: number | null;
  /** The hub wants another one than lies there, and it was not given up: it waits. */
  readonly isNextWaiting: boolean;
  /** Its files are gone, and its pods end. */
  readonly isGoing: boolean;
}

/** `content` knows the document of what lies there. */
export function heldHere(
  record: BundleRecord,
  content: Pick<Journal['content'], 'bundleDocument'>,
): HeldHere {
  const { namespace, name, revision, digest, active, state, givenUp } = record;
  const isWanted = active === digest;
  const former = active === null || isWanted ? null : content.bundleDocument(active);
  const isOver = state === 'rolledBack' || state === 'removing' || givenUp;
  return {
    ...{ namespace, name, revision },
    active: isWanted ? revision : (former?.revision ?? null),
    isNextWaiting: !isWanted && !isOver,
    isGoing: state === 'removing',
  };
}

/** `stays at revision 1; revision 2 waits`. */
export function heldHereText({ revision, active, isNextWaiting, isGoing }: HeldHere): string {
  if (isGoing)
    return 'too late for what ran: its files are gone and its pods end; what comes under this name waits';
  const kept = active === null ? 'nothing of it lies here' : `it stays at revision ${active}`;
  return isNextWaiting ? `${kept}; revision ${revision} waits` : kept;
}

/** `bundle default/shop is held by mo (stocktaking)`; null: nobody holds it. */
export function heldText(of: BundleName, holds: readonly HoldRecord[]): string | null {
  const held = holdOn(holds, of);
  return held === null ? null : `bundle ${of.namespace}/${of.name} is held by ${askedBy(held)}`;
}

/** What lets go of that hold and of no other. */
export function releaseCommand({ namespace, name }: BundleName): string {
  return name === '' ? 'flotilla-agent release' : `flotilla-agent release ${namespace}/${name}`;
}

/** `heldText` with what to do; null: nobody holds it. */
export function heldHint(of: BundleName, holds: readonly HoldRecord[]): string | null {
  const held = holdOn(holds, of);
  return held === null ? null : `${heldText(of, holds)}: ${releaseCommand(held)}`;
}

/** Throws `HttpError` 409, with what to do. */
export function assertNotHeld(of: BundleName, holds: readonly HoldRecord[]): void {
  const held = heldHint(of, holds);
  if (held !== null) throw new HttpError(409, held);
}
