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
      ? `root ${root.version} ended at ${root.expires}: nothing but the next root is accepted; pods run on. ${nextRoot(root)}`
      : `root ${root.version} ends at ${root.expires}. ${nextRoot(root)}`;
  const reason = life === 'over' ? 'Expired' : 'NearEnd';
  return { type: 'RootExpiring', status: 'True', reason, message } as const;
}

/** What an operator types. */
function nextRoot({ development, version }: RootDocument): string {
  if (development) return 'At the hub, which holds its keys: flotilla key rotate root';
  const file = (n: number) => `root-${n}.json`;
  const next = file(version + 1);
  return `By those who hold its keys: flotilla root edit --from ${file(version)}, root sign ${next}, root publish ${next}`;
}
