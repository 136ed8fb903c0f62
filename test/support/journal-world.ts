/** Journals of one node in a directory of their own, and what its hub sends: revisions of one bundle, assignments that name the last. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Journal, Transition } from '../../agent/journal/journal.js';
import { openJournal } from '../../agent/journal/open.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { fastClock } from './fast-clock.js';
import { assigned, bundleDocument, NOW, podManifest } from './fleet.js';
import { acceptAssignment, storeBundle } from './journal-content.js';

export const EVENT = {
  type: 'Normal' as const,
  reason: 'Started',
  message: 'a container started',
  involved: { kind: 'Pod' as const, namespace: 'default', name: 'web', uid: '1', fieldPath: '' },
};

export class JournalWorld {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'flotilla-journal-'));
  readonly file = join(this.dataDir, 'journal.db');
  #open: Journal[] = [];
  #ids = 0;

  /** A further start of the agent; the one before it may still be open. */
  start(): Journal {
    const randomId = () => String(++this.#ids).padStart(32, '0');
    const journal = openJournal({ dataDir: this.dataDir, clock: fastClock(NOW), randomId });
    this.#open.push(journal);
    return journal;
  }

  stop(journal: Journal): void {
    journal.close();
    this.#open = this.#open.filter(other => other !== journal);
  }

  close(): void {
    for (const journal of this.#open) journal.close();
    rmSync(this.dataDir, { recursive: true });
  }
}

const podOf = (revision: number) => podManifest('web', `web:${revision}`);

export function bundleOf(revision: number): BundleDocument {
  return bundleDocument([podOf(revision)], { revision, rollbackFloor: revision });
}

/** The newest of `revisions` is what is assigned; none: nothing is. */
export function accept(journal: Journal, generation: number, revisions: number[] = [1]): void {
  const bundles = revisions.slice(-1).map(revision => assigned(bundleOf(revision)));
  acceptAssignment(journal, { generation, bundles });
}

/** Envelope and blob; returns the digest. */
export function store(journal: Journal, revision: number): string {
  const document = bundleOf(revision);
  storeBundle(journal, { document, pods: [podOf(revision)] });
  return assigned(document).digest;
}

export function step<S extends Transition['state']>(revision: number, digest: string, state: S) {
  const base = { namespace: 'default', name: 'shop', attempt: 0, reason: 'Test', message: '' };
  return { ...base, revision, digest, state };
}
