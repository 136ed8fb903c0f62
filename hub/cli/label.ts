/** `flotilla label` and `annotate`: words of a Node, said as kubectl says them. */
import { Command } from 'commander';
import { excerpt } from '../../protocol/excerpt.js';
import { CliError } from '../../protocol/cli-error.js';
import { NODES, chosenNodes } from './chosen-nodes.js';
import { matches, parseSelector } from '../selectors.js';
import type { BundleApiObject } from './bundle-write.js';
import type { ApiList } from './client.js';
import { agree, YES } from './consent.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { namedUpTo } from './counted-names.js';
import { patchNode } from './node-patch.js';
import { pathOf, resourceOf, type Resource } from './resources.js';

interface WordsOptions extends ConnectionOptions {
  selector?: string;
  all?: boolean;
  overwrite?: boolean;
  list?: boolean;
  dryRun?: string | boolean;
  yes?: boolean;
}

/** What is set, and null for what is taken away. */
export type WordSet = Readonly<Record<string, string | null>>;
type Words = Readonly<Record<string, string>>;

interface Kind {
  readonly name: 'label' | 'annotate';
  readonly field: 'labels' | 'annotations';
  /** What happened, as kubectl prints it. */
  readonly done: string;
  readonly undone: string;
  readonly summary: string;
  readonly description: string;
  readonly examples: string;
}

const LABEL: Kind = {
  name: 'label',
  field: 'labels',
  done: 'labeled',
  undone: 'unlabeled',
  summary: 'change the labels of nodes: which bundles they get',
  description:
    'Sets KEY=VALUE and takes KEY- away. Bundles whose selector matches by that come to the node, those that match no more leave it: ' +
    '--dry-run says which. Labels that the node enrolled with can be changed too; release keys that hold on labelled nodes go by those of the enrolment.',
  examples: `
Examples:
  flotilla label node edge-1 site=harbour
  flotilla label node edge-1 site=quay --overwrite --dry-run
  flotilla label node edge-1 edge-2 site-
  flotilla label node -l region=north tier=2
  flotilla label node edge-1 --list
`,
};

const ANNOTATE: Kind = {
  name: 'annotate',
  field: 'annotations',
  done: 'annotated',
  undone: 'annotated',
  summary: 'note something on nodes',
  description: 'Sets KEY=VALUE and takes KEY- away. Annotations mean nothing to Flotilla.',
  examples: `
Examples:
  flotilla annotate node edge-1 rack='third from the left'
  flotilla annotate node edge-1 rack-
`,
};

export function labelCommand(context: Context): Command {
  return wordsCommand(context, LABEL);
}

export function annotateCommand(context: Context): Command {
  return wordsCommand(context, ANNOTATE);
}

function wordsCommand(context: Context, kind: Kind): Command {
  const command = withConnection(new Command(kind.name))
    .summary(kind.summary)
    .description(kind.description)
    .argument('<words...>', 'node, names of nodes, then KEY=VALUE to set and KEY- to take away')
    .option('-l, --selector <selector>', 'nodes by label, instead of names')
    .option('--all', 'all nodes')
    .option('--overwrite', 'change what is there')
    .option('--list', 'print what is there')
    .option('--dry-run [how]', 'ask the hub what would follow, and change nothing')
    .addHelpText('after', kind.examples);
  // No pod ends by a note.
  if (kind.field === 'labels') command.option(...YES);
  return command.action((words: string[], options: WordsOptions) =>
    connected(context, options, async hub => {
      const { set, names } = readWords(words, kind.name);
      const isList = Object.keys(set).length === 0;
      if (isList && options.list !== true)
        throw new CliError('refused', `${kind.name} what? KEY=VALUE or KEY-; --list shows`);
      const { selector, all, overwrite = false, dryRun = false } = options;
      const nodes = await chosenNodes(hub, { names, selector, all });
      if (isList) {
        for (const { metadata } of nodes) {
          const { name, [kind.field]: there = {} } = metadata;
          for (const line of listLines(name, there, nodes.length > 1)) context.terminal.print(line);
        }
        return;
      }
      const changes = nodes.map(({ metadata: { name, [kind.field]: before = {} } }) => {
        return { name, before, change: changeOf(before, set, overwrite) };
      });
      const isDry = dryRun !== false;
      if (kind.field === 'labels' && !isDry)
        await mayLeave(context, { hub, changes, given: options.yes });
      for (const { name, change } of changes) {
        const patch = { metadata: { [kind.field]: change } };
        if (change !== null) await patchNode(hub, { name, isDry, patch });
        context.terminal.print(`node/${name} ${toldOf(kind, change)}${isDry ? ' (dry run)' : ''}`);
      }
    }),
  );
}

interface Change {
  readonly name: string;
  readonly before: Words;
  /** Null: none. */
  readonly change: WordSet | null;
}

/** Pods of a bundle that a node loses end there: that is asked. Throws `CliError` when nobody said yes: nothing was changed. */
async function mayLeave(
  context: Context,
  of: {
    readonly hub: Connected;
    readonly changes: readonly Change[];
    readonly given: boolean | undefined;
  },
): Promise<void> {
  if (of.changes.every(({ change }) => change === null)) return;
  const path = pathOf(resourceOf('bundles'), null);
  const { items } = await of.hub.client.call<ApiList>({ path });
  const lost = bundlesLost(of.changes, items as readonly BundleApiObject[]);
  if (lost.length > 0)
    await agree(context, `Let ${namedUpTo(lost, LOST_NAMED)}?`, { given: of.given });
}

const LOST_NAMED = 5;

/** `bundle default/web leave edge-1`, for each that does. Pure. */
export function bundlesLost(
  changes: readonly Change[],
  bundles: readonly BundleApiObject[],
): string[] {
  return changes.flatMap(({ name, before, change }) => {
    const after = Object.fromEntries(
      Object.entries({ ...before, ...change }).filter(
        (pair): pair is [string, string] => pair[1] !== null,
      ),
    );
    return bundles
      .filter(({ spec }) => {
        const selector = parseSelector(spec.nodeSelector);
        return matches(selector, before) && !matches(selector, after);
      })
      .map(({ metadata }) => `bundle ${metadata.namespace ?? ''}/${metadata.name} leave ${name}`);
  });
}

function toldOf({ name, done, undone }: Kind, change: WordSet | null): string {
  if (change === null) return `not ${name === 'label' ? done : 'changed'}`;
  return Object.values(change).every(value => value === null) ? undone : done;
}

const OF_PODS = 'those of a pod stand in its manifest: change them there and flotilla apply -f it';

/** `node NAME …`, `node/NAME …`, then KEY=VALUE and KEY-. Throws `CliError`. Pure. */
export function readWords(
  words: readonly string[],
  verb: string,
): { readonly names: readonly string[]; readonly set: WordSet } {
  const [first = ''] = words;
  const kind: Resource = resourceOf(first.split('/')[0] ?? '');
  if (kind !== NODES)
    throw new CliError('refused', `${verb}: nodes alone, not ${kind.plural}`, OF_PODS);
  const names: string[] = [];
  const set = new Map<string, string | null>();
  for (const word of first.includes('/') ? words : words.slice(1)) {
    const at = word.indexOf('=');
    const isGone = at === -1 && word.endsWith('-');
    if (at === -1 && !isGone) {
      if (set.size > 0)
        throw new CliError(
          'refused',
          `${word}: neither KEY=VALUE nor KEY-; names of nodes come first`,
        );
      names.push(word);
      continue;
    }
    const key = at === -1 ? word.slice(0, -1) : word.slice(0, at);
    if (set.has(key)) throw new CliError('refused', `${key}: twice`);
    set.set(key, at === -1 ? null : word.slice(at + 1));
  }
  return { names, set: Object.fromEntries(set) };
}

/** What of it is new; null: nothing. Throws `CliError` where something is there that is not to be overwritten. Pure. */
export function changeOf(before: Words, set: WordSet, overwrite: boolean): WordSet | null {
  const changes = Object.entries(set).filter(([key, value]) => (before[key] ?? null) !== value);
  for (const [key, value] of changes) {
    const had = before[key];
    if (had === undefined || value === null || overwrite) continue;
    throw new CliError(
      'refused',
      `'${key}' already has a value (${excerpt(had)}), and --overwrite is false`,
    );
  }
  return changes.length === 0 ? null : Object.fromEntries(changes);
}

function listLines(node: string, all: Words, isOneOfMany: boolean): string[] {
  const lines = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  return isOneOfMany ? [`node/${node}`, ...lines.map(line => `  ${line}`)] : lines;
}
