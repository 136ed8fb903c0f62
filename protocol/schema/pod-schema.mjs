/**
 * Makes the JSON schema (draft-07) of a v1 Pod from the declarations in kubernetes-types.
 *
 * The declarations give the fields; `pod-fields.mjs` gives what declarations cannot express. Only
 * the definitions that a Pod reaches stay. Pure apart from reading the declarations.
 */
import { createRequire } from 'node:module';
import { createGenerator } from 'ts-json-schema-generator';
import * as fields from './pod-fields.mjs';

/** Every node of a schema that is itself a schema, with the name of its definition and field. */
function* subschemas(definitions) {
  for (const [definition, schema] of Object.entries(definitions)) {
    for (const [field, property] of Object.entries(schema.properties ?? {})) {
      yield { at: `${definition}.${field}`, property };
    }
  }
}

function integers(schema) {
  if (schema.type === 'number') schema.type = 'integer';
  if (Array.isArray(schema.type)) {
    schema.type = schema.type.map(type => (type === 'number' ? 'integer' : type));
  }
  if (schema.items) integers(schema.items);
  if (typeof schema.additionalProperties === 'object') integers(schema.additionalProperties);
}

function fieldOf(definitions, at) {
  const [definition, field] = at.split('.');
  const properties = definitions[definition]?.properties;
  if (!properties?.[field])
    throw new Error(`pod-fields.mjs names ${at}, which a Pod does not have`);
  return properties;
}

function applyGrammar(property, grammar) {
  property.pattern = grammar.pattern;
  if (grammar.maxLength !== undefined) property.maxLength = grammar.maxLength;
}

function applyEdits(definitions, grammars) {
  for (const [definition, additions] of Object.entries(fields.NEWER_FIELDS)) {
    for (const [field, schema] of Object.entries(additions)) {
      if (definitions[definition].properties[field]) {
        throw new Error(
          `the declarations now have ${definition}.${field}: drop it from NEWER_FIELDS`,
        );
      }
      definitions[definition].properties[field] = schema;
    }
  }
  const edit = (at, change) => {
    const properties = fieldOf(definitions, at);
    const field = at.split('.')[1];
    properties[field] = change(properties[field]) ?? properties[field];
  };
  for (const at of fields.OPEN) edit(at, () => ({ type: 'object' }));
  for (const [at, bounds] of Object.entries(fields.INTEGER_BOUNDS)) {
    edit(at, property => void Object.assign(property, bounds));
  }
  for (const [at, values] of Object.entries(fields.ENUMS)) {
    edit(at, property => void (property.enum = values));
  }
  for (const [at, name] of Object.entries(fields.PATTERNS)) {
    edit(at, property => applyGrammar(property, grammars[name]));
  }
  for (const at of fields.EMPTY_IS_ABSENT) {
    edit(at, property => void (property.pattern = `^$|${property.pattern}`));
  }
  for (const at of fields.NOT_EMPTY) edit(at, property => void (property.minItems = 1));
  for (const at of fields.NOT_BLANK) edit(at, property => void (property.minLength = 1));
  for (const [definition, names] of Object.entries(fields.REQUIRED)) {
    const schema = definitions[definition];
    schema.required = [...new Set([...(schema.required ?? []), ...names])];
  }
}

function reachable(definitions, name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  const visit = node => {
    if (node === null || typeof node !== 'object') return;
    if (typeof node.$ref === 'string') reachable(definitions, node.$ref.split('/').pop(), seen);
    for (const value of Object.values(node)) visit(value);
  };
  visit(definitions[name]);
  return seen;
}

function withoutDescriptions(node) {
  if (Array.isArray(node)) return node.map(withoutDescriptions);
  if (node === null || typeof node !== 'object') return node;
  const entries = Object.entries(node)
    .filter(([key, value]) => !(key === 'description' && typeof value === 'string'))
    .map(([key, value]) => [key, withoutDescriptions(value)]);
  return Object.fromEntries(entries);
}

/** Returns a draft-07 schema; `grammars` is `GRAMMARS` of `protocol/pod-grammar.ts`. */
export function podSchema(grammars) {
  const path = createRequire(import.meta.url).resolve('kubernetes-types/core/v1.d.ts');
  const raw = createGenerator({ path, type: 'Pod', skipTypeCheck: true }).createSchema('Pod');
  const definitions = withoutDescriptions(raw.definitions);
  for (const { property } of subschemas(definitions)) integers(property);
  definitions.Quantity = { type: ['string', 'number'], pattern: grammars.quantity.pattern };
  applyEdits(definitions, grammars);
  for (const [name, schema] of Object.entries(definitions)) {
    if (schema.type === 'object') schema.additionalProperties ??= false;
    if (schema.type === 'object' && schema.additionalProperties !== false) {
      throw new Error(`definition ${name} accepts unknown fields`);
    }
  }
  const kept = reachable(definitions, 'Pod');
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $ref: '#/definitions/Pod',
    definitions: Object.fromEntries(Object.entries(definitions).filter(([name]) => kept.has(name))),
  };
}
