/**
 * What a write's query and a delete's body say beside the object: dry run and preconditions (metav1 CreateOptions,
 * DeleteOptions). `fieldValidation` is passed over: validation is always strict. Pure.
 */
import { excerpt } from '../../protocol/excerpt.js';
import { RequestError } from '../ports.js';
import type { ObjectMeta } from '../store/store.js';
import { fieldsAt, refuseUnknown } from './body-fields.js';

function isDryRun(values: readonly unknown[]): boolean {
  const wrong = values.find(value => value !== 'All');
  if (wrong === undefined) return values.length > 0;
  throw new RequestError(
    'BadRequest',
    `dryRun: ${excerpt(JSON.stringify(wrong))} is not possible, only "All"`,
  );
}

/** Throws BadRequest for a dry run other than `All`. */
export function parseDryRun(query: URLSearchParams): boolean {
  return isDryRun(query.getAll('dryRun').filter(value => value !== ''));
}

export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly uid: string | null;
  readonly resourceVersion: string | null;
}

const DELETE_FIELDS = [
  'apiVersion',
  'kind',
  'dryRun',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'orphanDependents',
  'preconditions',
  'propagationPolicy',
];

function precondition(fields: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = fields[name] ?? null;
  if (value === null || typeof value === 'string') return value;
  throw new RequestError('BadRequest', `preconditions.${name}: must be a string`);
}

/** `body` is undefined where there was none. Grace periods have no meaning here: nothing is stopped by a delete. */
export function parseDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const fields = fieldsAt(body, '');
  refuseUnknown(fields, DELETE_FIELDS, '');
  const preconditions = fieldsAt(fields['preconditions'], 'preconditions');
  const listed = fields['dryRun'] ?? [];
  return {
    dryRun: parseDryRun(query) || isDryRun(Array.isArray(listed) ? listed : [listed]),
    uid: precondition(preconditions, 'uid'),
    resourceVersion: precondition(preconditions, 'resourceVersion'),
  };
}

/** Throws Conflict where the object is not the one that the client means. */
export function checkPreconditions(
  asked: Pick<DeleteOptions, 'uid' | 'resourceVersion'>,
  meta: ObjectMeta,
): void {
  for (const field of ['uid', 'resourceVersion'] as const) {
    const value = asked[field];
    if (value === null || value === meta[field]) continue;
    throw new RequestError(
      'Conflict',
      `the ${field} in the precondition is ${excerpt(value)}, the object's is ${meta[field]}`,
    );
  }
}
