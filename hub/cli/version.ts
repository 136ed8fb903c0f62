/** `flotilla version`: of this program and of the hub, as `kubectl version` says its own. */
import { Command } from 'commander';
import { stringify } from 'yaml';
import { CliError } from '../../protocol/cli-error.js';
import { VERSION } from '../../protocol/version.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';

/** As the hub's `/version` has it: that of the Kubernetes API, and after a plus sign Flotilla's. */
interface ServerVersion {
  readonly gitVersion: string;
}

interface VersionOptions extends ConnectionOptions {
  client?: boolean;
  output?: string;
}

const FORMATS: readonly (string | undefined)[] = [undefined, 'json', 'yaml'];

/** `0.1.0` of `v1.30.0+flotilla-0.1.0`. Null for a server that is no hub. Pure. */
export function hubVersionOf({ gitVersion }: ServerVersion): string | null {
  return /\+flotilla-(.+)$/.exec(gitVersion)?.[1] ?? null;
}

export function versionCommand(context: Context): Command {
  return withConnection(new Command('version'))
    .summary('show the version of this program and of the hub')
    .option('--client', 'of this program alone; asks no hub')
    .option('-o, --output <format>', 'json | yaml')
    .action((options: VersionOptions) => version(context, options));
}

async function version(context: Context, options: VersionOptions): Promise<void> {
  const { terminal } = context;
  const { output } = options;
  if (!FORMATS.includes(output)) {
    throw new CliError('refused', `-o ${output ?? ''}: not one of json, yaml`);
  }
  const isText = output === undefined;
  // Said before the hub is asked: it holds whether or not that one answers.
  if (isText) terminal.print(`Client Version: ${VERSION}`);
  const server = options.client === true ? null : await ofHub(context, options);
  const hub = server === null ? null : hubVersionOf(server);
  if (isText) {
    if (server !== null)
      terminal.print(`Hub Version: ${hub ?? `${server.gitVersion}, no hub of Flotilla`}`);
    return;
  }
  const found = {
    clientVersion: { version: VERSION },
    ...(server === null ? {} : { serverVersion: { ...server, version: hub } }),
  };
  if (output === 'json') terminal.print(JSON.stringify(found, null, 4));
  else terminal.write(stringify(found));
}

function ofHub(context: Context, options: VersionOptions): Promise<ServerVersion> {
  return connected(context, options, ({ client }) =>
    client.call<ServerVersion>({ path: '/version' }),
  );
}
