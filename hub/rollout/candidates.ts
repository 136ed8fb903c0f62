/** Reads every bundle with what its newest revision is called in assignments. */
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject } from '../objects.js';
import type { Store } from '../store/store.js';
import { limitOfBundle } from './reach-check.js';
import { candidateOf, type Candidate } from './rollout.js';

export interface CandidateParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
}

export async function candidates({ store, root }: CandidateParts): Promise<Candidate[]> {
  const { items } = await store.list('Bundle');
  const found: Candidate[] = [];
  for (const bundle of items as readonly BundleObject[]) {
    const record = await store.revisionByDigest(bundle.status.digest);
    if (!record) continue;
    const limit = limitOfBundle(bundle, record, root().document);
    found.push(candidateOf(bundle, { size: record.size, limit, root: root().document }));
  }
  return found;
}
