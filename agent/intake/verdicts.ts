/**
 * Whether the whole content of a bundle may become files: each manifest as signed and valid, each pod within what the
 * root grants its signers and what the node's owner allows. All of it or nothing; touches nothing.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { ValidPod } from '../../protocol/pod.js';
import { bindingsOf, contradiction, type ImageBindings } from '../../protocol/image-binding.js';
import { NODE_CONFIG_MAP } from '../../protocol/node-parameters.js';
import { accept, refuse, type Refusal, type Result } from '../../protocol/refusal.js';
import { grantsOn, outOfScope } from '../../protocol/release-scope.js';
import { scopesOf } from '../../protocol/verify-bundle.js';
import { bundleKey, stageManifest, type StagedManifest } from './decide.js';
import type { PromisedDirectory } from './directory.js';
import type { Journal } from '../journal/journal.js';

export interface NodeRules {
  /** True where a kubelet runs what lies in the directory: it reads Pods alone. */
  readonly runtimeNone?: boolean;
  /** Why this node's policy keeps a pod of a bundle from running, with rule and field; null: it does not. */
  readonly refuses: (pod: ValidPod, bindings: ImageBindings) => string | null;
  /** Those of the enrolment; absent: none. No later document changes them. */
  readonly enrolledLabels?: Readonly<Record<string, string>>;
}

export interface VerdictParts extends NodeRules {
  readonly journal: Pick<Journal, 'content'>;
  readonly directory: Pick<PromisedDirectory, 'contentOf'>;
}

/** About whom, and under which root. */
export interface Judged {
  readonly bundle: AssignedBundle;
  readonly root: RootDocument;
  /** This very content is what lies in the directory: the root judged it when it began. */
  readonly isActive: boolean;
}

const NOT_FOR_A_KUBELET =
  'with runtime: none a kubelet runs the pods of this node, and it reads no ConfigMap and no Secret from the directory';

const NOT_BOUND_BY_A_KUBELET =
  'with runtime: none a kubelet runs the pods of this node, and it knows only digests in the manifest: name@sha256:…';

export class Verdicts {
  readonly #parts: VerdictParts;
  /** Manifests do not change under a digest, so under one root and with the same signatures neither does the verdict. */
  readonly #refusals = new Map<string, { readonly refusal: Refusal; readonly envelope: string }>();
  readonly #signed = new Set<string>();

  constructor(parts: VerdictParts) {
    this.#parts = parts;
  }

  /** Null when content that was here did not read back: it is forgotten and lacking now. */
  of(document: BundleDocument, judged: Judged): Result<StagedManifest[]> | null {
    const key = `${judged.bundle.digest} by root ${judged.root.version}`;
    const known = this.#refusals.get(key);
    const envelope = sha256Hex(
      this.#parts.journal.content.bundleEnvelope(judged.bundle.digest) ?? '',
    );
    if (known?.envelope === envelope) return { ok: false, refusal: known.refusal };
    const staged = this.#stage(document, judged.bundle);
    if (staged === null) return null;
    const bindings = bindingsOf(document.images);
    const verdict = staged.ok ? this.#judge(staged.value, judged, bindings) : staged;
    if (verdict?.ok === false) this.#refusals.set(key, { refusal: verdict.refusal, envelope });
    return verdict;
  }

  /** Whether the envelope that is here has the signatures that the root asks for. */
  isSigned(bundle: AssignedBundle, root: RootDocument): boolean {
    const key = `${bundle.digest} by root ${root.version}`;
    if (this.#signed.has(key)) return true;
    const envelope = this.#parts.journal.content.bundleEnvelope(bundle.digest);
    const isSigned = envelope !== null && scopesOf(envelope, root, bundle).ok;
    if (isSigned) this.#signed.add(key);
    return isSigned;
  }

  #stage(document: BundleDocument, bundle: AssignedBundle): Result<StagedManifest[]> | null {
    const { runtimeNone, directory } = this.#parts;
    const about = `bundle ${bundleKey(bundle)}`;
    const contradicted = contradiction(document.images);
    if (contradicted !== null) return refuse('MixMatch', `${about}: ${contradicted}`);
    const bindings = bindingsOf(document.images);
    const [bound] = bindings.keys();
    if (bound !== undefined && runtimeNone === true) {
      return refuse('Unsupported', `${about}, image ${bound}: ${NOT_BOUND_BY_A_KUBELET}`);
    }
    if (runtimeNone === true && document.secrets.length > 0) {
      const what = `${about}, Secret ${document.secrets[0] ?? ''}`;
      return refuse('Unsupported', `${what}: ${NOT_FOR_A_KUBELET}`);
    }
    if (runtimeNone === true && document.parameters !== undefined) {
      const what = `${about}, ConfigMap ${NODE_CONFIG_MAP}`;
      return refuse('Unsupported', `${what}: ${NOT_FOR_A_KUBELET}`);
    }
    const staged: StagedManifest[] = [];
    for (const entry of document.manifests) {
      if (entry.kind !== 'Pod' && runtimeNone === true) {
        const what = `${about}, ${entry.kind} ${entry.name}`;
        return refuse('Unsupported', `${what}: ${NOT_FOR_A_KUBELET}`);
      }
      const content = directory.contentOf(entry);
      if (!content) return null;
      const manifest = stageManifest(content, entry, { bundle, bindings });
      if (!manifest.ok) return manifest;
      staged.push(manifest.value);
    }
    return accept(staged);
  }

  #judge(
    staged: StagedManifest[],
    { bundle, root, isActive }: Judged,
    bindings: ImageBindings,
  ): Result<StagedManifest[]> | null {
    const { journal, refuses, enrolledLabels = {} } = this.#parts;
    const pods = staged.flatMap(({ pod }) => pod ?? []);
    if (!isActive) {
      const envelope = journal.content.bundleEnvelope(bundle.digest);
      if (envelope === null) return null;
      // The root may have changed since the envelope came: what a withdrawn key signed does not begin any more.
      const scopes = scopesOf(envelope, root, bundle);
      if (!scopes.ok) return scopes;
      const grants = grantsOn(scopes.value, enrolledLabels);
      if (!grants.ok) return grants;
      for (const pod of pods) {
        const detail = outOfScope(pod, grants.value);
        if (detail !== null) return refuse('OutOfScope', `pod ${pod.metadata.name}: ${detail}`);
      }
    }
    for (const pod of pods) {
      const detail = refuses(pod, bindings);
      if (detail !== null) return refuse('Policy', `pod ${pod.metadata.name}: ${detail}`);
    }
    return accept(staged);
  }
}
