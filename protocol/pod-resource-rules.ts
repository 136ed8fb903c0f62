/**
 * The rules of a container's resources: quantities that can be counted with, requests within
 * limits.
 *
 * As `validateResourceRequirements` of the API. Pure.
 */
import { invalid, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import type { ResourceRequirements } from './pod.js';
import {
  compareQuantities,
  parseQuantity,
  parseQuantityMilli,
  parseQuantityWhole,
  QuantityError,
} from './quantity.js';

/** Also what could be written but not counted with: whoever sums up later relies on it. */
function problemOf(name: string, quantity: string | number): string | null {
  try {
    if (parseQuantity(quantity) < 0n) return 'must be greater than or equal to 0';
    if (name === 'cpu') parseQuantityMilli(quantity);
    else parseQuantityWhole(quantity);
    return null;
  } catch (error) {
    if (error instanceof QuantityError) return error.message;
    throw error;
  }
}

function checkList(list: Readonly<Record<string, string>>, at: string): FieldError[] {
  return Object.entries(list).flatMap(([name, quantity]) => {
    const problem = problemOf(name, quantity);
    return problem === null ? [] : [invalid(childPath(at, name), quantity, problem)];
  });
}

/** `at` is the path of the `resources` field. */
export function checkResources(resources: ResourceRequirements, at: string): FieldError[] {
  const { limits = {}, requests = {} } = resources;
  const errors = [...checkList(limits, `${at}.limits`), ...checkList(requests, `${at}.requests`)];
  if (errors.length > 0) return errors;
  return Object.entries(requests).flatMap(([name, request]) => {
    const limit = limits[name];
    if (limit === undefined || compareQuantities(request, limit) <= 0) return [];
    const detail = `must be less than or equal to ${name} limit of ${limit}`;
    return [invalid(childPath(`${at}.requests`, name), request, detail)];
  });
}
