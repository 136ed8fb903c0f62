/**
 * The ConfigMaps and Secrets of all sources, one per kind, namespace and name among those that people put there.
 *
 * Of two the one that was in force before stays, as with pods; at a cold start the directory's goes before the URL's,
 * then the first file's name. A bundle's objects are seen by its own pods alone, so they stand beside these. Pure.
 */
import type { ConfigObject } from './config-objects.js';
import type { SourceCondition } from '../ports.js';

export interface MergedObjects {
  readonly kept: readonly ConfigObject[];
  readonly conflicts: readonly SourceCondition[];
}

/** `bySource` in the order of precedence; `previous` is what the last merge kept. */
export function mergeObjects(
  bySource: readonly (readonly ConfigObject[])[],
  previous: readonly ConfigObject[],
): MergedObjects {
  const keyOf = ({ kind, namespace, name }: ConfigObject) => `${kind} ${namespace}/${name}`;
  const incumbents = new Map(
    previous.filter(one => one.bundle === null).map(one => [keyOf(one), one.origin]),
  );
  const kept: ConfigObject[] = [];
  const chosen = new Map<string, ConfigObject>();
  const conflicts: SourceCondition[] = [];
  const local: ConfigObject[] = [];
  for (const one of bySource.flat()) (one.bundle === null ? local : kept).push(one);
  const isIncumbent = (one: ConfigObject) => incumbents.get(keyOf(one)) === one.origin;
  for (const one of [...local.filter(isIncumbent), ...local.filter(one => !isIncumbent(one))]) {
    const winner = chosen.get(keyOf(one));
    if (winner === undefined) {
      chosen.set(keyOf(one), one);
      kept.push(one);
      continue;
    }
    const message =
      `${one.origin}: the ${keyOf(one)} is already given by ${winner.origin}, which stays; ` +
      'remove one of the two or give it another name';
    conflicts.push({ type: 'ObjectConflict', status: 'True', reason: 'Duplicate', message });
  }
  return { kept, conflicts };
}
