/**
 * The rules of a container's termination message: a path that the file can be mounted at.
 *
 * Kubernetes lets any text pass and the container then fails to be made; here it is refused beforehand. Expects
 * right types. Pure.
 */
import { invalid, type FieldError } from './field-error.js';
import { terminationMessagePath } from './pod-defaults.js';
import type { Container } from './pod.js';

function stepsOf(path: string): string {
  return path
    .split('/')
    .filter(step => step !== '' && step !== '.')
    .join('/');
}

/** `at` is the container's path. */
export function checkTermination(container: Container, at: string): FieldError[] {
  const { volumeMounts = [] } = container;
  const path = terminationMessagePath(container);
  const where = `${at}.terminationMessagePath`;
  if (/[:\u0000]/.test(path)) return [invalid(where, path, "must not contain ':'")];
  if (path.split('/').includes('..')) return [invalid(where, path, "must not contain '..'")];
  const steps = stepsOf(path);
  if (steps === '' || path.endsWith('/')) return [invalid(where, path, 'must be a file')];
  const taken = volumeMounts.find(({ mountPath }) => stepsOf(mountPath ?? '') === steps);
  if (taken === undefined) return [];
  return [invalid(where, path, `the volume ${taken.name} is mounted there`)];
}
