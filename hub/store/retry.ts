/**
 * A decision that was made on what the store held a moment ago is made again when somebody else wrote the same objects in between:
 * reports of nodes and roll-ups of their statuses are written all the time.
 */
import { StoreError } from './store.js';

/** Each means that another commit of the same objects went through. */
const COMMIT_TRIES = 20;

/**
 * `work` reads, decides and commits. Again after a `StoreError` of a race (`Conflict`; `AlreadyExists` and `NotFound` for what came
 * or went meanwhile); throws the last one, and every other error at once.
 */
export async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isRace(error) || tries === COMMIT_TRIES) throw error;
    }
  }
}

export function isRace(error: unknown): error is StoreError {
  return (
    error instanceof StoreError && ['Conflict', 'AlreadyExists', 'NotFound'].includes(error.code)
  );
}
