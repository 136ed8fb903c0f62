/** `flotilla delete`: bundles, secrets, nodes, tokens. Says what goes with them before it asks. */
import { counted } from '../../protocol/counted.js';
import { Command } from 'commander';
import { isMember } from '../enrolment/standing-conditions.js';
import type { BundleObject, NodeObject, SecretSpec } from '../objects.js';
import { daemonSetsIn, defaultBundleName, documentsOf, readSources } from './bundle-input.js';
import type { ApiObject } from './client.js';
import { isBundlePath } from './bundle-path.js';
import { agree, YES } from './consent.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { named } from './near-names.js';
import { pathOf, resourceOf, targetsOf, type Resource } from './resources.js';
import { warnOfUse } from './secret-use.js';

interface DeleteOptions extends ConnectionOptions {
  filename?: string[];
  yes?: boolean;
  dryRun?: string | boolean;
}

/** What goes with an object of a kind. Kinds that are not here cannot be deleted. */
const CONSEQUENCES: Readonly<Record<string, (object: ApiObject) => string>> = {
  Bundle: object => {
    const { desired = 0 } = (object as Partial<BundleObject>).status?.nodes ?? {};
    return desired === 0 ? 'no node runs it' : `its pods leave ${counted(desired, 'node')}`;
  },
  Secret: object => {
    const { bundle } = object.spec as SecretSpec;
    return `the nodes of bundle ${bundle} forget it; pods that run keep their files`;
  },
  Node: object => {
    const { status } = object as unknown as NodeObject;
    const member = isMember(status.conditions);
    return `it is forgotten and has to join again${member ? '; its pods run on' : ''}`;
  },
  Token: () => 'nobody can join with it any more',
};

export function deleteCommand(context: Context): Command {
  return withConnection(new Command('delete'))
    .summary('delete bundles, secrets, nodes or tokens')
    .description(
      'Deleting a bundle has its pods leave the nodes. On a terminal it says what goes, and asks; elsewhere it wants --yes.',
    )
    .argument(
      '[kind...]',
      'bundle NAME…, secret BUNDLE.NAME…, node NAME…, token NAME…; or KIND/NAME',
    )
    .option(
      '-f, --filename <path...>',
      'a DaemonSet: the bundle of its name; other bundles go by their names: bundle NAME',
    )
    .option(...YES)
    .option('--dry-run [mode]', 'server: let the hub check; delete nothing')
    .action((words: string[], options: DeleteOptions) =>
      connected(context, options, async hub => {
        const { resource, names, namespace } = await whatOf(context, hub, words, options);
        const dryRun = options.dryRun !== undefined && options.dryRun !== 'none';
        if (resource.kind === 'Secret') await warnOfUse(context, hub, names);
        const given = options.yes === true || dryRun;
        await agree(context, await questionOf({ ...hub, namespace }, resource, names), { given });
        for (const name of names) {
          const path = pathOf(resource, namespace, name);
          const query = { dryRun: dryRun ? 'All' : undefined };
          await hub.client.call({ method: 'DELETE', path, query });
          context.terminal.print(
            `${resource.singular}/${name} deleted${dryRun ? ' (server dry run)' : ''}`,
          );
        }
      }),
    );
}

/** What is to be deleted, and where. Throws `CliError`. */
async function whatOf(
  { terminal }: Context,
  { namespace }: Connected,
  words: readonly string[],
  options: DeleteOptions,
): Promise<{
  readonly resource: Resource;
  readonly names: readonly string[];
  readonly namespace: string;
}> {
  const { filename } = options;
  if (filename === undefined) return { ...targetsOf(words), namespace };
  if (words.length > 0) throw new CliError('refused', 'either -f or what is to be deleted');
  if (filename.some(isBundlePath)) throw byFile(filename);
  const sources = await readSources(filename, { stdin: terminal.stdin, recursive: false });
  const [set, ...others] = daemonSetsIn(documentsOf(sources));
  if (others.length > 0)
    throw new CliError('refused', 'more than one DaemonSet: delete bundle NAME…');
  const name = set?.name ?? null;
  if (name === null) throw byFile(filename);
  const own = set?.namespace ?? namespace;
  if (options.namespace !== undefined && options.namespace !== own) {
    throw new CliError(
      'refused',
      `DaemonSet "${name}" says namespace "${own}", -n says ${options.namespace}`,
    );
  }
  return { resource: resourceOf('bundles'), names: [name], namespace: own };
}

/** kubectl deletes what a file names; here a bundle goes as a whole, or is applied without one of its pods. Pure. */
export function byFile(paths: readonly string[]): CliError {
  const name = defaultBundleName(paths) ?? 'NAME';
  return new CliError(
    'refused',
    'a bundle is deleted by its name, not by its files',
    `flotilla delete bundle ${name}; one pod of it goes when the rest is applied without it: flotilla apply -f FOLDER --prune`,
  );
}

/** Throws `CliError` for what cannot be deleted or is not there: nothing was deleted then. */
async function questionOf(
  hub: Connected,
  resource: Resource,
  names: readonly string[],
): Promise<string> {
  const consequenceOf = CONSEQUENCES[resource.kind];
  if (consequenceOf === undefined) {
    const hint =
      resource.kind === 'Pod'
        ? 'a pod goes when its bundle goes or no longer holds it: flotilla delete bundle NAME, or apply without it'
        : null;
    throw new CliError('refused', `${resource.plural} cannot be deleted`, hint);
  }
  if (names.length === 0)
    throw new CliError('refused', `which ${resource.singular}? give its name`);
  const told: string[] = [];
  for (const name of names) {
    const path = pathOf(resource, hub.namespace, name);
    const object = await named(hub, { resource, name }, () => hub.client.call<ApiObject>({ path }));
    told.push(`${name} (${consequenceOf(object)})`);
  }
  return `Delete ${resource.singular} ${told.join(', ')}?`;
}
