/**
 * `flotilla key rotate`: a key of the fleet is replaced by a new one. Where the root's keys lie at the hub it is done at once; else the
 * steps are printed, with the names as they are.
 */
import { Argument, Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { shortId } from '../root/describe.js';
import type { Rotation } from '../ports.js';
import type { ApiClient } from './client.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { agree, YES } from './consent.js';
import { writeText } from './root-files.js';
import { ROOT_PATH, type RootObject } from './root-hub.js';
import { rotateTls } from './key-rotate-tls.js';

const ROLES = ['hub', 'release', 'root', 'tls'] as const;
type Role = Exclude<(typeof ROLES)[number], 'tls'>;

interface RotateOptions extends ConnectionOptions {
  readonly out?: string;
  readonly yes?: boolean;
  readonly finish?: boolean;
  readonly force?: boolean;
}

export function keyRotateCommand(context: Context): Command {
  return withConnection(new Command('rotate'))
    .summary('replace a key of the fleet by a new one')
    .description(
      'Where the hub holds the root keys (development) it is done by this command: a new key, the roots that name it, every ' +
        'assignment signed anew, the old key removed. Where they are kept elsewhere it prints what is to be typed; for `hub` ' +
        'the hub makes its new key first, and its public half is written to a file. ' +
        '`tls` is the authority of the certificates of hub, broker and nodes: it is replaced in two calls, between which every node ' +
        'gets a certificate of the next one by itself; called again it says which nodes are awaited.',
    )
    .addArgument(new Argument('<role>', 'whose key').choices(ROLES))
    .option('--out <file>', "where the hub's new public key goes (default: hub-<id>.pub)")
    .option('--finish', 'tls: show the new certificates, and trust the former authority no longer')
    .option('--force', 'tls: finish though nodes do not know the next authority yet')
    .option(...YES)
    .action((role: Role | 'tls', options: RotateOptions) =>
      connected(context, options, async ({ client }) => {
        const root = await client.call<RootObject>({ path: ROOT_PATH });
        if (role === 'tls') return rotateTls(context, client, { ...options, root });
        if (options.finish === true || options.force === true) {
          throw new CliError('refused', '--finish and --force are for `key rotate tls`');
        }
        if (!root.status.signsRoots)
          return printSteps(context, client, { role, root, out: options.out });
        await agree(context, `Replace the ${role} key of the fleet?`, { given: options.yes });
        const { key, roots, dropped } = await rotate(client, role, false);
        const print = (line: string) => context.terminal.print(line);
        if (key) print(`new ${role} key ${key.id}`);
        print(`published root ${roots.join(' and ')}`);
        if (dropped.length > 0) print(`removed at the hub: ${dropped.join(', ')}`);
      }),
    );
}

async function rotate(client: ApiClient, role: Role, prepare: boolean): Promise<Rotation> {
  const { status } = await client.call<{ status: Rotation }>({
    method: 'POST',
    path: `${ROOT_PATH}/rotate`,
    body: { apiVersion: 'flotilla.dev/v1', kind: 'KeyRotation', spec: { role, prepare } },
  });
  return status;
}

async function printSteps(
  context: Context,
  client: ApiClient,
  { role, root, out }: { role: Role; root: RootObject; out: string | undefined },
): Promise<void> {
  const print = (line: string) => context.terminal.print(line);
  const { version, roles } = root.spec;
  const by = (n: number) => `root-${n}.json`;
  const publish = (n: number) => [
    `flotilla root sign ${by(n)} --key KEY      # ${roles.root.threshold} holders of root keys, in turn`,
    `flotilla root verify ${by(n)}`,
    `flotilla root publish ${by(n)}`,
  ];
  const fetch = `flotilla root fetch --out ${by(version)}`;
  const next = version + 1;
  if (role === 'hub') {
    const { key } = await rotate(client, 'hub', true);
    if (!key) throw new CliError('failed', 'the hub made no key');
    const file = out ?? `hub-${shortId(key.id)}.pub`;
    writeText(file, `${key.publicKey}\n`);
    const old = roles.hub.keys.map(id => `--remove-key ${shortId(id)}`).join(' ');
    print(`The hub made a new key, ${key.id}; its public half is in ${file}.`);
    print('The root keys are not at the hub. Where they are:');
    const lines = [
      fetch,
      `flotilla root edit --from ${by(version)} --add-hub-key ${file}`,
      ...publish(next),
      '# The hub signs with the new key from here on. Then the old one goes:',
      `flotilla root edit --from ${by(next)} ${old}`,
      ...publish(next + 1),
    ];
    for (const line of lines) print(`  ${line}`);
    return;
  }
  const ids =
    role === 'root' ? roles.root.keys : [...new Set(roles.release.flatMap(({ keys }) => keys))];
  print(
    `The root keys are not at the hub. The ${role} keys in force: ${ids.map(shortId).join(', ')}.`,
  );
  print('Where the keys are:');
  const lines = [
    `flotilla key generate new-${role}.key`,
    fetch,
    `flotilla root edit --from ${by(version)} --replace-key ${shortId(ids[0] ?? '')}=new-${role}.key.pub   # the one that goes`,
    ...(role === 'root'
      ? ['# Signed by enough of the former root keys and enough of the new ones:']
      : []),
    ...publish(next),
  ];
  if (role === 'release') {
    lines.push(
      '# Bundles that lack signatures now, which `root publish` names, are signed with the new key and applied anew.',
    );
  }
  for (const line of lines) print(`  ${line}`);
}
