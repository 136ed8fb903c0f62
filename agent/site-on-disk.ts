/** What a person at the device says and the disk does not take: a sentence of what was not done, where, and what to do. */
import { HttpError } from './api/http-error.js';
import { diskFault } from './disk-fault.js';
import type { SiteWish } from './site.js';

/** Words that are one transaction for each bundle when no bundle is named. */
const ONE_BY_ONE: ReadonlySet<string> = new Set(['release', 'activate']);

/** What `say` returns. Throws what it throws, and `HttpError` in place of what the disk says: each word may be said again. */
export function onDisk<T>(
  asked: { readonly word: string; readonly dataDir: string } & Pick<SiteWish, 'bundle'>,
  say: () => T,
): T {
  try {
    return say();
  } catch (error) {
    const fault = diskFault(error);
    if (fault === null) throw error;
    const { word, bundle, dataDir } = asked;
    const isPart = bundle === null && ONE_BY_ONE.has(word);
    const what = `${word}${bundle === null ? '' : ` ${bundle}`}: ${isPart ? 'not done for all' : 'nothing was done'}`;
    const why = `the journal in ${dataDir} is not written: ${fault}, then say it again`;
    throw new HttpError(500, `${what}: ${why}`);
  }
}
