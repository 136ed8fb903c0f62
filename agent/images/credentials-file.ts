/**
 * The node's own registry credentials: a file in the form of a docker `config.json`, read anew for every pull, so that a
 * changed password needs no restart. Only a file that nobody else can read or change is taken.
 */
import { open } from 'node:fs/promises';
import {
  CredentialsError,
  readDockerConfigJson,
  type Keyring,
} from '../../protocol/registry-credentials.js';

const MAX_BYTES = 1024 * 1024;
const OTHERS = 0o077;

/** Throws `CredentialsError`, which says what to do. */
export async function readCredentialsFile(path: string): Promise<Keyring> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new CredentialsError(`registryCredentials ${path} cannot be read: ${code}`);
  }
  try {
    const { mode, uid, size } = await file.stat();
    if ((mode & OTHERS) !== 0) {
      const text = (mode & 0o777).toString(8).padStart(4, '0');
      throw new CredentialsError(
        `registryCredentials ${path} has mode ${text}: others may not have it (chmod 600 ${path})`,
      );
    }
    if (uid !== 0 && uid !== process.geteuid?.()) {
      throw new CredentialsError(
        `registryCredentials ${path} belongs to uid ${uid}, not to root or to the agent`,
      );
    }
    if (size > MAX_BYTES) {
      throw new CredentialsError(`registryCredentials ${path} is larger than ${MAX_BYTES} bytes`);
    }
    return readDockerConfigJson(await file.readFile('utf8'), `registryCredentials ${path}`);
  } finally {
    await file.close();
  }
}
