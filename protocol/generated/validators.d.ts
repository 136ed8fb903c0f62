// Made by protocol/schema/generate.mjs; do not edit.
import type { ErrorObject } from '../schema-error.js';

/** `errors` belongs to the last call: read it at once. */
interface Validator {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
}

interface DocumentValidator<T> {
  (value: unknown): value is T;
  errors?: ErrorObject[] | null;
}

/** Reports all errors. */
export const validatePod: Validator;
