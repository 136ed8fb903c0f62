/** So many nodes, or so many of a hundred, as Kubernetes writes both: `5`, `"25%"`. Pure. */

/** A whole number, or text such as `25%`. */
export type Share = number | string;

const COUNT_MAX = 1_000_000;

export interface ShareLimits {
  /** Of nodes, and of a hundred. */
  readonly least: number;
}

/** What is wrong with it, with its value and what is allowed; null: nothing. */
export function shareFault(value: unknown, { least }: ShareLimits): string | null {
  const allowed = `a whole number from ${least} to ${COUNT_MAX}, or ${least}% to 100%`;
  const isFine =
    typeof value === 'number'
      ? Number.isInteger(value) && value >= least && value <= COUNT_MAX
      : typeof value === 'string' && /^(0|[1-9]\d?|100)%$/.test(value) && percentOf(value) >= least;
  return isFine ? null : `${JSON.stringify(value) ?? 'nothing'} must be ${allowed}`;
}

/** How many of `total` it is at least; a part of a node is a whole one. */
export function sharedUp(share: Share, total: number): number {
  return typeof share === 'number' ? share : Math.ceil((percentOf(share) * total) / 100);
}

/** As above; a part of a node is none. */
export function sharedDown(share: Share, total: number): number {
  return typeof share === 'number' ? share : Math.floor((percentOf(share) * total) / 100);
}

function percentOf(share: string): number {
  return Number(share.slice(0, -1));
}
