/**
 * Reads a kubeconfig as kubectl does, as far as the hub's needs it: current context, cluster, client certificate
 * or token. Pure but for the two functions that read files.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CliError } from '../../protocol/cli-error.js';
import { excerpt } from '../../protocol/excerpt.js';
import { readSettingsYaml, SettingsYamlError } from '../../protocol/settings-yaml.js';

export interface Connection {
  readonly server: URL;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
  readonly serverName: string | undefined;
  readonly skipVerify: boolean;
  readonly namespace: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Certificates and keys of many clusters. */
const BYTES_MAX = 1024 * 1024;

/** `--kubeconfig`, else the first file of `KUBECONFIG`, else `~/.kube/config`. */
export function kubeconfigPath(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const fromEnv = env['KUBECONFIG']?.split(':').find(path => path !== '');
  return flag ?? fromEnv ?? join(homedir(), '.kube', 'config');
}

export function loadKubeconfig(path: string, contextName: string | undefined): Connection {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError(
      'refused',
      `cannot read the kubeconfig ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      'pass --kubeconfig FILE or set KUBECONFIG; `flotilla hub init` wrote one as admin.kubeconfig',
    );
  }
  const read = (file: string) => readFileSync(resolve(dirname(path), file), 'utf8');
  return connectionOf({ text, path, contextName, read });
}

/** Throws `CliError` with what is wrong in the file. */
export function connectionOf(input: {
  text: string;
  path: string;
  contextName: string | undefined;
  read: (file: string) => string;
}): Connection {
  const { path } = input;
  const fail = (why: string) => new CliError('refused', `kubeconfig ${path}: ${why}`);
  const config = fieldsOf(valueOf(input.text, fail));
  if (config === null) throw fail('is not a mapping');
  const named = (list: string, name: unknown, what: string): Fields => {
    const entries: unknown = config[list];
    const items = Array.isArray(entries) ? entries.map(fieldsOf) : [];
    const found = typeof name === 'string' ? items.find(one => one?.['name'] === name) : undefined;
    if (found) return fieldsOf(found[what]) ?? {};
    const shown = typeof name === 'string' ? ` "${excerpt(name)}"` : ': it names none';
    throw fail(`has no ${what}${shown}`);
  };
  const context = named('contexts', input.contextName ?? config['current-context'], 'context');
  const cluster = named('clusters', context['cluster'], 'cluster');
  const user = named('users', context['user'], 'user');
  const material = (from: Fields, key: string) => {
    const data = from[`${key}-data`];
    if (typeof data === 'string') return Buffer.from(data, 'base64').toString('utf8');
    const file = from[key];
    return typeof file === 'string' ? input.read(file) : undefined;
  };
  const server = cluster['server'];
  if (typeof server !== 'string' || !URL.canParse(server))
    throw fail('the cluster has no valid server');
  const url = new URL(server);
  if (url.protocol !== 'https:') throw fail(`the server must be https://, not ${excerpt(server)}`);
  const name = cluster['tls-server-name'];
  return {
    server: url,
    ca: material(cluster, 'certificate-authority'),
    cert: material(user, 'client-certificate'),
    key: material(user, 'client-key'),
    token: typeof user['token'] === 'string' ? user['token'] : undefined,
    serverName: typeof name === 'string' ? name : undefined,
    skipVerify: cluster['insecure-skip-tls-verify'] === true,
    namespace: typeof context['namespace'] === 'string' ? context['namespace'] : 'default',
  };
}

function valueOf(text: string, fail: (why: string) => CliError): unknown {
  try {
    return readSettingsYaml(text, BYTES_MAX).toValue();
  } catch (error) {
    if (!(error instanceof SettingsYamlError)) throw error;
    throw fail(`not YAML: ${error.place === null ? '' : `${error.place}: `}${error.message}`);
  }
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}
