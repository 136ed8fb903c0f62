/**
 * What an edit may not do to a ConfigMap or Secret with `immutable: true`: change its data or make it mutable again. A cluster's API
 * server refuses that; a kubelet has stopped watching it. A directory can only refuse the edit and keep the last good content. Pure.
 */
import { configObjectDigest, type ConfigObject } from '../pods/config-objects.js';

/** Why these may not follow those, for a person; null when they may. An object that is gone may come anew with anything. */
export function immutableFault(
  before: readonly ConfigObject[],
  after: readonly ConfigObject[],
): string | null {
  for (const was of before) {
    const { kind, namespace, name } = was;
    const is = after.find(
      one => one.kind === kind && one.namespace === namespace && one.name === name,
    );
    if (!was.isImmutable || is === undefined) continue;
    const what = `the ${kind} ${namespace}/${name} is immutable`;
    const way = 'give the new one another name, or remove this one first';
    if (configObjectDigest(is) !== configObjectDigest(was)) {
      return `${what}: its data cannot be changed; ${way}`;
    }
    if (!is.isImmutable) return `${what}: immutable cannot be unset; ${way}`;
  }
  return null;
}
