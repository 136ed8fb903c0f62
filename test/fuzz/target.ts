/** What a fuzzing target is: one parser, what it is fed at first, and what it may answer. */
import { isDeepStrictEqual } from 'node:util';

/** `refused` by the first stage (form, signature, syntax); `parsed`: it came past that; `accepted`: all of it was good. */
export type Stage = 'refused' | 'parsed' | 'accepted';

export interface Outcome {
  readonly stage: Stage;
  /** What a person or a log would be told. */
  readonly message: string;
}

/** How inputs are changed beside their bytes. `canonical`: JSON in the one form that is signed. */
export type Form = 'bytes' | 'text' | 'json' | 'canonical';

export interface Target {
  readonly name: string;
  readonly form: Form;
  readonly seeds: readonly Uint8Array[];
  /** Words of the format that stand in no seed. */
  readonly words?: readonly string[];
  /** Part of the runs that it gets, 1 where it says nothing: many times more for what is many times quicker. */
  readonly share?: number;
  /** Of an input that is kept; twice the largest seed where it says nothing. */
  readonly bytesMax?: number;
  /** Throws for a finding alone: what a parser throws as its declared answer is an outcome. */
  run(input: Buffer): Outcome | Promise<Outcome>;
}

/** A promise of a parser that an input breaks: something that is accepted and does not come back as it went in, and the like. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}

export const refused = (message: string): Outcome => ({ stage: 'refused', message });
export const parsed = (message: string): Outcome => ({ stage: 'parsed', message });
export const ACCEPTED: Outcome = { stage: 'accepted', message: '' };

/** A parser that throws to say no: an error of these classes is its answer, any other is a finding. */
export function answering(
  declared: readonly (abstract new (...args: never[]) => Error)[],
  run: (input: Buffer) => Outcome,
): (input: Buffer) => Outcome {
  return input => {
    try {
      return run(input);
    } catch (error) {
      if (declared.some(one => error instanceof one)) return refused((error as Error).message);
      throw error;
    }
  };
}

/** Throws `BrokenPromise` when what came back is not what went in. */
export function same(what: string, got: unknown, wanted: unknown): void {
  if (isDeepStrictEqual(got, wanted)) return;
  throw new BrokenPromise(`${what}: ${shown(got)} and not ${shown(wanted)}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 200);
}
