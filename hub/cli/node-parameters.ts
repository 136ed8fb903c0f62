/** `flotilla node parameters`: values of one place for the pods of bundles that ask for them; said as `kubectl label` says labels. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import {
  NODE_CONFIG_MAP,
  NODE_PARAMETERS,
  parameterKeyFault,
  parameterValueFault,
} from '../../protocol/node-parameters.js';
import type { NodeParametersView } from '../rollout/node-parameters.js';
import { harmless } from './bundle-text.js';
import { namesOfNodes } from './chosen-nodes.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';

interface ParameterOptions extends ConnectionOptions {
  selector?: string;
  overwrite?: boolean;
  fromFile?: readonly string[];
  output?: string;
}

export type ParameterSet = Readonly<Record<string, string | null>>;

const EXAMPLES = `
Examples:
  flotilla node parameters edge-1 site=harbour camera-url=rtsp://10.0.7.20/main
  flotilla node parameters edge-1 site=quay --overwrite
  flotilla node parameters edge-1 camera-url-
  flotilla node parameters -l region=north timezone=Europe/Oslo
  flotilla node parameters edge-1 --from-file lanes.json=./lanes.json
  flotilla node parameters edge-1

A pod of a bundle takes them from the ConfigMap ${NODE_CONFIG_MAP}:
  env: [{ name: SITE, valueFrom: { configMapKeyRef: { name: ${NODE_CONFIG_MAP}, key: site } } }]
`;

export function parametersCommand(context: Context): Command {
  return withConnection(new Command('parameters'))
    .summary('values of a node for its pods: site name, camera URL')
    .description(
      `Sets KEY=VALUE, takes KEY- away, and without either lists what is set. They reach the node in its signed assignment; pods of ` +
        `bundles see them as the ConfigMap ${NODE_CONFIG_MAP} of their namespace, with those keys alone that the bundle declares: those ` +
        `that its pods name in a field, or in the annotation ${NODE_PARAMETERS}. Mounted files follow a change within seconds, without a ` +
        'restart and without a new revision; variables have it at the next start. 8 KiB together per node. They can be read at the hub, ' +
        'the broker and the node: what is secret goes into a Secret.',
    )
    .argument('[words...]', 'nodes, then KEY=VALUE to set and KEY- to take away')
    .option('-l, --selector <selector>', 'nodes by label, instead of names')
    .option('--overwrite', 'change a value that is there')
    .option(
      '--from-file <KEY=PATH>',
      'the value is what the file holds; may be given again',
      (value: string, former: string[] | undefined) => [...(former ?? []), value],
    )
    .option('-o, --output <format>', 'json')
    .addHelpText('after', EXAMPLES)
    .action((words: string[], options: ParameterOptions) =>
      connected(context, options, hub => parameters(context, hub, { words, options })),
    );
}

export function parametersPath(node: string): string {
  return `/apis/flotilla.dev/v1/nodes/${encodeURIComponent(node)}/parameters`;
}

async function parameters(
  { terminal }: Context,
  hub: Connected,
  { words, options }: { readonly words: readonly string[]; readonly options: ParameterOptions },
): Promise<void> {
  const { output, overwrite = false } = options;
  if (output !== undefined && output !== 'json')
    throw new CliError('refused', `-o ${output}: only json`);
  const read = readWords(words);
  const set = withFiles(read.set, await fileValues(options.fromFile ?? []));
  const nodes = await namesOfNodes(hub, { names: read.nodes, selector: options.selector });
  const isList = Object.keys(set).length === 0;
  if (isList && overwrite) throw new CliError('refused', '--overwrite: of what? KEY=VALUE');
  const views: NodeParametersView[] = [];
  for (const node of nodes) {
    const path = parametersPath(node);
    if (isList) {
      const view = await hub.client.call<NodeParametersView>({ path });
      views.push(view);
      if (output === undefined)
        for (const line of listLines(view, nodes.length > 1)) terminal.print(line);
      continue;
    }
    const body = { set, overwrite };
    const view = await hub.client.call<NodeParametersView & { changed: boolean }>({
      ...{ method: 'POST', path, body },
    });
    views.push(view);
    if (output === undefined)
      terminal.print(`node/${node} parameters ${view.changed ? 'changed' : 'unchanged'}`);
  }
  if (output === 'json') {
    const [first] = views;
    terminal.print(JSON.stringify(views.length === 1 ? first : { items: views }, null, 2));
  }
  if (isList || output === 'json') return;
  for (const line of views.flatMap(lackingLines)) terminal.warn(line);
}

/** Names of nodes, then what to set. Throws `CliError`. Pure. */
export function readWords(words: readonly string[]): {
  readonly nodes: readonly string[];
  readonly set: ParameterSet;
} {
  const isWish = (word: string) => word.includes('=') || word.endsWith('-');
  const from = words.findIndex(isWish);
  const nodes = (from === -1 ? words : words.slice(0, from)).map(w => w.replace(/^node\//, ''));
  const set = new Map<string, string | null>();
  for (const word of from === -1 ? [] : words.slice(from)) {
    if (!isWish(word)) {
      throw new CliError(
        'refused',
        `${word}: neither KEY=VALUE nor KEY-; names of nodes come first`,
      );
    }
    const at = word.indexOf('=');
    const key = at === -1 ? word.slice(0, -1) : word.slice(0, at);
    if (set.has(key)) throw new CliError('refused', `${key}: twice`);
    set.set(key, at === -1 ? null : word.slice(at + 1));
  }
  return { nodes, set: checked(set) };
}

function checked(set: ReadonlyMap<string, string | null>): ParameterSet {
  for (const [key, value] of set) {
    const keyFault = parameterKeyFault(key);
    if (keyFault !== null) throw new CliError('refused', `parameter "${key}": ${keyFault}`);
    const fault = value === null ? null : parameterValueFault(value);
    if (fault !== null) throw new CliError('refused', `parameter "${key}": its value ${fault}`);
  }
  return Object.fromEntries(set);
}

function withFiles(set: ParameterSet, files: ReadonlyMap<string, string>): ParameterSet {
  for (const key of files.keys()) {
    if (Object.hasOwn(set, key)) throw new CliError('refused', `${key}: twice`);
  }
  return { ...set, ...checked(files) };
}

async function fileValues(given: readonly string[]): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for (const word of given) {
    const at = word.indexOf('=');
    if (at < 1) throw new CliError('refused', `--from-file ${word}: KEY=PATH`);
    const [key, path] = [word.slice(0, at), word.slice(at + 1)];
    if (values.has(key)) throw new CliError('refused', `${key}: twice`);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new CliError('refused', `--from-file ${word}: ${(error as Error).message}`);
    });
    try {
      values.set(key, new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      throw new CliError('refused', `--from-file ${word}: the file is no UTF-8 text`);
    }
  }
  return values;
}

/** One line each, whatever is in it. Pure. */
export function parameterText(value: string): string {
  return harmless(/[\t\r\n]/.test(value) ? JSON.stringify(value) : value);
}

function listLines({ node, parameters: all }: NodeParametersView, isOneOfMany: boolean): string[] {
  const lines = Object.entries(all).map(([key, value]) => `${key}=${parameterText(value)}`);
  if (lines.length === 0) return [`node/${node} has no parameters`];
  return isOneOfMany ? [`node/${node}`, ...lines.map(line => `  ${line}`)] : lines;
}

/** Pure. */
export function lackingLines({ node, lacking }: NodeParametersView): string[] {
  return lacking.map(
    ({ namespace, name, keys }) =>
      `Warning: node/${node}: bundle ${namespace}/${name} asks for ${keys.join(', ')}, without a value here`,
  );
}
