/**
 * Paths inside a volume and inside a container, as manifests give them. Pure.
 *
 * As `validateLocalNonReservedPath` and `ValidateVolumeMounts` of the API (kubelet behaviour rows 135, 138).
 */
import { invalid, required, type FieldError } from './field-error.js';

/** Relative, without `..` as a step. */
export function checkDescendingPath(path: string, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (path.startsWith('/')) errors.push(invalid(at, path, 'must be a relative path'));
  if (path.split('/').includes('..')) errors.push(invalid(at, path, "must not contain '..'"));
  if (path.includes('\u0000')) errors.push(invalid(at, path, 'must not contain a null character'));
  return errors;
}

/** A file that a volume holds: not empty, and no name that the atomic writer keeps for itself. */
export function checkVolumePath(path: string, at: string): FieldError[] {
  if (path === '') return [required(at)];
  const errors = checkDescendingPath(path, at);
  if (errors.length === 0 && path.startsWith('..')) {
    errors.push(invalid(at, path, "must not start with '..'"));
  }
  return errors;
}

/**
 * One spelling for one place: without repeated or trailing slashes, absolute as the kubelet makes
 * it.
 */
export function cleanMountPath(path: string): string {
  const steps = path.split('/').filter(step => step !== '' && step !== '.');
  return `/${steps.join('/')}`;
}
