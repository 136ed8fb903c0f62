/**
 * Content negotiation as kubectl does it: the first form of the Accept header that the server has. JSON is the
 * answer to everything else (protobuf-first clients read it too). Pure.
 */
import { RequestError } from '../ports.js';

export type TableVersion = 'v1' | 'v1beta1';
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface Form {
  /** Null: the object or list itself. */
  readonly table: TableVersion | null;
  readonly includeObject: IncludeObject;
}

/** Throws BadRequest for an unknown `includeObject`. */
export function negotiate(accept: string, query: URLSearchParams): Form {
  return { table: tableVersion(accept), includeObject: includeObject(query) };
}

function tableVersion(accept: string): TableVersion | null {
  for (const range of accept.split(',')) {
    const [type, ...parameters] = range.split(';').map(part => part.trim());
    if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') continue;
    const values = new Map(parameters.map(p => p.split('=', 2) as [string, string]));
    const as = values.get('as');
    if (as === undefined) return null;
    const version = values.get('v');
    if (as !== 'Table' || values.get('g') !== 'meta.k8s.io') continue;
    if (version === 'v1' || version === 'v1beta1') return version;
  }
  return null;
}

function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? '';
  if (value === '') return 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw new RequestError('BadRequest', 'includeObject: must be None, Metadata or Object');
}
