/** `flotilla get`: lists and watches, in kubectl's output forms. */
import { Command } from 'commander';
import { stringify } from 'yaml';
import {
  ApiError,
  HubUnreachable,
  type ApiList,
  type ApiObject,
  type Call,
  type Table,
} from './client.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { named } from './near-names.js';
import { kindsOf, pathOf, targetsOf, type Resource } from './resources.js';
import { layOut } from '../../protocol/columns.js';
import type { UnsealedSecret } from '../ports.js';
import { printReadable } from './readable-secrets.js';
import { unsealedHint, unsealedLine, unsealedRows, unsealedSecrets } from './unsealed-secrets.js';
import { rowsOf, type TableOptions } from './table.js';

interface GetOptions extends ConnectionOptions {
  allNamespaces?: boolean;
  output?: string;
  selector?: string;
  fieldSelector?: string;
  watch?: boolean;
  showLabels?: boolean;
  headers: boolean;
  node?: string;
}

/** Between two tries to go on with a watch. */
const WATCH_AGAIN_MS = 1000;

const FORMATS = ['wide', 'json', 'yaml', 'name'];

export function getCommand(context: Context): Command {
  return withConnection(new Command('get'))
    .summary('list nodes, pods, bundles, rollouts, secrets, events or tokens')
    .argument(
      '<kind...>',
      'nodes | pods | bundles | rollouts | secrets | events | tokens, then names; KIND/NAME; several: pods,nodes; all = pods,bundles',
    )
    .option('-A, --all-namespaces', 'all namespaces')
    .option('-o, --output <format>', FORMATS.join(' | '))
    .option('-l, --selector <labels>', 'label selector: a=b, a!=b, a in (x,y), a, !a')
    .option('--field-selector <fields>', 'field selector: spec.nodeName=edge-1')
    .option('-w, --watch', 'list, then print each change')
    .option('--show-labels', 'a column with the labels')
    .option('--no-headers', 'no line of column names')
    .option(
      '--node <name>',
      'secrets: those that this node can open; to be replaced when it is lost',
    )
    .action((words: string[], options: GetOptions) =>
      connected(context, options, hub => get(context, hub, { words, options })),
    );
}

interface Request {
  readonly words: readonly string[];
  readonly options: GetOptions;
}

async function get(context: Context, hub: Connected, { words, options }: Request): Promise<void> {
  if (options.output !== undefined && !FORMATS.includes(options.output)) {
    throw new CliError('refused', `-o ${options.output}: not one of ${FORMATS.join(', ')}`);
  }
  const kinds = kindsOf(words[0] ?? '');
  if (kinds !== null) return getKinds(context, hub, { kinds, words, options });
  const { resource, names } = targetsOf(words);
  if (options.node !== undefined) {
    if (resource.kind !== 'Secret' || names.length > 0) {
      throw new CliError('refused', '--node goes with "get secrets"');
    }
    return printReadable(context, hub, { node: options.node, ...options });
  }
  const namespace = options.allNamespaces ? null : hub.namespace;
  if (names.length > 0 && options.allNamespaces && resource.namespaced) {
    throw new CliError('refused', 'a name needs one namespace: leave -A out');
  }
  const query = { labelSelector: options.selector, fieldSelector: options.fieldSelector };
  if (names.length > 0 && (options.selector ?? options.fieldSelector) !== undefined) {
    throw new CliError('refused', 'names or a selector, not both');
  }
  const call: Call = { path: pathOf(resource, namespace), query };
  const isWhole = names.length === 0 && !options.selector && !options.fieldSelector;
  const unsealed =
    resource.kind === 'Secret' && isWhole && options.watch !== true
      ? await unsealedSecrets(hub, namespace)
      : [];
  if (options.watch) {
    await watch(context, hub, { call: narrowed(call, names), resource, options });
  } else if (options.output === undefined || options.output === 'wide') {
    await printTables(context, hub, { call, names, resource, options, unsealed });
  } else {
    await printObjects(context, hub, { call, names, resource, options, unsealed });
  }
  for (const one of unsealed) {
    context.terminal.warn(`${unsealedLine(one)}\n  ${unsealedHint(one, hub.namespace)}`);
  }
}

/** Several kinds: a table each, their names with the kind in front; or one list. */
async function getKinds(
  context: Context,
  hub: Connected,
  { kinds, words, options }: Request & { readonly kinds: readonly Resource[] },
): Promise<void> {
  if (words.length > 1 || options.watch || options.node !== undefined) {
    throw new CliError(
      'refused',
      `"${words[0] ?? ''}": names, --watch and --node go with one kind`,
    );
  }
  const query = { labelSelector: options.selector, fieldSelector: options.fieldSelector };
  const namespace = options.allNamespaces ? null : hub.namespace;
  const calls = kinds.map(resource => ({ resource, path: pathOf(resource, namespace), query }));
  if (options.output !== undefined && options.output !== 'wide') {
    const lists = calls.map(async ({ resource, ...call }) => {
      const { items } = await hub.client.call<ApiList>(call);
      return items.map(item => ({ item, resource }));
    });
    const found = (await Promise.all(lists)).flat();
    const items = found.map(({ item }) => item);
    const list = { apiVersion: 'v1', kind: 'List', metadata: {}, items };
    if (options.output === 'json') context.terminal.print(JSON.stringify(list, null, 4));
    else if (options.output === 'yaml') context.terminal.write(stringify(list));
    else for (const { item, resource } of found) context.terminal.print(longName(resource, item));
    return;
  }
  const tables = await Promise.all(
    calls.map(async ({ resource, ...call }) => {
      const table = await hub.client.call<Table>({ ...call, table: true });
      return { resource, table };
    }),
  );
  const filled = tables.filter(({ table }) => table.rows.length > 0);
  if (filled.length === 0) {
    const where = options.allNamespaces ? '' : ` in ${hub.namespace} namespace`;
    context.terminal.warn(`No resources found${where}.`);
  }
  for (const [index, { resource, table }] of filled.entries()) {
    if (index > 0) context.terminal.print('');
    const kind = longName(resource, null);
    const rows = rowsOf(table, { ...tableOptions(options, resource), kind });
    for (const line of layOut(rows)) context.terminal.print(line);
  }
}

/** `pod/web-edge-1`, `bundle.flotilla.dev/web`, as kubectl says it. */
function longName({ singular, group }: Resource, item: ApiObject | null): string {
  const [, , name] = group.split('/');
  const kind = group.startsWith('/apis/') ? `${singular}.${name ?? ''}` : singular;
  return `${kind}/${item?.metadata.name ?? ''}`;
}

interface Listing {
  readonly call: Call;
  readonly names: readonly string[];
  readonly resource: Resource;
  readonly options: GetOptions;
  /** Of Secrets: wanted, and not among them. */
  readonly unsealed: readonly UnsealedSecret[];
}

function narrowed(call: Call, names: readonly string[]): Call {
  if (names.length === 0) return call;
  if (names.length > 1) throw new CliError('refused', 'a watch takes one name');
  return { ...call, query: { ...call.query, fieldSelector: `metadata.name=${names[0] ?? ''}` } };
}

function tableOptions(options: GetOptions, resource: Resource): TableOptions {
  return {
    wide: options.output === 'wide',
    namespaces: options.allNamespaces === true && resource.namespaced,
    showLabels: options.showLabels === true,
    headers: options.headers,
  };
}

async function printTables(context: Context, hub: Connected, listing: Listing): Promise<void> {
  const { call, names, resource, options, unsealed } = listing;
  const tables =
    names.length === 0
      ? [await hub.client.call<Table>({ ...call, table: true })]
      : await Promise.all(
          names.map(name => {
            const path = `${call.path}/${encodeURIComponent(name)}`;
            const ask = () => hub.client.call<Table>({ path, table: true });
            return named(hub, { resource, name }, ask);
          }),
        );
  const [first] = tables;
  if (!first) return;
  const rows = [...tables.flatMap(table => table.rows), ...unsealedRows(unsealed)];
  if (rows.length === 0) {
    const where =
      resource.namespaced && !options.allNamespaces ? ` in ${hub.namespace} namespace` : '';
    context.terminal.warn(`No resources found${where}.`);
    return;
  }
  for (const line of layOut(rowsOf({ ...first, rows }, tableOptions(options, resource)))) {
    context.terminal.print(line);
  }
}

async function printObjects(context: Context, hub: Connected, listing: Listing): Promise<void> {
  const { call, names, resource, options } = listing;
  const found: ApiObject | ApiList =
    names.length === 0 ? await hub.client.call<ApiList>(call) : await byName(hub, listing);
  if (options.output === 'json') context.terminal.print(JSON.stringify(found, null, 4));
  else if (options.output === 'yaml') context.terminal.write(stringify(found));
  else {
    const items = 'items' in found ? found.items : [found];
    for (const item of items) context.terminal.print(longName(resource, item));
  }
}

async function byName(
  hub: Connected,
  { call, names, resource }: Listing,
): Promise<ApiObject | ApiList> {
  const items = await Promise.all(
    names.map(name =>
      named(hub, { resource, name }, () =>
        hub.client.call<ApiObject>({ path: `${call.path}/${encodeURIComponent(name)}` }),
      ),
    ),
  );
  const [only] = items;
  if (items.length === 1 && only) return only;
  return { apiVersion: 'v1', kind: 'List', metadata: {}, items };
}

interface Watching {
  readonly call: Call;
  readonly resource: Resource;
  readonly options: GetOptions;
}

/**
 * List, then changes from there, over losses of the hub; one that forgot that far is asked for
 * the list again, of which only what is new is shown. Ends with the signal.
 */
async function watch(
  context: Context,
  hub: Connected,
  { call, resource, options }: Watching,
): Promise<void> {
  const table = options.output === undefined || options.output === 'wide';
  const widths: number[] = [];
  let headers = options.headers;
  let columns: Table['columnDefinitions'] = [];
  const show = (found: Table) => {
    if ((found.columnDefinitions ?? []).length > 0) columns = found.columnDefinitions;
    const whole = { ...found, columnDefinitions: columns };
    const rows = rowsOf(whole, { ...tableOptions(options, resource), headers });
    headers = false;
    for (const line of layOut(rows, widths)) context.terminal.print(line);
  };
  let seen: string | undefined;
  const list = async () => {
    const found = await hub.client.call<Table & ApiList>({ ...call, table });
    const isNew = ({ metadata }: ApiObject) => isLater(metadata.resourceVersion, seen);
    if (table) show({ ...found, rows: found.rows.filter(({ object }) => isNew(object)) });
    else
      for (const item of found.items.filter(isNew)) printOne(context, item, { resource, options });
    seen = found.metadata.resourceVersion;
  };
  await list();
  await overLosses(context, async () => {
    const query = { ...call.query, resourceVersion: seen, allowWatchBookmarks: 'true' };
    const { signal } = context;
    try {
      for await (const event of hub.client.watch({ ...call, table, query, signal })) {
        const { metadata } = event.object as Table | ApiObject;
        seen = metadata.resourceVersion ?? seen;
        if (event.type === 'BOOKMARK') continue;
        if (table) show(event.object as Table);
        else printOne(context, event.object as ApiObject, { resource, options });
      }
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'Expired') throw error;
      await list();
    }
  });
}

/** The hub's resourceVersions are numbers that only grow, over all kinds and restarts. */
function isLater(version: string | undefined, seen: string | undefined): boolean {
  return seen === undefined || Number(version) > Number(seen);
}

/** Again and again until the signal aborts; a loss of the hub is said once, until it is back. */
async function overLosses(context: Context, follow: () => Promise<void>): Promise<void> {
  const { terminal, clock, signal } = context;
  let isLost = false;
  while (!signal.aborted) {
    try {
      await follow();
      isLost = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof HubUnreachable)) throw error;
      if (!isLost) terminal.warn(`${error.message}; trying again`);
      isLost = true;
    }
    await clock.sleep(WATCH_AGAIN_MS, signal);
  }
}

function printOne(
  context: Context,
  item: ApiObject,
  { resource, options }: { resource: Resource; options: GetOptions },
): void {
  if (options.output === 'json') context.terminal.print(JSON.stringify(item, null, 4));
  else if (options.output === 'yaml') context.terminal.write(`---\n${stringify(item)}`);
  else context.terminal.print(`${resource.singular}/${item.metadata.name}`);
}
