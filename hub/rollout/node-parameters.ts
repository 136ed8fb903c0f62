/** Values of one node for the pods of bundles that declare them (docs/parameters.md): what people may set, and who still lacks some. */
import { excerpt } from '../../protocol/excerpt.js';
import {
  givenParameters,
  parameterKeyFault,
  parameterValueFault,
  type Parameters,
} from '../../protocol/node-parameters.js';
import { RequestError } from '../ports.js';
import type { Actor, Store } from '../store/store.js';
import { changeParameters, parametersOf } from './assigned-parameters.js';
import { assignmentOf } from './director.js';
import type { ReassignParts } from './reassign.js';
import { bundleDocumentOf } from './revision-document.js';

/** `null`: taken away. A value that is there is changed with `overwrite` alone. */
export interface ParametersWish {
  readonly set: Readonly<Record<string, string | null>>;
  readonly overwrite: boolean;
}

export interface NodeParametersView {
  readonly node: string;
  readonly parameters: Parameters;
  /** Bundles of its assignment that declare some without a value here. */
  readonly lacking: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly keys: readonly string[];
  }[];
}

/** Throws NotFound, BadRequest, Invalid, Conflict. */
export interface NodeParametersDesk {
  read(node: string): Promise<NodeParametersView>;
  set(
    actor: Actor,
    of: { readonly node: string; readonly wish: ParametersWish },
  ): Promise<NodeParametersView & { readonly changed: boolean }>;
}

/**
 * With those that are given set, and those that are null gone. Throws `RequestError` BadRequest with every name and value that is none,
 * Conflict where a value would be changed that `overwrite` does not allow. Pure.
 */
export function withParameters(before: Parameters, { set, overwrite }: ParametersWish): Parameters {
  const faults = Object.entries(set).flatMap(([key, value]) => {
    const keyFault = parameterKeyFault(key);
    if (keyFault !== null) return [`parameter "${excerpt(key)}": ${keyFault}`];
    const fault = value === null ? null : parameterValueFault(value);
    return fault === null ? [] : [`parameter "${key}": its value ${fault}`];
  });
  if (faults.length > 0) throw new RequestError('BadRequest', faults.join('; '));
  const values = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(set)) {
    const had = values.get(key);
    if (had !== undefined && value !== null && had !== value && !overwrite) {
      const message = `'${key}' already has a value (${excerpt(had)}), and --overwrite is false`;
      throw new RequestError('Conflict', message);
    }
    if (value === null) values.delete(key);
    else values.set(key, value);
  }
  return Object.fromEntries(values);
}

/** For the audit log: names, not values. Pure. */
export function parametersWish(before: Parameters, after: Parameters): string {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const words = names.flatMap(name => {
    if (before[name] === after[name]) return [];
    if (after[name] === undefined) return [`-${name}`];
    return [before[name] === undefined ? `+${name}` : name];
  });
  return `parameters: ${words.join(' ')}`;
}

/** The same again changes nothing. */
export function nodeParametersDesk(parts: ReassignParts): NodeParametersDesk {
  const { store } = parts;
  return {
    read: async node => viewOf(store, node, await parametersOf(store, node)),
    set: async (actor, { node, wish }) => {
      const { before, after } = await changeParameters(parts, actor, {
        node,
        change: all => withParameters(all, wish),
        wish: parametersWish,
      });
      const changed = parametersWish(before, after) !== parametersWish(before, before);
      return { ...(await viewOf(store, node, after)), changed };
    },
  };
}

async function viewOf(store: Store, node: string, all: Parameters): Promise<NodeParametersView> {
  const parameters = givenParameters(all);
  const record = await store.assignment(node);
  const lacking: { namespace: string; name: string; keys: readonly string[] }[] = [];
  for (const { namespace, name, digest } of record ? assignmentOf(record).bundles : []) {
    const revision = await store.revisionByDigest(digest);
    const { parameters: declared = [] } = revision ? bundleDocumentOf(revision) : {};
    const keys = declared.filter(key => !Object.hasOwn(parameters, key));
    if (keys.length > 0) lacking.push({ namespace, name, keys });
  }
  return { node, parameters, lacking };
}
