/** `flotilla apply` and `flotilla diff`: a folder of manifests becomes the next revision of a bundle. */
import { Command } from 'commander';
import { parseSelector, SelectorError } from '../selectors.js';
import type { BundleObjectStatus, BundleSpec } from '../objects.js';
import { changesBetween, renderDiff } from './bundle-diff.js';
import { secretDifferences, secretsToSeal } from './apply-secrets.js';
import { podSecurityWarnings } from './bundle-warnings.js';
import {
  defaultBundleName,
  documentsOf,
  manifestsOf,
  readSources,
  type BundleInput,
} from './bundle-input.js';
import type { ApiObject } from './client.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { pathOf, resourceOf } from './resources.js';
import { waitForRollout } from './rollout-wait.js';

interface InputOptions extends ConnectionOptions {
  filename: string[];
  recursive?: boolean;
  bundle?: string;
}

interface ApplyOptions extends InputOptions {
  nodes?: string;
  allNodes?: boolean;
  dryRun?: string | boolean;
  prune?: boolean;
  wait?: boolean;
  timeout?: string;
  secretsKey?: string;
  passphraseFile?: string;
  acceptNewKeys?: boolean;
}

export type BundleApiObject = ApiObject & { spec: BundleSpec; status?: BundleObjectStatus };

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

function inputOptions(command: Command): Command {
  return withConnection(command)
    .requiredOption(
      '-f, --filename <path>',
      'file, folder or - for stdin; may be given again',
      collect,
    )
    .option('-R, --recursive', 'read folders below the folder too')
    .option('--bundle <name>', "name of the bundle (default: the folder's or file's)");
}

export function applyCommand(context: Context): Command {
  return inputOptions(new Command('apply'))
    .summary('make manifests the next revision of a bundle and roll it out')
    .description(
      'Makes the Pods that -f names, and the ConfigMaps that they use, the whole content of a bundle. Each change is a ' +
        'new signed revision; applying the same again changes nothing. What is missing from the input leaves the nodes. ' +
        'Secrets among the input are sealed here for each node; the hub gets what it cannot read.',
    )
    .option(
      '--nodes <selector>',
      'nodes that run it, by label (site=harbour,arch in (arm64,amd64))',
    )
    .option('--all-nodes', 'every node runs it, those that join later too')
    .option('--dry-run [mode]', 'client: check here; server: let the hub check; write nothing')
    .option('--prune', 'let what is missing from the input leave the nodes, without asking')
    .option(
      '--secrets-key <file>',
      "key that signs secrets, where the fleet's root keeps it off the hub",
    )
    .option('--passphrase-file <file>', 'passphrase of that key, where nobody can type it')
    .option('--accept-new-keys', 'other sealing keys of nodes than before are right')
    .option('--wait', 'wait until every node is healthy')
    .option('--timeout <duration>', 'with --wait: how long', '5m')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla apply -f ./web --all-nodes\n  flotilla apply -f pod.yaml --bundle web --nodes site=harbour --wait\n' +
        '  cat *.yaml | flotilla apply -f - --bundle web --prune',
    )
    .action((options: ApplyOptions) =>
      connected(context, options, hub => apply(context, hub, options)),
    );
}

export function diffCommand(context: Context): Command {
  return inputOptions(new Command('diff'))
    .summary('show what apply would change')
    .description(
      'Prints what differs between a bundle at the hub and the input. Exit code: 0 same, 1 differs.',
    )
    .action((options: InputOptions) =>
      connected(context, options, async hub => {
        const { name, manifests, ...input } = await readInput(context, hub, options);
        const current = await currentBundle(hub, name);
        const { namespace } = hub;
        const secrets = await secretDifferences(hub, { namespace, bundle: name, input });
        const text = renderDiff(current?.spec.manifests ?? [], manifests) + secrets.join('');
        if (text === '') return;
        context.terminal.write(text);
        context.exit(1);
      }).catch((error: unknown) => {
        // 1 says "differs": whatever goes wrong must be more.
        if (error instanceof CliError && error.exit === 'failed') {
          throw new CliError('refused', error.message, error.hint);
        }
        throw error;
      }),
    );
}

async function readInput(
  context: Context,
  hub: Connected,
  options: InputOptions,
): Promise<BundleInput & { name: string }> {
  const name = options.bundle ?? defaultBundleName(options.filename);
  if (name === null) {
    throw new CliError(
      'refused',
      'what is the bundle called? pass --bundle NAME',
      'the name is taken from -f only when that is one folder or file',
    );
  }
  const sources = await readSources(options.filename, {
    stdin: context.terminal.stdin,
    recursive: options.recursive === true,
  });
  return { name, ...manifestsOf(documentsOf(sources), hub.namespace) };
}

function bundlePath(hub: Connected, name?: string): string {
  return pathOf(resourceOf('bundles'), hub.namespace, name);
}

function currentBundle(hub: Connected, name: string): Promise<BundleApiObject | null> {
  return hub.client.get<BundleApiObject>(bundlePath(hub, name));
}

/** The bundle's selector after this apply; throws when a new bundle has none. */
export function selectorAfter(
  options: { nodes?: string; allNodes?: boolean },
  current: string | null,
): string {
  if (options.nodes !== undefined && options.allNodes) {
    throw new CliError('refused', 'either --nodes or --all-nodes');
  }
  if (options.allNodes) return '';
  const selector = options.nodes ?? current;
  if (selector === null) {
    throw new CliError(
      'refused',
      'which nodes run this new bundle? pass --nodes SELECTOR or --all-nodes',
    );
  }
  try {
    if (options.nodes !== undefined && parseSelector(selector).length === 0) {
      throw new CliError('refused', '--nodes "" selects nothing in particular; say --all-nodes');
    }
  } catch (error) {
    if (error instanceof SelectorError) throw new CliError('refused', `--nodes: ${error.message}`);
    throw error;
  }
  return selector;
}

function dryRunMode(option: string | boolean | undefined): 'none' | 'client' | 'server' {
  if (option === undefined || option === 'none') return 'none';
  if (option === true || option === 'client') return 'client';
  if (option === 'server') return 'server';
  throw new CliError('refused', `--dry-run takes none, client or server, not "${String(option)}"`);
}

function counted(removed: readonly string[]): string {
  const pods = removed.filter(name => name.startsWith('pod/')).length;
  const others = removed.length - pods;
  const parts = [pods > 0 ? `${pods} pod(s)` : '', others > 0 ? `${others} ConfigMap(s)` : ''];
  return parts.filter(part => part !== '').join(' and ');
}

async function mayRemove(
  context: Context,
  removed: readonly string[],
  prune: boolean,
): Promise<void> {
  for (const name of removed)
    context.terminal.print(`${name} is not in the input and leaves the nodes`);
  if (removed.length === 0 || prune) return;
  const answer = await context.terminal.ask('Remove from the nodes? [y/N] ');
  if (answer === null) {
    throw new CliError(
      'refused',
      `${counted(removed)} would leave the nodes; nothing was changed`,
      'pass --prune to let them go, or add their manifests to the input',
    );
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('refused', 'nothing was changed');
}

async function apply(context: Context, hub: Connected, options: ApplyOptions): Promise<void> {
  const { name, manifests, pods, secrets } = await readInput(context, hub, options);
  for (const warning of podSecurityWarnings(pods)) context.terminal.warn(warning);
  const mode = dryRunMode(options.dryRun);
  const current = await currentBundle(hub, name);
  const selector = selectorAfter(options, current?.spec.nodeSelector ?? null);
  const changes = changesBetween(current?.spec.manifests ?? [], manifests);
  if (mode === 'none') await mayRemove(context, changes.removed, options.prune === true);
  else for (const one of changes.removed) context.terminal.print(`${one} would leave the nodes`);
  const toSeal = await secretsToSeal(context, hub, {
    ...{ namespace: hub.namespace, bundle: name, nodeSelector: selector },
    input: { secrets, pods },
  });
  if (mode === 'client') {
    toSeal.tell('dry run');
    const changed =
      current !== null &&
      changes.added.length + changes.changed.length + changes.removed.length > 0;
    const same = current?.spec.nodeSelector === selector && !changed;
    context.terminal.print(
      `bundle/${name} ${current === null ? 'created' : same ? 'unchanged' : 'configured'} (dry run)`,
    );
    return;
  }
  const spec = { nodeSelector: selector, manifests };
  if (mode === 'server') toSeal.tell('server dry run');
  else {
    // Whatever the hub would refuse is refused before anything is sealed.
    if (toSeal.changes) await write(hub, { name, current, spec, dryRun: true });
    await toSeal.carryOut({ ...options, key: options.secretsKey });
  }
  const after = await write(hub, { name, current, spec, dryRun: mode === 'server' });
  context.terminal.print(outcomeLine(current, after, mode === 'server'));
  if (options.wait && mode === 'none') {
    await waitForRollout(context, hub, { name, timeout: options.timeout ?? '5m', output: 'text' });
  }
}

function write(
  hub: Connected,
  bundle: { name: string; current: BundleApiObject | null; spec: BundleSpec; dryRun: boolean },
): Promise<BundleApiObject> {
  const { name, current, spec } = bundle;
  const metadata = {
    ...(current?.metadata.labels ? { labels: current.metadata.labels } : {}),
    ...(current?.metadata.annotations ? { annotations: current.metadata.annotations } : {}),
    name,
    namespace: hub.namespace,
    ...(current ? { resourceVersion: current.metadata.resourceVersion } : {}),
  };
  return hub.client.call<BundleApiObject>({
    method: current ? 'PUT' : 'POST',
    path: bundlePath(hub, current ? name : undefined),
    query: { dryRun: bundle.dryRun ? 'All' : undefined },
    body: { apiVersion: 'flotilla.dev/v1', kind: 'Bundle', metadata, spec },
  });
}

function outcomeLine(
  before: BundleApiObject | null,
  after: BundleApiObject,
  dryRun: boolean,
): string {
  const same = before !== null && before.metadata.generation === after.metadata.generation;
  const verb = before === null ? 'created' : same ? 'unchanged' : 'configured';
  const revision = after.status?.revision ?? 0;
  const note = dryRun ? ', server dry run' : '';
  return `bundle/${after.metadata.name} ${verb} (revision ${revision}${note})`;
}
