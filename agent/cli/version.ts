/** `flotilla-agent version`: of this program, and of the agent that runs, which may be an older one that was not restarted. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { VERSION } from '../../protocol/version.js';
import type { AgentStatus } from '../agent-status.js';
import type { CliContext } from './context.js';
import { getJson } from './socket-client.js';

interface VersionOptions {
  dataDir?: string;
  output?: string;
}

export function versionCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('version'), { optional: true })
    .summary('show the version of this program and of the agent that runs')
    .option('-o, --output <format>', 'json')
    .action(async ({ dataDir, output }: VersionOptions) => {
      if (output !== undefined && output !== 'json') {
        throw new CliError('refused', `-o ${output}: only json`);
      }
      const running = dataDir === undefined ? null : await runningVersion(dataDir);
      if (output === 'json') {
        context.print(JSON.stringify({ version: VERSION, running }, null, 4));
      } else for (const line of versionLines(VERSION, running)) context.print(line);
    });
}

/** Pure. */
export function versionLines(program: string, running: string | null): string[] {
  const said = [`Version: ${program}`];
  if (running === null || running === program) return said;
  return [...said, `Running Agent: ${running}; it becomes ${program} when it is started anew`];
}

/** Null: none answers on the directory. */
async function runningVersion(dataDir: string): Promise<string | null> {
  try {
    return (await getJson<AgentStatus>(dataDir, '/status')).version;
  } catch (error) {
    if (error instanceof CliError) return null;
    throw error;
  }
}
