/**
 * Which fields of a Pod this version runs, and what becomes of the others: one row per field.
 *
 * A row speaks for all that lies below it unless rows below it exist. A field without effect is
 * accepted only where it could have none on any single node; everything else that is not run is
 * refused, never dropped. A test holds this table against the schema, so that no field is
 * forgotten. The rows stand in `pod-support-*.ts`. Data only.
 */
import { containerSupport } from './pod-support-container.js';
import type { Verdict } from './pod-support-row.js';
import { METADATA_SUPPORT, SPEC_SUPPORT } from './pod-support-spec.js';
import { VOLUME_SUPPORT } from './pod-support-volume.js';

export type { Verdict } from './pod-support-row.js';

export interface FieldSupport {
  /** With `[]` for each item of a list and `*` for any other key of a map. */
  readonly path: string;
  readonly verdict: Verdict;
  /** For `refused` and `forbidden` what the error adds; else what a reader of the docs learns. */
  readonly reason: string;
  /** Values that mean the same as the field's absence, and so are accepted whatever the verdict. */
  readonly values?: readonly unknown[];
}

export const POD_SUPPORT: readonly FieldSupport[] = [
  ...METADATA_SUPPORT,
  ...SPEC_SUPPORT,
  ...containerSupport('spec.initContainers'),
  ...containerSupport('spec.containers'),
  ...VOLUME_SUPPORT,
].map(([path, verdict, reason, values]) => ({
  path,
  verdict,
  reason,
  ...(values === undefined ? {} : { values }),
}));
