/**
 * How far a root is in its life (security.md 1.6): after four fifths somebody should make the next one; when it is over nothing but
 * the next root is accepted, and what runs runs on. Pure.
 */
import type { RootDocument } from './documents/root.js';

export type RootLife = 'good' | 'ending' | 'over';

const WARN_AT = 0.8;

/** `now`: milliseconds since 1970. */
export function rootLife(
  { issued, expires }: Pick<RootDocument, 'issued' | 'expires'>,
  now: number,
): RootLife {
  const [begin, end] = [Date.parse(issued), Date.parse(expires)];
  if (now > end) return 'over';
  return now >= begin + (end - begin) * WARN_AT ? 'ending' : 'good';
}

/** A condition that says so, for nodes and hub; null while all is well. */
export function rootLifeCondition(root: RootDocument, now: number) {
  const life = rootLife(root, now);
  if (life === 'good') return null;
  const message =
    life === 'over'
      ? `root ${root.version} ended at ${root.expires}: nothing but the next root is accepted; pods run on`
      : `root ${root.version} ends at ${root.expires}: make and publish the next one`;
  const reason = life === 'over' ? 'Expired' : 'NearEnd';
  return { type: 'RootExpiring', status: 'True', reason, message } as const;
}
