/**
 * What an owned file of the static pod directory says about itself in its annotations.
 *
 * The revision is not among it: the file of an unchanged manifest is never rewritten. Pure.
 */
import type { BundleName } from '../ports.js';
import type { ObjectMeta } from '../../protocol/pod.js';

/** `<namespace>/<name>` of the bundle. */
export const BUNDLE_ANNOTATION = 'flotilla.dev/bundle';
/** The manifest's digest. */
export const MANIFEST_ANNOTATION = 'flotilla.dev/manifest';

/** Null when the annotation is missing or has another form. */
export function bundleOf(manifest: { readonly metadata?: ObjectMeta }): BundleName | null {
  const [namespace, name, ...rest] =
    manifest.metadata?.annotations?.[BUNDLE_ANNOTATION]?.split('/') ?? [];
  if (namespace === undefined || name === undefined || rest.length > 0) return null;
  return namespace === '' || name === '' ? null : { namespace, name };
}
