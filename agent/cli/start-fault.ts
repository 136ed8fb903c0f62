/** Why a command that works on the data directory could not begin. */
import { CliError } from '../../protocol/cli-error.js';
import { AgentError } from '../api/server.js';
import { ConfigError } from '../config-error.js';
import { diskFault } from '../disk-fault.js';
import { JournalError } from '../journal/database.js';
import { IdentityError } from '../membership/private-keys.js';

/**
 * Why an agent did not start: what would be so again at the next start is refused, what the world does may pass. Null for a bug, which
 * keeps its stack. `again`: what to do when the disk is well. Pure.
 */
export function startFault(
  error: unknown,
  again = 'start again; pods that run go on',
): CliError | null {
  if (error instanceof AgentError) return new CliError(error.exit, error.message);
  if (error instanceof ConfigError || error instanceof IdentityError) {
    return new CliError('refused', error.message);
  }
  if (error instanceof JournalError) {
    return new CliError(error.code === 'Unusable' ? 'failed' : 'refused', error.message);
  }
  const fault = diskFault(error);
  if (fault === null) return null;
  const what = (error as Error).message;
  return new CliError('failed', `${what}: ${fault} and ${again}`);
}
