/** Bars of a rollout for a terminal: `[####x--   ]`, done, failed, on the way. Pure. */

export interface Parts {
  readonly done: number;
  readonly failed: number;
  /** Neither, and begun with. */
  readonly moving: number;
  readonly of: number;
}

/** `room`: characters between the brackets. */
export function barOf({ done, failed, moving, of }: Parts, room: number): string {
  const part = (n: number) => (of === 0 ? 0 : Math.round((n / of) * room));
  const first = Math.min(room, part(done));
  const second = Math.min(room - first, part(failed));
  const third = Math.max(0, Math.min(room - first - second, part(moving)));
  const rest = room - first - second - third;
  return `[${'#'.repeat(first)}${'x'.repeat(second)}${'-'.repeat(third)}${' '.repeat(rest)}]`;
}
