/** What runs here although the root withdrew it: it runs on or ends, by the owner's choice, and never begins again (S19). Pure. */
import type { RootDocument } from '../../protocol/documents/root.js';
import type { Refusal } from '../../protocol/refusal.js';
import type { BundleRecord, Journal } from '../journal/journal.js';
import type { SourceCondition } from '../ports.js';
import { bundleKey, rootAllows } from './decide.js';

export interface Revoked {
  readonly record: BundleRecord;
  readonly refusal: Refusal;
}

/** Bundles whose running revision the root denies or has below a floor, with what it says. */
export function revokedBundles(
  journal: Pick<Journal, 'bundles' | 'content'>,
  root: RootDocument,
): Revoked[] {
  return journal.bundles().flatMap(record => {
    if (record.active === null) return [];
    const { namespace, name, active: digest } = record;
    // What is active may be another revision than the one that the record speaks of.
    const revision = journal.content.bundleDocument(digest)?.revision ?? record.revision;
    const allowed = rootAllows({ namespace, name, revision, digest }, root);
    return allowed.ok ? [] : [{ record, refusal: allowed.refusal }];
  });
}

export function revokedConditions(revoked: readonly Revoked[]): SourceCondition[] {
  if (revoked.length === 0) return [];
  const names = revoked.map(({ record }) => bundleKey(record)).join(', ');
  const message = `the root withdrew what runs of ${names}; it runs on until another revision takes its place, and is never applied anew`;
  return [{ type: 'RevokedRunning', status: 'True', reason: 'Denied', message }];
}
