/** What goes wrong on the hub's own machine, in the words of the command line. */
import { diskFault } from '../backup/disk-fault.js';
import { CliError } from '../../protocol/cli-error.js';

/** Calls that take an address, not a file. */
const ON_ADDRESS: readonly (string | undefined)[] = ['listen', 'bind'];

/** Errors of setting up are sentences for a person; anything else is a bug and keeps its stack. */
export async function setUp<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asCliError(error) ?? error;
  }
}

/** Null for a bug. What the world refuses (a disk, an address) ends with `failed`, what would end so again with `refused`. Pure. */
export function asCliError(error: unknown): CliError | null {
  const { name, code = '', message, syscall } = error as NodeJS.ErrnoException;
  if (name === 'SetupError') return new CliError(code === 'Disk' ? 'failed' : 'refused', message);
  if (name === 'StoreError') {
    return new CliError(code === 'Unavailable' ? 'failed' : 'refused', message);
  }
  if (ON_ADDRESS.includes(syscall)) {
    const hint = 'free the address, or change it in hub.yaml';
    return new CliError('failed', `cannot listen: ${message}`, hint);
  }
  const told = diskFault(error, 'read or write', 'the data directory');
  return told === error ? null : new CliError('failed', (told as Error).message);
}
