/**
 * The ConfigMaps and Secrets of all sources, one per kind, namespace and name among those that people put there.
 *
 * Of two the one that was in force before stays, as with pods, over a restart of the agent too; at a cold start the directory's goes before the URL's,
 * then the first file's name. A bundle's objects are seen by its own pods alone, so they stand beside these. Pure.
 */
import type { ConfigObject } from './config-objects.js';
import type { ObjectChoices } from './object-memory.js';
import type { SourceCondition } from '../ports.js';

export interface MergedObjects {
  readonly kept: readonly ConfigObject[];
  readonly conflicts: readonly SourceCondition[];
  /** Which of several is in force, where there are several. */
  readonly choices: ObjectChoices;
}

export interface ObjectsBefore {
  /** What the last merge kept. */
  readonly kept: readonly ConfigObject[];
  /** What was in force in the agent's life before this one. */
  readonly remembered: ObjectChoices;
}

/** `bySource` in the order of precedence. */
export function mergeObjects(
  bySource: readonly (readonly ConfigObject[])[],
  before: ObjectsBefore,
): MergedObjects {
  const keyOf = ({ kind, namespace, name }: ConfigObject) => `${kind} ${namespace}/${name}`;
  const local = before.kept.filter(one => one.bundle === null);
  const incumbents = new Map([
    ...before.remembered,
    ...local.map(one => [keyOf(one), one.origin] as const),
  ]);
  const kept: ConfigObject[] = [];
  const chosen = new Map<string, ConfigObject>();
  const conflicts: SourceCondition[] = [];
  const choices = new Map<string, string>();
  const given: ConfigObject[] = [];
  for (const one of bySource.flat()) (one.bundle === null ? given : kept).push(one);
  const isIncumbent = (one: ConfigObject) => incumbents.get(keyOf(one)) === one.origin;
  for (const one of [...given.filter(isIncumbent), ...given.filter(one => !isIncumbent(one))]) {
    const winner = chosen.get(keyOf(one));
    if (winner === undefined) {
      chosen.set(keyOf(one), one);
      kept.push(one);
      continue;
    }
    const message =
      `${one.origin}: the ${keyOf(one)} is already given by ${winner.origin}, which stays; ` +
      'remove one of the two or give it another name';
    choices.set(keyOf(one), winner.origin);
    conflicts.push({ type: 'ObjectConflict', status: 'True', reason: 'Duplicate', message });
  }
  return { kept, conflicts, choices };
}
