/** `flotilla-agent activate --now`: a person at the device ends the wait for a maintenance window. */
import { userInfo } from 'node:os';
import { Command } from 'commander';
import type { SiteAnswer } from '../site.js';
import type { CliContext } from './context.js';
import { openSocket, readText } from './socket-client.js';

export function activateCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('activate'))
    .summary('switch to what waits for its maintenance window')
    .description(
      'Has the agent switch to a revision although its maintenance windows, or those of this node, are closed. It counts for that ' +
        'revision alone, and stands in the journal with who said so, and why. What waits for something else goes on waiting for that.',
    )
    .argument('[bundle]', 'NAME or NAMESPACE/NAME; left out: all that wait for a window')
    .requiredOption('--now', 'outside the maintenance windows')
    .option('--reason <text>', 'told in the journal and to the hub', '')
    .action(async (bundle: string | undefined, flags: { dataDir: string; reason: string }) => {
      const { bundles } = await tell(context, { ...flags, path: '/activate', bundle });
      if (bundles.length === 0) context.print('nothing waits for a maintenance window');
      for (const { namespace, name, revision } of bundles) {
        context.print(`bundle/${name} (${namespace}) revision ${revision} waits for no window`);
      }
    });
}

/** Says it to the agent, in the name of whoever types. Throws `CliError`. */
async function tell(
  { env }: CliContext,
  wish: {
    readonly dataDir: string;
    readonly path: string;
    readonly bundle: string | undefined;
    readonly reason: string;
  },
): Promise<SiteAnswer> {
  const { dataDir, path, bundle, reason } = wish;
  const by = env['SUDO_USER'] || userName();
  const query = new URLSearchParams({ by, reason, ...(bundle === undefined ? {} : { bundle }) });
  const answer = await openSocket(dataDir, `${path}?${query.toString()}`, { method: 'POST' });
  return JSON.parse(await readText(answer)) as SiteAnswer;
}

/** A user without an entry in the system's list has a number alone. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? ''}`;
  }
}
