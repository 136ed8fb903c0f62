/** Which nodes a command means: by name, by label, or all. */
import { CliError } from '../../protocol/cli-error.js';
import type { ApiList, ApiObject } from './client.js';
import type { Connected } from './context.js';
import { pathOf, resourceOf } from './resources.js';

export const NODES = resourceOf('nodes');

export interface ChosenNodes {
  /** NAME or node/NAME. */
  readonly names: readonly string[];
  readonly selector?: string | undefined;
  readonly all?: boolean | undefined;
}

/** Throws `CliError` where none is meant, or a selector finds none. A name that is given is not looked up. */
export async function namesOfNodes(hub: Connected, chosen: ChosenNodes): Promise<string[]> {
  const names = namesIn(chosen);
  return names ?? (await listed(hub, chosen)).map(({ metadata }) => metadata.name);
}

/** The same as they are at the hub. */
export async function chosenNodes(hub: Connected, chosen: ChosenNodes): Promise<ApiObject[]> {
  const names = namesIn(chosen);
  if (names === null) return listed(hub, chosen);
  return Promise.all(
    names.map(name => hub.client.call<ApiObject>({ path: pathOf(NODES, null, name) })),
  );
}

/** Null: by label, or all. */
function namesIn({ names, selector, all = false }: ChosenNodes): string[] | null {
  if ([names.length > 0, selector !== undefined, all].filter(Boolean).length > 1)
    throw new CliError('refused', 'names of nodes, -l or --all: one of them');
  if (selector !== undefined || all) return null;
  if (names.length === 0) throw new CliError('refused', 'which node? NAME, or -l SELECTOR');
  return [...new Set(names.map(withoutKind))];
}

function withoutKind(word: string): string {
  const [kind = '', name, more] = word.split('/');
  if (name === undefined) return word;
  if (name !== '' && more === undefined && resourceOf(kind) === NODES) return name;
  throw new CliError('refused', `"${word}" is not a node: give its name, or node/NAME`);
}

async function listed({ client }: Connected, { selector }: ChosenNodes): Promise<ApiObject[]> {
  const query = selector === undefined ? {} : { labelSelector: selector };
  const { items } = await client.call<ApiList>({ path: pathOf(NODES, null), query });
  if (items.length > 0) return items;
  const none = 'no node has joined yet';
  throw new CliError(
    'refused',
    selector === undefined ? none : `-l ${selector}: no node has these labels`,
  );
}
