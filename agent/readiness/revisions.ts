/**
 * Whether a revision that the journal keeps is complete: its document, its manifests, its Secrets, its images; and whether it may be put
 * in the place of what lies there, by the rules of the way back (`intake/roll-back.ts`). Reads alone; what does not read back is
 * forgotten, so that it is fetched again.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import type { ValidPod } from '../../protocol/pod.js';
import { neededImages, type NeededImage } from '../images/needed.js';
import { conflictWith, memoryAllows, rootAllows, type Occupied } from '../intake/decide.js';
import { keptManifest } from '../intake/kept-manifest.js';
import { Verdicts, type NodeRules } from '../intake/verdicts.js';
import type { StagedManifest } from '../intake/decide.js';
import type { Journal } from '../journal/journal.js';
import type { BundleName } from '../ports.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';
import { nameOf, type Fault } from './faults.js';

export interface RevisionParts extends NodeRules {
  readonly journal: Pick<Journal, 'content' | 'files'>;
  readonly secrets?: Pick<SealedSecrets, 'startFault'> | undefined;
  readonly hasLocalSecret?: ((secret: BundleName) => boolean) | undefined;
}

export interface KeptRevision {
  readonly bundle: BundleName;
  readonly digest: string;
  /** But for its images. */
  readonly faults: readonly Fault[];
  readonly pods: readonly ValidPod[];
  readonly images: readonly NeededImage[];
  readonly staged: readonly StagedManifest[];
}

export class Revisions {
  readonly #parts: RevisionParts;
  readonly #verdicts: Verdicts;

  constructor(parts: RevisionParts) {
    this.#parts = parts;
    const contentOf = (entry: BundleDocument['manifests'][number]) =>
      keptManifest(parts.journal, entry);
    this.#verdicts = new Verdicts({ ...parts, directory: { contentOf } });
  }

  /** As it would be started: what lies in the directory is not judged anew by the root. */
  kept(bundle: BundleName, digest: string, root: RootDocument): KeptRevision {
    const none = { bundle, digest, pods: [], images: [], staged: [] };
    const what = `bundle ${nameOf(bundle)}`;
    // Read anew: the journal remembers documents that it read before.
    const document =
      this.#parts.journal.content.bundleEnvelope(digest) === null
        ? null
        : this.#parts.journal.content.bundleDocument(digest);
    if (document === null) {
      const message = `${what}: the signed document${this.#ofRevision(digest)} is not kept here; the hub is asked for it`;
      return { ...none, faults: [missing(message)] };
    }
    const { revision } = document;
    const assigned = assignedAs(bundle, { digest, revision });
    const staged = this.#verdicts.of(document, { bundle: assigned, root, isActive: true });
    if (staged === null) {
      const message = `${what} revision ${revision}: not all of its content is in the journal; a file of it that goes would not come back`;
      return { ...none, faults: [missing(message)] };
    }
    if (!staged.ok) {
      const { code: reason, detail: message } = staged.refusal;
      return { ...none, faults: [{ reason, message }] };
    }
    const pods = staged.value.flatMap(({ pod }) => pod ?? []);
    return {
      ...{ bundle, digest, pods, staged: staged.value },
      faults: this.#secretFaults(document),
      images: neededImages({ pods, bindings: bindingsOf(document.images) }),
    };
  }

  /** Why it may not be put in the place of what lies there; null: it may. `others`: what the other bundles occupy. */
  forbidden(
    { bundle, digest, pods }: KeptRevision,
    root: RootDocument,
    others: readonly Occupied[],
  ): Fault | null {
    const { journal } = this.#parts;
    const document = journal.content.bundleDocument(digest);
    if (document === null) return null;
    const { revision } = document;
    const assigned = assignedAs(bundle, { digest, revision });
    const rules = [
      rootAllows(assigned, root),
      memoryAllows(assigned, {
        knownDigest: journal.content.knownDigest(bundle, revision),
        rollbackFloor: journal.content.rollbackFloor(bundle),
      }),
      this.#verdicts.of(document, { bundle: assigned, root, isActive: false }),
    ];
    for (const rule of rules) {
      if (rule?.ok !== false) continue;
      return { reason: rule.refusal.code, message: rule.refusal.detail };
    }
    const message = conflictWith({ bundle, pods }, others);
    return message === null ? null : { reason: 'Conflict', message };
  }

  #ofRevision(digest: string): string {
    const revision = this.#parts.journal.content.revisionOf(digest);
    return revision === null ? '' : ` of revision ${revision}`;
  }

  #secretFaults(document: BundleDocument): Fault[] {
    const { runtimeNone, secrets, hasLocalSecret } = this.#parts;
    if (runtimeNone === true) return [];
    const { namespace } = document;
    return document.secrets.flatMap((name): Fault[] => {
      const why = secrets?.startFault(document, name) ?? null;
      if (secrets !== undefined && why === null) return [];
      if (hasLocalSecret?.({ namespace, name }) === true) return [];
      const what = `bundle ${nameOf(document)} revision ${document.revision}, secret "${name}"`;
      return [{ reason: 'SecretUnreadable', message: `${what} ${why ?? 'is not kept here'}` }];
    });
  }
}

function missing(message: string): Fault {
  return { reason: 'ContentMissing', message };
}

function assignedAs(
  { namespace, name }: BundleName,
  { digest, revision }: { readonly digest: string; readonly revision: number },
): AssignedBundle {
  return { namespace, name, revision, digest, size: 0, attempt: 0 };
}
