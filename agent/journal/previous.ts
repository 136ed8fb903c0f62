/**
 * To which revision a bundle can be taken back without the hub: the last healthy one before that which lies in the directory. Kept
 * whole: its document, its blobs, its images (`content.ts`, `images/collector.ts`). Whether it may run still is the root's to say.
 */
import type { BundleName } from '../ports.js';
import { listBundles, listRevisions, type BundleRecord, type RevisionRecord } from './content.js';
import type { Connection } from './database.js';
import { listFailures } from './failures.js';

/** Null: there is none, or nothing of the bundle lies there. `givenUp`: digests. Pure. */
export function previousDigest(
  { active, healthy, previous }: Pick<BundleRecord, 'active' | 'healthy' | 'previous'>,
  givenUp: ReadonlySet<string>,
): string | null {
  if (active === null) return null;
  const isFormer = (digest: string | null) =>
    digest !== null && digest !== active && !givenUp.has(digest);
  return [healthy, previous].find(isFormer) ?? null;
}

export function previousHealthy(db: Connection, bundle: BundleName): RevisionRecord | null {
  const isIts = ({ namespace, name }: BundleName) =>
    namespace === bundle.namespace && name === bundle.name;
  const record = listBundles(db).find(isIts);
  if (record === undefined) return null;
  const givenUp = new Set(
    listFailures(db)
      .filter(isIts)
      .map(({ digest }) => digest),
  );
  const digest = previousDigest(record, givenUp);
  return listRevisions(db).find(one => one.digest === digest) ?? null;
}
