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

/** `1-3,5`. Pure. */
export function versionsText(versions: ReadableSecret['versions']): string {
  return versions.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function newestText({ version, newest }: ReadableSecret): string {
  if (newest === null) return 'deleted';
  return newest > version ? `${newest} (replaced)` : String(newest);
}

/** After a node was shut out. Pure. */
export function readableLine(one: ReadableSecret): string {
  const { namespace, bundle, secret, versions, newest, version, device } = one;
  const advice =
    newest === null
      ? 'deleted here: replace it where it is used'
      : newest > version
        ? `version ${newest} took its place: see that it is used`
        : 'replace it';
  const whose = device === 'former' ? ' (a former device of that name)' : '';
  const many = versionsText(versions).match(/[-,]/) ? 'versions' : 'version';
  return `  secret ${namespace}/${bundle}.${secret} ${many} ${versionsText(versions)}${whose}: ${advice}`;
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
    return terminal.warn(
      `Nothing is on the list of node ${node}: nothing was sealed for it, or all of it is replaced.`,
    );
  }
  const rows = secrets.map(one => [
    ...[one.namespace, `${one.bundle}.${one.secret}`, one.bundle],
    ...[versionsText(one.versions), newestText(one), one.device],
  ]);
  const head = ['NAMESPACE', 'NAME', 'BUNDLE', 'VERSIONS', 'NEWEST', 'DEVICE'];
  for (const line of layOut(headers ? [head, ...rows] : rows)) terminal.print(line);
}
