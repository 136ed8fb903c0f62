/**
 * `--pin` of apply, diff and bundle build: what the tags of the input mean at their registries now, asked with the logins of this
 * user. Says every image that cannot be had; nothing is applied then.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../../protocol/cli-error.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import {
  CredentialsError,
  readDockerConfigJson,
  type Keyring,
} from '../../protocol/registry-credentials.js';
import { pinChanges, tagsOf } from '../registry/pin.js';
import type { RegistryErrorCode } from '../../protocol/registry-repository.js';
import { resolveImages, type Resolved } from '../registry/resolve.js';
import type { BundleSource } from './bundle-source.js';
import type { Context } from './context.js';

export const PIN_HELP = 'look the tags up at their registries and bind the images to these digests';

const HINTS: Readonly<Record<RegistryErrorCode, string>> = {
  Unreachable: 'is the registry right, and reachable from here?',
  Unauthorized: 'log in first: docker login REGISTRY (~/.docker/config.json is read)',
  NotFound: 'is name and tag right? an image that needs a login may be said not to exist',
  BadAnswer: 'is this a registry?',
};

interface Logins {
  readonly keyring: Keyring;
  /** Why there are none. */
  readonly problem: string | null;
}

/** `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`, as docker reads them; credential helpers are not asked. */
async function loginsOf({ env }: Context): Promise<Logins> {
  const directory = env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker');
  const path = join(directory, 'config.json');
  try {
    return { keyring: readDockerConfigJson(await readFile(path, 'utf8'), path), problem: null };
  } catch (error) {
    if (error instanceof CredentialsError) return { keyring: [], problem: error.message };
    const { code = '' } = error as NodeJS.ErrnoException;
    const problem = code === 'ENOENT' ? null : `${path} cannot be read: ${code}`;
    return { keyring: [], problem };
  }
}

/** The images of the input that name no digest, each with its digests, and how large they are. Throws `CliError`. */
export async function pinImages(
  context: Context,
  { manifests, built }: BundleSource,
): Promise<Pick<Resolved, 'entries' | 'sizes'>> {
  if (built !== null) {
    const hint = 'pin when it is built: flotilla bundle build --pin';
    throw new CliError(
      'refused',
      '--pin: the file is a bundle already, its content is fixed',
      hint,
    );
  }
  const { keyring, problem } = await loginsOf(context);
  const { signal } = context;
  const { entries, sizes, unresolved } = await resolveImages(tagsOf(manifests), {
    keyring,
    signal,
  });
  if (unresolved.length === 0) return { entries, sizes };
  const lines = unresolved.map(({ image, error }) => `--pin: image ${image}: ${error.message}`);
  const codes = new Set(unresolved.map(({ error }) => error.code));
  const hints = [...codes].map(code => HINTS[code]);
  if (codes.has('Unauthorized') && problem !== null) hints.push(problem);
  throw new CliError('failed', [...lines, 'nothing was changed'].join('\n'), hints.join('\n'));
}

/** `image web:1 pinned to sha256:…`, a line for each that changes. */
export function pinLines(
  before: readonly ImageEntry[],
  after: readonly ImageEntry[],
): readonly string[] {
  return pinChanges(before, after).map(({ image, before: old, after: now }) => {
    if (now === '') return `image ${image} is not pinned any more (was ${old})`;
    return `image ${image} pinned to ${now}${old === '' ? '' : ` (was ${old})`}`;
  });
}
