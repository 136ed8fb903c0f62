/**
 * Which objects a list or watch is about: namespace, label selector, field selector, from the path and the query.
 * Pure. What cannot be read or selected by is a 400, never ignored.
 */
import { excerpt } from '../../protocol/excerpt.js';
import { RequestError } from '../ports.js';
import { matches, parseFieldSelector, parseSelector, SelectorError } from '../selectors.js';
import type { ApiObject } from './api-object.js';
import type { Resource } from './resources.js';

export interface Selection {
  /** Null: all. */
  readonly namespace: string | null;
  matches(object: ApiObject): boolean;
}

type FieldTerm = ReturnType<typeof parseFieldSelector>[number];

function parse<T>(parser: (text: string) => T, selector: string): T {
  try {
    return parser(selector);
  } catch (error) {
    if (error instanceof SelectorError) throw new RequestError('BadRequest', error.message);
    throw error;
  }
}

function fieldsOf(resource: Resource, object: ApiObject): Readonly<Record<string, string>> {
  return {
    ...resource.fields(object),
    'metadata.name': object.metadata.name,
    ...(resource.namespaced ? { 'metadata.namespace': object.metadata.namespace ?? '' } : {}),
  };
}

/** The field names, told from an object that has nothing in it. */
function selectable(resource: Resource): readonly string[] {
  const empty = {
    apiVersion: '',
    kind: '',
    metadata: { name: '', uid: '', resourceVersion: '', creationTimestamp: null },
    spec: {},
    status: {},
    involvedObject: {},
    source: {},
  };
  return Object.keys(fieldsOf(resource, empty)).sort();
}

function checkFields(resource: Resource, terms: readonly FieldTerm[]): void {
  const known = selectable(resource);
  for (const { field } of terms) {
    if (known.includes(field)) continue;
    throw new RequestError(
      'BadRequest',
      `field label not supported: "${excerpt(field)}"; ${resource.name} can be selected by ${known.join(', ')}`,
    );
  }
}

/** Throws BadRequest. */
export function parseSelection(
  resource: Resource,
  namespace: string | null,
  query: URLSearchParams,
): Selection {
  const labels = parse(parseSelector, query.get('labelSelector') ?? '');
  const terms = parse(parseFieldSelector, query.get('fieldSelector') ?? '');
  checkFields(resource, terms);
  return {
    namespace,
    matches(object) {
      if (namespace !== null && object.metadata.namespace !== namespace) return false;
      if (!matches(labels, object.metadata.labels ?? {})) return false;
      if (terms.length === 0) return true;
      const fields = fieldsOf(resource, object);
      return terms.every(term => (fields[term.field] === term.value) === term.equal);
    },
  };
}
