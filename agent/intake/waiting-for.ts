/** What a bundle is told to wait for while something of it is not here. Pure. */
import type { ActivationEvent } from '../activation/table.js';
import type { Lacking, Whereabouts } from './lacking.js';

/** What happened to a bundle, with the reason as it is told. */
export interface Step {
  readonly event: ActivationEvent;
  readonly reason: string;
  readonly message: string;
}

/** The worst of it. */
export function waitingFor(
  lacking: readonly Lacking[],
  whereabouts: (digest: string) => Whereabouts,
): Step {
  const found = lacking.map(({ digest }) => whereabouts(digest));
  for (const where of found) {
    if (where.is !== 'refused') continue;
    const { code, detail } = where.refusal;
    return { event: where.final ? 'unfit' : 'obstacle', reason: code, message: detail };
  }
  const first = (is: string) => lacking[found.findIndex(where => where.is === is)]?.digest;
  const absent = first('absent');
  if (absent) {
    return { event: 'unfit', reason: 'BlobAbsent', message: `the hub has no blob ${absent}` };
  }
  const slow = first('slow');
  if (slow) {
    const message = `blob ${slow} came so slowly that the connection was ended; it is tried again after all else`;
    return { event: 'obstacle', reason: 'SlowRetrieval', message };
  }
  const missing = first('missing');
  if (missing) {
    const message = `blob ${missing} does not come; the hub is asked for it`;
    return { event: 'obstacle', reason: 'BlobMissing', message };
  }
  return { event: 'fetching', reason: 'Fetching', message: 'fetching what is not here yet' };
}
