/** What becomes of a revision that was given up, by the health gate or by a person, and whose files still lie in the directory. Pure. */
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import type { BundleRecord } from '../journal/journal.js';

/** Null: it is put in the place of the last healthy one; else why it stays where it is. */
export function staysBecause(
  { healthy }: Pick<BundleRecord, 'healthy'>,
  { onFailure }: Pick<BundleStrategy, 'onFailure'>,
): string | null {
  if (onFailure === 'keep') return 'it stays: onFailure is keep';
  return healthy === null ? 'it stays: no revision was healthy here before' : null;
}

/**
 * The digest that is to lie there again; null: nothing is to be undone. Whatever the newest assignment wants: until that can
 * be put there, what failed does not stay.
 */
export function undoneTo(
  record: Pick<BundleRecord, 'active' | 'healthy' | 'activeGivenUp' | 'state'>,
  strategy: Pick<BundleStrategy, 'onFailure'>,
): string | null {
  const { active, healthy, activeGivenUp, state } = record;
  if (active === null || active === healthy || !activeGivenUp || state === 'removing') return null;
  return staysBecause(record, strategy) === null ? healthy : null;
}

/** Why a person cannot undo what runs; null: nothing in the bundle's state speaks against it. */
export function mayNotUndo(
  record: Pick<BundleRecord, 'active' | 'healthy' | 'activeGivenUp' | 'state'>,
  strategy: Pick<BundleStrategy, 'onFailure'>,
): string | null {
  if (record.state === 'removing') return 'it is being removed: the hub assigns it no more';
  if (record.active === null) return 'nothing of it runs here';
  if (undoneTo(record, strategy) === null) return null;
  return 'what runs is given up already, and goes back by itself';
}

const OBSTACLE = '; cannot go back: ';

/** The message of a failed revision with what keeps it from going back, in the place of what was said of that before. */
export function withObstacle(message: string, why: string): string {
  return `${message.split(OBSTACLE)[0] ?? ''}${OBSTACLE}${why}`;
}

/** What keeps it from going back; null: nothing was said of that. */
export function obstacleOf({
  state,
  message,
}: Pick<BundleRecord, 'state' | 'message'>): string | null {
  const at = state === 'failed' ? message.indexOf(OBSTACLE) : -1;
  return at < 0 ? null : message.slice(at + OBSTACLE.length);
}
