/** How simulated devices behave: what becomes of a revision, how long it takes, when a device sleeps. Pure but for the dice. */

export interface Behaviour {
  /** From the last of its content to running, milliseconds: the mean; each device takes between none and twice that. */
  readonly applyMs: number;
  /** How many of 1,000 devices cannot run a revision; which ones is another draw for each revision. */
  readonly failPerMille: number;
  /** Awake and asleep in turn, seconds; null: always awake. The device chooses where in its turn it begins. */
  readonly sleep: { readonly awakeS: number; readonly asleepS: number } | null;
}

export const WELL: Behaviour = { applyMs: 0, failPerMille: 0, sleep: null };

export interface Fate {
  readonly applyMs: number;
  readonly isHealthy: boolean;
}

/** `random`: numbers from 0 up to 1. */
export function fateOf({ applyMs, failPerMille }: Behaviour, random: () => number): Fate {
  return { applyMs: applyMs * 2 * random(), isHealthy: random() * 1000 >= failPerMille };
}

/** Milliseconds until a device that woke or fell asleep does the other; null: never. `isFirst`: it begins anywhere in its turn. */
export function turnMs(
  { sleep }: Behaviour,
  { isAwake, isFirst }: { readonly isAwake: boolean; readonly isFirst: boolean },
  random: () => number,
): number | null {
  if (sleep === null) return null;
  const wholeMs = (isAwake ? sleep.awakeS : sleep.asleepS) * 1000;
  return isFirst ? wholeMs * random() : wholeMs;
}

/** Whether a device is awake when the simulation begins. */
export function beginsAwake({ sleep }: Behaviour, random: () => number): boolean {
  return sleep === null || random() * (sleep.awakeS + sleep.asleepS) < sleep.awakeS;
}
