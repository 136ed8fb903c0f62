/** The content of a manifest from the blobs that the journal keeps, checked each time that it is read. */
import { sha256Hex } from '../../protocol/canonical.js';
import type { ManifestEntry } from '../../protocol/documents/bundle.js';
import type { Journal } from '../journal/journal.js';

/** Null when a blob is not there or does not read back; the latter is forgotten, so that it is fetched again. */
export function keptManifest(
  journal: Pick<Journal, 'content'>,
  entry: ManifestEntry,
): Buffer | null {
  const parts: Buffer[] = [];
  for (const { digest } of entry.parts.length > 0 ? entry.parts : [entry]) {
    const bytes = journal.content.blob(digest);
    if (!bytes) return null;
    if (sha256Hex(bytes) !== digest) {
      journal.content.dropBlob(digest);
      return null;
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
