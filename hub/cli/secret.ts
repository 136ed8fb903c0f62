/** `flotilla secret`: values are sealed on this machine for the nodes of a bundle. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { ValidConfigObject } from '../../protocol/config-object.js';
import type { SecretSpec, SecretStatus } from '../objects.js';
import { parseSelector, SelectorError } from '../selectors.js';
import { documentsOf, readSources, secretsOf } from './bundle-input.js';
import type { ApiList, ApiObject } from './client.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { trustKeys } from './known-nodes.js';
import { pathOf, resourceOf } from './resources.js';
import { carryOut, planLine, planSeal, sealingOf, type SealOptions } from './seal-secrets.js';
import { removeCommand, replacedCommand } from './secret-removal.js';
import { namedUpTo } from './counted-names.js';
import { secretsSigner } from './secrets-signer.js';
import { unsealedHint, unsealedLine, unsealedSecrets } from './unsealed-secrets.js';

interface SealFlags extends ConnectionOptions {
  filename?: string[];
  bundle?: string;
  nodes?: string;
  missing?: boolean;
  key?: string;
  passphraseFile?: string;
  dryRun?: boolean;
  acceptNewKeys?: boolean;
}

type ServedSecret = ApiObject & { spec: SecretSpec; status: SecretStatus };

const NODES_NAMED = 100;

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

async function servedSecrets(hub: Connected): Promise<ServedSecret[]> {
  const list = await hub.client.call<ApiList>({
    path: pathOf(resourceOf('secrets'), hub.namespace),
  });
  return list.items as ServedSecret[];
}

async function readSecrets(
  context: Context,
  hub: Connected,
  paths: readonly string[],
): Promise<ValidConfigObject[]> {
  const { stdin } = context.terminal;
  const sources = await readSources(paths, { stdin, recursive: false });
  const { secrets, others } = secretsOf(documentsOf(sources), hub.namespace);
  if (secrets.length === 0) throw new CliError('refused', 'no Secret in the input');
  if (others > 0) {
    throw new CliError(
      'refused',
      'the input holds more than Secrets',
      'flotilla apply takes Secrets together with the Pods that use them',
    );
  }
  return secrets;
}

/**
 * Without values nothing can be sealed: says what is lacking where, and ends with 2 when anything is. Asks for what is sealed now: the
 * counts of `get secrets` follow a moment later.
 */
async function tellMissing(context: Context, hub: Connected, bundle?: string): Promise<void> {
  const { namespace } = hub;
  const bundles = new Set((await servedSecrets(hub)).map(({ spec }) => spec.bundle));
  const lines: string[] = [];
  for (const name of bundle === undefined ? bundles : [bundle]) {
    const sealing = await sealingOf(hub, { namespace, bundle: name, nodeSelector: null });
    for (const { secret, version } of sealing.secrets) {
      const lacking = sealing.nodes.filter(({ has }) => has[secret] !== version);
      if (lacking.length === 0) continue;
      const names = lacking.map(({ node }) => node);
      const nodes = namedUpTo(names, NODES_NAMED);
      lines.push(`secret/${secret} of bundle/${name}, version ${version}: not sealed for ${nodes}`);
    }
  }
  const unsealed = (await unsealedSecrets(hub, namespace)).filter(
    one => bundle === undefined || one.bundle === bundle,
  );
  if (lines.length + unsealed.length === 0) return context.terminal.print('nothing is missing');
  for (const line of [...lines, ...unsealed.map(unsealedLine)]) context.terminal.print(line);
  const hints = unsealed.map(one => unsealedHint(one, namespace));
  if (lines.length > 0) hints.unshift(`flotilla secret seal --missing -f FILE -n ${namespace}`);
  throw new CliError(
    'refused',
    'the values are nowhere but in your hands: nothing was sealed',
    hints.join('\n'),
  );
}

/** The bundles that one Secret of the input is for. */
async function bundlesFor(
  hub: Connected,
  secret: ValidConfigObject,
  flags: SealFlags,
): Promise<string[]> {
  if (flags.bundle !== undefined) return [flags.bundle];
  if (flags.missing !== true) {
    throw new CliError('refused', 'whose secret is it? pass --bundle NAME');
  }
  const found = (await servedSecrets(hub)).filter(({ spec }) => spec.secret === secret.name);
  if (found.length > 0) return found.map(({ spec }) => spec.bundle);
  throw new CliError(
    'refused',
    `secret "${secret.name}" was never sealed in namespace "${hub.namespace}"`,
    `seal it: flotilla secret seal -f FILE --bundle NAME -n ${hub.namespace}`,
  );
}

async function onlyNodes(hub: Connected, of: SealOptions, selector?: string) {
  if (selector === undefined) return undefined;
  try {
    parseSelector(selector);
  } catch (error) {
    if (error instanceof SelectorError) throw new CliError('refused', `--nodes: ${error.message}`);
    throw error;
  }
  const { nodes } = await sealingOf(hub, { ...of, nodeSelector: selector });
  return new Set(nodes.map(({ node }) => node));
}

async function sealInput(context: Context, hub: Connected, flags: SealFlags): Promise<void> {
  if (flags.filename === undefined) {
    if (flags.missing === true) return tellMissing(context, hub, flags.bundle);
    throw new CliError('refused', 'where are the values? pass -f FILE (- for stdin)');
  }
  const secrets = await readSecrets(context, hub, flags.filename);
  for (const secret of secrets) {
    for (const bundle of await bundlesFor(hub, secret, flags)) {
      const of = { namespace: hub.namespace, bundle, nodeSelector: null };
      const only = await onlyNodes(hub, of, flags.nodes);
      const options = {
        ...of,
        missing: flags.missing === true,
        ...(only === undefined ? {} : { only }),
      };
      const sealing = await sealingOf(hub, options);
      const plan = planSeal(hub, secret, { sealing, options });
      if (flags.dryRun !== true) {
        await trustKeys(context, { fleet: sealing.fleet, nodes: plan.nodes }, flags);
        const signer = await secretsSigner(context, sealing, flags);
        await carryOut(hub, plan, { secret, signer, fleet: sealing.fleet });
      }
      context.terminal.print(planLine(plan, flags.dryRun === true ? 'dry run' : null));
    }
  }
}

function sealCommand(context: Context): Command {
  return withConnection(new Command('seal'))
    .summary('seal Secrets for the nodes of a bundle')
    .description(
      'Encrypts the values on this machine for each node of the bundle (age, X25519) and brings the hub what it cannot read. ' +
        'The same values again change nothing but what nodes lack; other values are a new version for every node.',
    )
    .option(
      '-f, --filename <path>',
      'file with Secrets, or - for stdin; may be given again',
      collect,
    )
    .option('--bundle <name>', 'bundle whose pods use them')
    .option('--nodes <selector>', 'only those nodes of the bundle')
    .option('--missing', 'for nodes that lack the newest version alone; without -f: say which')
    .option('--key <file>', "key that signs secrets, where the fleet's root keeps it off the hub")
    .option('--passphrase-file <file>', 'passphrase of that key, where nobody can type it')
    .option(
      '--accept-new-keys',
      'other sealing keys than those that were sealed for before are right',
    )
    .option('--dry-run', 'say what would be sealed for whom')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla secret seal -f db.yaml --bundle web\n  flotilla secret seal --missing -f db.yaml\n' +
        '  flotilla secret seal --missing',
    )
    .action((flags: SealFlags) => connected(context, flags, hub => sealInput(context, hub, flags)));
}

export function secretCommand(context: Context): Command {
  return new Command('secret')
    .summary('seal Secrets for nodes')
    .addCommand(sealCommand(context))
    .addCommand(removeCommand(context))
    .addCommand(replacedCommand(context));
}
