/**
 * What a row of the table of supported fields says. Types only.
 */

/**
 * - `supported`: does what Kubernetes documents;
 * - `ignored`: accepted and without effect here, because its subject does not exist on a node of
 *   its own;
 * - `default`: accepted at the values in `values`, which all mean "nothing special"; the others are
 *   not supported;
 * - `refused`: not supported;
 * - `forbidden`: cannot be in a static pod at all, as on a kubelet.
 */
export type Verdict = 'supported' | 'ignored' | 'default' | 'refused' | 'forbidden';

/** Path (with `[]` for each item of a list and `*` for any other key of a map), verdict, reason, values. */
export type SupportRow = readonly [string, Verdict, string, (readonly unknown[])?];
