/**
 * Refuses the fields of a Pod that this version does not run, each with its path; none is ever
 * dropped.
 *
 * The verdicts are the table's (`pod-support-table.ts`); this file only applies them. Fields that
 * the table does not know are the schema's to report. Pure.
 */
import { canonicalJson } from './canonical.js';
import { forbidden, notSupported, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import { POD_SUPPORT, type FieldSupport } from './pod-support-table.js';

const BY_PATH = new Map(POD_SUPPORT.map(row => [row.path, row]));

function parentOf(pattern: string): string {
  const dot = pattern.lastIndexOf('.');
  return dot === -1 ? '' : pattern.slice(0, dot);
}

/** For each object of the table (as a pattern, the Pod being ''): the names of its fields. */
const FIELDS_OF = new Map<string, string[]>();
for (const { path } of POD_SUPPORT) {
  const parent = parentOf(path);
  const name = path.slice(parent === '' ? 0 : parent.length + 1);
  FIELDS_OF.set(parent, [...(FIELDS_OF.get(parent) ?? []), name]);
}

/** The fields that the table lists below an object; empty when a row speaks for all of it. */
export function knownFields(pattern: string): readonly string[] {
  return (FIELDS_OF.get(pattern) ?? []).filter(name => name !== '*');
}

/** Where in a Pod a field of that name belongs, as table paths; init containers are as containers. */
export function placesOf(field: string): readonly string[] {
  return POD_SUPPORT.map(row => row.path).filter(
    path => path.endsWith(`.${field}`) && !path.startsWith('spec.initContainers[]'),
  );
}

function verdictOf(parent: string, key: string): FieldSupport | undefined {
  const prefix = parent === '' ? '' : `${parent}.`;
  return BY_PATH.get(`${prefix}${key}`) ?? BY_PATH.get(`${prefix}*`);
}

/** Null when the field is accepted with this value. */
function refusalOf(row: FieldSupport, value: unknown, path: string): FieldError | null {
  if (row.verdict === 'supported' || row.verdict === 'ignored') return null;
  const text = canonicalJson(value);
  if (row.values?.some(accepted => canonicalJson(accepted) === text)) return null;
  return row.verdict === 'forbidden' ? forbidden(path, row.reason) : notSupported(path, row.reason);
}

function checkFields(value: object, place: { path: string; pattern: string }): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, member] of Object.entries(value)) {
    const row = verdictOf(place.pattern, key);
    if (row === undefined) continue;
    const path = childPath(place.path, key);
    const refusal = refusalOf(row, member, path);
    if (refusal !== null) errors.push(refusal);
    else if (row.verdict === 'supported') errors.push(...checkBelow(member, path, row.path));
  }
  return errors;
}

function checkBelow(value: unknown, path: string, pattern: string): FieldError[] {
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    return items.flatMap((item, index) => checkBelow(item, `${path}[${index}]`, `${pattern}[]`));
  }
  if (value === null || typeof value !== 'object' || !FIELDS_OF.has(pattern)) return [];
  return checkFields(value, { path, pattern });
}

/** All refusals, in the order of the manifest; empty when the pod can be run as it is written. */
export function checkPodSupport(pod: object): FieldError[] {
  return checkFields(pod, { path: '', pattern: '' });
}
