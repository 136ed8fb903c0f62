/** A figure beside its yardstick, both of the same run, and how it is printed. Pure. */

export interface Figure {
  readonly name: string;
  readonly ours: number;
  readonly yardstick: number;
  readonly unit: string;
  /** The greatest ratio that is good enough; null: nothing is promised. */
  readonly target: number | null;
}

/** `NAME: OURS / YARDSTICK = RATIO (target T)`. */
export function figureLine({ name, ours, yardstick, unit, target }: Figure): string {
  const ratio = (ours / yardstick).toFixed(2);
  const goal = target === null ? '' : ` (target ${Number(target.toFixed(2))})`;
  return `${name}: ${short(ours)} ${unit} / ${short(yardstick)} ${unit} = ${ratio}${goal}`;
}

export function isGoodEnough({ ours, yardstick, target }: Figure): boolean {
  return target === null || ours / yardstick <= target;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
