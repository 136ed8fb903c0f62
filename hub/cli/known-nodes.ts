/**
 * The sealing keys of nodes that were sealed for from here, as ssh keeps its known hosts: `<kubeconfig>.known-nodes`, a line
 * for each. A hub in foreign hands could name a key of its own and read what is sealed next; here that is noticed.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { CliError } from '../../protocol/cli-error.js';
import { keyId } from '../../protocol/keys.js';
import type { Sealing } from '../ports.js';
import { agree } from './consent.js';
import type { Context } from './context.js';
import { kubeconfigPath } from './kubeconfig.js';

export interface TrustOptions {
  readonly kubeconfig?: string | undefined;
  /** `--accept-new-keys`: other keys than before are right. */
  readonly acceptNewKeys?: boolean | undefined;
}

const SHOWN = 8;

/** By `<fleet> <node>`: the key id. */
function readKnown(file: string): Map<string, string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw new CliError('failed', `cannot read ${file}: ${(error as Error).message}`);
  }
  const known = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const [, name, key] = /^([0-9a-f]{32} [a-z0-9-]{1,63}) ([0-9a-f]{64})$/.exec(line) ?? [];
    if (name === undefined || key === undefined) {
      throw new CliError(
        'refused',
        `${file}:${index + 1}: not "FLEET NODE KEY"`,
        'mend the line or remove the file: then the keys that the hub names are trusted anew',
      );
    }
    known.set(name, key);
  }
  return known;
}

function writeKnown(file: string, known: ReadonlyMap<string, string>): void {
  const lines = [...known].sort().map(([name, key]) => `${name} ${key}\n`);
  try {
    writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw new CliError('failed', `cannot write ${file}: ${(error as Error).message}`);
  }
}

/**
 * Remembers keys that are seen for the first time; asks a person about those that are others than before. Throws `CliError` when they
 * are not accepted: nothing was sealed then.
 */
export async function trustKeys(
  context: Context,
  { fleet, nodes }: Pick<Sealing, 'fleet' | 'nodes'>,
  { kubeconfig, acceptNewKeys = false }: TrustOptions,
): Promise<void> {
  const file = `${kubeconfigPath(kubeconfig, context.env)}.known-nodes`;
  const known = readKnown(file);
  const named = nodes.map(({ node, sealingKey }) => ({ node, key: keyId(sealingKey) }));
  const unknown = named.filter(({ node, key }) => known.get(`${fleet} ${node}`) !== key);
  const others = unknown.filter(({ node }) => known.has(`${fleet} ${node}`));
  if (others.length > 0 && !acceptNewKeys) {
    const list = others.slice(0, SHOWN).map(({ node, key }) => `${node} (${key.slice(0, 16)})`);
    const what = `other sealing keys than before: ${list.join(', ')}${others.length > SHOWN ? ' …' : ''}`;
    const cause = 'the keys were rotated, the devices replaced, or the hub is in foreign hands';
    context.terminal.warn(`${what}; ${cause}. "flotilla-agent status" on the node shows its own.`);
    await agree(context, 'Seal for these keys?', {
      given: false,
      option: '--accept-new-keys once they were compared with the nodes',
    });
  }
  if (unknown.length === 0) return;
  for (const { node, key } of unknown) known.set(`${fleet} ${node}`, key);
  writeKnown(file, known);
}
