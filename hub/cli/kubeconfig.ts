/**
 * Reads a kubeconfig as kubectl does, as far as the hub's needs it: current context, cluster, client certificate
 * or token. Pure but for the two functions that read files.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { CliError } from '../../protocol/cli-error.js';

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

interface Named {
  name?: string;
  context?: { cluster?: string; user?: string; namespace?: string };
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
}

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
  let config: Record<string, unknown>;
  try {
    config = parse(input.text, { logLevel: 'error' }) as Record<string, unknown>;
  } catch (error) {
    throw fail(`not YAML: ${(error as Error).message}`);
  }
  if (config === null || typeof config !== 'object') throw fail('is empty');
  const find = (list: string, name: unknown, what: string) => {
    const entries = (config[list] ?? []) as Named[];
    const found = Array.isArray(entries) ? entries.find(entry => entry.name === name) : undefined;
    if (!found) throw fail(`has no ${what} "${String(name)}"`);
    return found;
  };
  const context = find(
    'contexts',
    input.contextName ?? config['current-context'],
    'context',
  ).context;
  const cluster = find('clusters', context?.cluster, 'cluster').cluster ?? {};
  const user = find('users', context?.user, 'user').user ?? {};
  const material = (from: Record<string, unknown>, key: string) => {
    const data = from[`${key}-data`];
    if (typeof data === 'string') return Buffer.from(data, 'base64').toString('utf8');
    const file = from[key];
    return typeof file === 'string' ? input.read(file) : undefined;
  };
  const server = cluster['server'];
  if (typeof server !== 'string' || !URL.canParse(server))
    throw fail('the cluster has no valid server');
  const url = new URL(server);
  if (url.protocol !== 'https:') throw fail(`the server must be https://, not ${server}`);
  const name = cluster['tls-server-name'];
  return {
    server: url,
    ca: material(cluster, 'certificate-authority'),
    cert: material(user, 'client-certificate'),
    key: material(user, 'client-key'),
    token: typeof user['token'] === 'string' ? user['token'] : undefined,
    serverName: typeof name === 'string' ? name : undefined,
    skipVerify: cluster['insecure-skip-tls-verify'] === true,
    namespace: context?.namespace ?? 'default',
  };
}
