/**
 * What is not here of the bundles: of what is assigned, and of what runs or could be gone back to, which a journal that began anew knows
 * by its digest alone. Reads the journal, asks nobody.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { SECRET_NOT_SEALED } from '../../protocol/bundle-reasons.js';
import { blobsOf } from '../journal/content.js';
import type { BundleRecord, Journal } from '../journal/journal.js';
import { previousDigest } from '../journal/previous.js';
import type { BundleName } from '../ports.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';
import { rootAllows } from './decide.js';
import type { Lacking, Whereabouts } from './lacking.js';
import type { Verdicts } from './verdicts.js';
import { waitingFor, type Step } from './waiting-for.js';

export interface ShortfallParts {
  readonly journal: Pick<Journal, 'content' | 'trials'>;
  readonly verdicts: Pick<Verdicts, 'isSigned'>;
  readonly secrets?: Pick<SealedSecrets, 'lacking' | 'has'> | undefined;
  readonly hasLocalSecret?: ((secret: BundleName) => boolean) | undefined;
  readonly whereabouts: (digest: string) => Whereabouts;
}

export class Shortfall {
  readonly #parts: ShortfallParts;

  constructor(parts: ShortfallParts) {
    this.#parts = parts;
  }

  /** `root`: of a bundle that is to begin; what its keys did not sign may have been signed anew since. */
  ofAssigned(assigned: AssignedBundle, root: RootDocument | null): Lacking[] {
    const { journal, verdicts } = this.#parts;
    const isHere = journal.content.bundleEnvelope(assigned.digest) !== null;
    const document = isHere ? journal.content.bundleDocument(assigned.digest) : null;
    if (!document || (root && !verdicts.isSigned(assigned, root))) {
      return [{ digest: assigned.digest, size: assigned.size, envelopeOf: assigned }];
    }
    return this.of(document);
  }

  /** Blobs. */
  of(document: BundleDocument): Lacking[] {
    const unique = new Map(blobsOf(document).map(blob => [blob.digest, blob]));
    return [...unique.values()]
      .filter(({ digest }) => !this.#parts.journal.content.hasBlob(digest))
      .map(({ digest, size }) => ({ digest, size, envelopeOf: null }));
  }

  /** Of what lies in the directory, was healthy last, and before that: what the root still allows of it. */
  former(record: BundleRecord, root: RootDocument): Lacking[] {
    const { active, healthy, previous, state } = record;
    if (state === 'removing') return [];
    const digests = new Set([active, healthy, previous].flatMap(one => one ?? []));
    return [...digests].flatMap(digest => this.ofKnown(record, digest, root));
  }

  /** Of what a bundle would be gone back to once `next` is in its place. */
  wayBackFrom(
    record: BundleRecord,
    next: Pick<AssignedBundle, 'digest'>,
    root: RootDocument,
  ): Lacking[] {
    const failures = this.#parts.journal.trials().failures();
    const givenUp = new Set(failures.filter(isOf(record)).map(({ digest }) => digest));
    const target = previousDigest({ ...record, active: next.digest }, givenUp);
    return target === null ? [] : this.ofKnown(record, target, root);
  }

  /** Of a revision that ran here, by its digest: neither number nor size is needed to know it. */
  ofKnown({ namespace, name }: BundleName, digest: string, root: RootDocument): Lacking[] {
    const document = this.#parts.journal.content.bundleDocument(digest);
    if (document !== null) return this.of(document);
    const revision = this.#parts.journal.content.revisionOf(digest);
    if (revision === null || !rootAllows({ namespace, name, revision, digest }, root).ok) return [];
    const known = { namespace, name, revision, digest, size: null, attempt: 0 };
    return [{ digest, size: 0, envelopeOf: known }];
  }

  secrets(): Lacking[] {
    const lacking = this.#parts.secrets?.lacking() ?? [];
    return lacking.map(secret => ({ digest: secret.digest, size: 0, envelopeOf: null, secret }));
  }

  /** What a bundle waits for: a Secret that it names and that is not sealed for this node, or has not come. */
  unsealed(document: BundleDocument): Step | null {
    const { secrets, hasLocalSecret, whereabouts } = this.#parts;
    const isOwn = ({ secret }: Lacking) =>
      secret?.namespace === document.namespace && secret.bundle === document.name;
    const coming = this.secrets().filter(isOwn);
    for (const name of document.secrets) {
      const next = coming.find(({ secret }) => secret?.name === name);
      if (next !== undefined) return { ...waitingFor([next], whereabouts), event: 'obstacle' };
      const { namespace } = document;
      if (secrets?.has(document, name) === true || hasLocalSecret?.({ namespace, name })) continue;
      const message = `secret "${name}" is not sealed for this node: flotilla secret seal --missing`;
      return { event: 'obstacle', reason: SECRET_NOT_SEALED, message };
    }
    return null;
  }
}

function isOf({ namespace, name }: BundleName): (one: BundleName) => boolean {
  return one => one.namespace === namespace && one.name === name;
}
