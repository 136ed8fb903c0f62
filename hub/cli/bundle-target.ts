/** The bundle that a command is about, as people name it: `bundle/NAME`, or its name alone. Pure. */
import { CliError } from '../../protocol/cli-error.js';
import { targetsOf } from './resources.js';

/** Throws `CliError` (refused) for another kind. */
export function bundleOf(target: string): string {
  if (!target.includes('/')) return target;
  const { resource, names } = targetsOf([target]);
  if (resource.kind !== 'Bundle' || names[0] === undefined) {
    throw new CliError('refused', `"${target}" is not a bundle; say bundle/NAME`);
  }
  return names[0];
}

/** The number of a revision. Throws `CliError` (refused). */
export function revisionIn(flag: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new CliError('refused', `${flag} ${text}: must be the number of a revision, from 1`);
}
