/** What goes wrong on the hub's own machine, in the words of the command line. */
import { CliError } from '../../protocol/cli-error.js';

/** Errors of setting up are sentences for a person; anything else is a bug and keeps its stack. */
export async function setUp<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    if (name === 'SetupError' || name === 'StoreError') throw new CliError('refused', message);
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL') {
      throw new CliError(
        'failed',
        `cannot listen: ${message}`,
        'free the address, or change it in hub.yaml',
      );
    }
    throw error;
  }
}
