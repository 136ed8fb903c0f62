/** What every command gets: the terminal, the environment, a way to the hub, a clock. */
import type { Command } from 'commander';
import type { Clock } from '../../protocol/ports.js';
import { ApiClient } from './client.js';
import { kubeconfigPath, loadKubeconfig } from './kubeconfig.js';
import type { Terminal } from './terminal.js';

export interface Context {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Sets the exit code of a command that ends without an error. */
  exit(code: number): void;
}

export interface ConnectionOptions {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
}

/** `--kubeconfig`, `--context`, `-n`: as in kubectl, on every command that talks to the hub. */
export function withConnection(command: Command): Command {
  return command
    .option('-n, --namespace <ns>', "namespace (default: the kubeconfig's, else default)")
    .option(
      '--kubeconfig <file>',
      'kubeconfig of the hub (default: $KUBECONFIG, else ~/.kube/config)',
    )
    .option('--context <name>', 'context of the kubeconfig');
}

export interface Connected {
  readonly client: ApiClient;
  readonly namespace: string;
}

/** Runs `work` with a client of the hub and closes it afterwards. */
export async function connected<T>(
  context: Context,
  options: ConnectionOptions,
  work: (hub: Connected) => Promise<T>,
): Promise<T> {
  const path = kubeconfigPath(options.kubeconfig, context.env);
  const connection = loadKubeconfig(path, options.context);
  const client = new ApiClient(connection, {
    onWarning: text => context.terminal.warn(`Warning: ${text}`),
    signal: context.signal,
  });
  try {
    return await work({ client, namespace: options.namespace ?? connection.namespace });
  } finally {
    client.close();
  }
}
