/**
 * Content that waits for its turn and was found good: passes come often, and neither manifests nor verdicts change under a digest and a
 * root. One revision for each bundle, and none that is large. Holds state, touches nothing.
 */
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { Result } from '../../protocol/refusal.js';
import type { BundleName } from '../ports.js';
import { bundleKey, type StagedManifest } from './decide.js';
import type { Judged, Verdicts } from './verdicts.js';

/** Bytes of manifests of one bundle that are held meanwhile. */
const HELD_BYTES_MAX = 256 * 1024;

export class JudgedContent {
  readonly #verdicts: Pick<Verdicts, 'of'>;
  readonly #held = new Map<
    string,
    { readonly of: string; readonly verdict: Result<StagedManifest[]> }
  >();

  constructor(verdicts: Pick<Verdicts, 'of'>) {
    this.#verdicts = verdicts;
  }

  /** As `Verdicts.of`. */
  of(document: BundleDocument, judged: Judged): Result<StagedManifest[]> | null {
    const { bundle, root, isActive } = judged;
    const key = bundleKey(bundle);
    const of = `${bundle.digest} by root ${root.version}${isActive ? ', active' : ''}`;
    const held = this.#held.get(key);
    if (held?.of === of) return held.verdict;
    this.#held.delete(key);
    const verdict = this.#verdicts.of(document, judged);
    if (verdict?.ok === true && isSmall(verdict.value)) this.#held.set(key, { of, verdict });
    return verdict;
  }

  /** It was put into the directory. */
  drop(bundle: BundleName): void {
    this.#held.delete(bundleKey(bundle));
  }

  /** All but these bundles. */
  keepOnly(bundles: readonly BundleName[]): void {
    const kept = new Set(bundles.map(bundleKey));
    for (const key of this.#held.keys()) if (!kept.has(key)) this.#held.delete(key);
  }
}

function isSmall(staged: readonly StagedManifest[]): boolean {
  return staged.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) <= HELD_BYTES_MAX;
}
