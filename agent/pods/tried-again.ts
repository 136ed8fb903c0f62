/** A revision that was given up is tried again: nothing that its pods did in the attempt before holds them up. */
import type { BundleName } from '../ports.js';
import type { Pods } from './pods.js';

/** Pods of the bundle that wait for their time begin at once; twice is the same as once. */
export function tryBundleAgain(
  pods: Pick<Pods, 'reports' | 'retry'> | null,
  { namespace, name }: BundleName,
): void {
  for (const { key, bundle } of pods?.reports() ?? []) {
    if (bundle?.namespace === namespace && bundle.name === name) pods?.retry(key);
  }
}
