/** `flotilla-agent rotate-identity`: other keys for this node. */
import { Command } from 'commander';
import { agree, YES } from './consent.js';
import type { CliContext } from './context.js';
import { openSocket, readText } from './socket-client.js';

interface RotateOptions {
  dataDir: string;
  sealingKeyOnly?: true;
  yes?: true;
}

export function rotateIdentityCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('rotate-identity'))
    .summary('give this node other keys')
    .description(
      'Makes a new identity key and a new sealing key, signs for the change with the former and the new one, and uses them ' +
        'once the hub has taken them; cut off at any point, the agent ends it by itself. Secrets that were sealed ' +
        'for it are to be sealed anew (`flotilla secret seal --missing`). Done by hand: its fingerprint is what people know this node by.',
    )
    .option('--sealing-key-only', 'keep the identity key')
    .option(...YES)
    .action(async ({ dataDir, sealingKeyOnly, yes }: RotateOptions) => {
      const what = sealingKeyOnly ? 'sealing key' : 'identity key and sealing key';
      await agree(`Replace the ${what} of this node for ever?`, yes === true);
      const path = `/rotate?what=${sealingKeyOnly ? 'sealing' : 'identity'}`;
      const answer = await readText(await openSocket(dataDir, path, { method: 'POST' }));
      const { node, nodeKey } = JSON.parse(answer) as { node: string; nodeKey: string };
      context.print(`Node "${node}" has ${sealingKeyOnly ? 'a new sealing key' : 'new keys'}.`);
      context.print(`Key: sha256:${nodeKey}`);
    });
}
