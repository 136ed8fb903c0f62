/**
 * Patches of objects as clients send them: JSON merge patches (RFC 7386), and strategic merge patches of maps, which say the same. Those
 * of lists depend on a schema that tells how each list is merged: none is kept here. Pure.
 */
import { RequestError } from '../ports.js';
import { isFields } from './body-fields.js';

export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';

/** Throws UnsupportedMediaType, with what to do. */
export function checkPatchType(contentType: string): void {
  if (contentType === MERGE_PATCH || contentType === STRATEGIC_PATCH) return;
  if (contentType === APPLY_PATCH) {
    throw new RequestError(
      'UnsupportedMediaType',
      'server-side apply is not available here: leave out --server-side',
    );
  }
  throw new RequestError(
    'UnsupportedMediaType',
    `patches are read as ${MERGE_PATCH} or ${STRATEGIC_PATCH} (kubectl patch --type=merge)`,
  );
}

/** RFC 7386, section 2; nothing of the target is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const merged = new Map(Object.entries(isFields(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

/** Throws BadRequest where a strategic patch says how it is to be merged. */
export function refuseDirectives(patch: unknown): void {
  if (!isFields(patch)) return;
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) {
      throw new RequestError(
        'BadRequest',
        `${key}: directives of strategic merge patches are not known here: use ${MERGE_PATCH}`,
      );
    }
    refuseDirectives(value);
  }
}
