/**
 * How long the hub has been silent, in uptime of this machine: a freeze is noticed without a clock
 * (security.md S22, S23). Counts what was saved before, so that restarts do not hide it. Holds
 * state, does no I/O; the uptime is an argument.
 */

export const SILENT_MS = 7 * 86_400_000;
/** Flash wears: what is not saved yet is lost with the power. */
export const SAVE_EVERY_MS = 86_400_000;
/**
 * A machine that is switched off every evening must not lose count for ever: the first day of a silence is saved at 2, 4, 8 and 16
 * hours, so that at most half of what passed since the start is lost.
 */
const SAVE_FIRST_MS = 7_200_000;

export class Silence {
  #before: number;
  #saved: number;
  #since: number;
  /** Of the silence at hand, what was there when this life or the silence began. */
  #begun: number;
  #raised: boolean;

  /** @param savedMs what `toSave` said last, in this life or a former one */
  constructor(savedMs: number, uptime: number) {
    this.#before = savedMs;
    this.#saved = savedMs;
    this.#since = uptime;
    this.#begun = savedMs;
    this.#raised = savedMs >= SILENT_MS;
  }

  ms(uptime: number): number {
    return this.#before + Math.max(0, uptime - this.#since);
  }

  isTooLong(uptime: number): boolean {
    return this.ms(uptime) >= SILENT_MS;
  }

  /** The hub spoke, and cannot have spoken before `asOf`. */
  heard(asOf: number): void {
    if (asOf < this.#since) return;
    this.#since = asOf;
    this.#before = 0;
    this.#begun = 0;
  }

  /** True once for each time that it became too long, or ended. */
  turned(uptime: number): boolean {
    const now = this.isTooLong(uptime);
    if (now === this.#raised) return false;
    this.#raised = now;
    return true;
  }

  /** What is to be saved now, or null: the end of a silence, or enough more of it. */
  toSave(uptime: number, leastMs = this.#stepMs()): number | null {
    const ms = this.ms(uptime);
    const isOver = ms < this.#saved;
    if (!isOver && ms - this.#saved < leastMs) return null;
    const value = isOver ? 0 : ms;
    this.#saved = value;
    return value;
  }

  /** Milliseconds until `turned` or `toSave` may say something new by time alone. */
  nextIn(uptime: number): number {
    const ms = this.ms(uptime);
    const save = this.#saved + this.#stepMs() - ms;
    return Math.max(1_000, this.#raised ? save : Math.min(save, SILENT_MS - ms));
  }

  /** How much more of it is worth a write. */
  #stepMs(): number {
    const kept = Math.max(0, this.#saved - this.#begun);
    if (kept >= SAVE_EVERY_MS) return SAVE_EVERY_MS;
    return kept === 0 ? SAVE_FIRST_MS : Math.min(kept, SAVE_EVERY_MS - kept);
  }
}
