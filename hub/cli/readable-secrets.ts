/** `flotilla get secrets --node N`: what somebody who has the node's disk can read, and so what to replace. */
import { stringify } from 'yaml';
import { layOut } from '../../protocol/columns.js';
import type { ReadableSecret } from '../ports.js';
import type { Connected, Context } from './context.js';

export interface ReadableOptions {
  readonly node: string;
  readonly output?: string;
  readonly headers: boolean;
}

function newestText({ version, newest }: ReadableSecret): string {
  return newest === version ? String(newest) : `${newest} (replaced)`;
}

export async function printReadable(
  { terminal }: Context,
  hub: Connected,
  { node, output, headers }: ReadableOptions,
): Promise<void> {
  const path = `/apis/flotilla.dev/v1/nodes/${encodeURIComponent(node)}/secrets`;
  const found = await hub.client.call<{ status: { secrets: ReadableSecret[] } }>({ path });
  const { secrets } = found.status;
  if (output === 'json') return terminal.print(JSON.stringify(found, null, 4));
  if (output === 'yaml') return terminal.write(stringify(found));
  if (output === 'name') {
    for (const { bundle, secret } of secrets) {
      terminal.print(`secret.flotilla.dev/${bundle}.${secret}`);
    }
    return;
  }
  if (secrets.length === 0) {
    return terminal.warn(`Nothing was sealed for node ${node}.`);
  }
  const rows = secrets.map(one => [
    ...[
      one.namespace,
      `${one.bundle}.${one.secret}`,
      one.bundle,
      String(one.version),
      newestText(one),
    ],
  ]);
  const head = ['NAMESPACE', 'NAME', 'BUNDLE', 'VERSION', 'NEWEST'];
  for (const line of layOut(headers ? [head, ...rows] : rows)) terminal.print(line);
}
