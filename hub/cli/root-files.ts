/** Roots, plans and requests as the commands read and write them: files, with sentences for what is wrong with one. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cannotWrite, CliError } from '../../protocol/cli-error.js';
import { isSoundPublicKey } from '../../protocol/keys.js';
import { DIGEST_PATTERN } from '../../protocol/names.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { HubRequest, PlannedRoles } from '../root/edit.js';
import {
  keysNamedIn,
  parseRootPlan,
  plannedRoles,
  RootPlanError,
  type RootPlan,
} from '../root/plan.js';
import { readRootFile, rootFileText, type RootFile } from '../root/root-file.js';
import { writePrivateFile } from '../setup/private-files.js';
import { readPublicKey } from '../signing/signer.js';
import type { Context } from './context.js';

/** No file of these is larger: an envelope of a root is under 100 KiB. */
const FILE_BYTES_MAX = 1024 * 1024;

export function readText(path: string, what: string): string {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) {
      throw new CliError('refused', `${path}: too large for ${what}`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? `there is no such file (${what})` : (code ?? message);
    throw new CliError('refused', `${path}: ${why}`);
  }
}

export function loadRoot(path: string): RootFile {
  const read = readRootFile(readText(path, 'a root'));
  if (read.ok) return read.value;
  throw new CliError('refused', `${path}: ${read.refusal.code}: ${read.refusal.detail}`);
}

/** Replaces the file in one step. */
export function saveRoot(path: string, file: RootFile): void {
  writeText(path, rootFileText(file));
}

export function writeText(path: string, text: string): void {
  try {
    writePrivateFile(path, text);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** A new file never takes the place of another. */
export function refuseExisting(path: string, force: boolean, option = '--out'): void {
  if (force || !existsSync(path)) return;
  const hint = `choose another ${option}, or say --force`;
  throw new CliError('refused', `${path} is there already`, hint);
}

/**
 * The root of the version before: the one named, else `root-<n>.json` beside the file. Null for version 1, which is pinned by
 * its hash alone.
 */
export function formerOf(path: string, file: RootFile, named: string | undefined): RootFile | null {
  const { version } = file.document;
  if (version === 1 && named === undefined) return null;
  const beside = named ?? join(dirname(path), `root-${version - 1}.json`);
  if (!existsSync(beside)) {
    throw new CliError(
      'refused',
      `${path} is version ${version}, and ${beside} is not there to compare it with`,
      `get it with \`flotilla root fetch --version ${version - 1}\`, or name it with --former FILE`,
    );
  }
  return loadRoot(beside);
}

/** What `hub init --offline-root` or `hub recover` wrote. */
export function loadRequest(path: string): HubRequest {
  const wrong = () =>
    new CliError(
      'refused',
      `${path}: not a request of a hub`,
      'take the root-request.json that the hub wrote',
    );
  let value: unknown;
  try {
    value = JSON.parse(readText(path, 'the request of a hub'));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw wrong();
  }
  const { fleet, hubKey, tls } = (value ?? {}) as Partial<Record<keyof HubRequest, unknown>>;
  const pins = Array.isArray(tls) ? (tls as unknown[]) : [];
  const isPin = (pin: unknown): pin is string =>
    typeof pin === 'string' && DIGEST_PATTERN.test(pin);
  if (typeof fleet !== 'string' || !/^[0-9a-f]{32}$/.test(fleet)) throw wrong();
  if (typeof hubKey !== 'string' || !isSoundPublicKey(hubKey)) throw wrong();
  if (pins.length === 0 || !pins.every(isPin)) throw wrong();
  return { fleet, hubKey, tls: pins };
}

export interface LoadedPlan {
  readonly plan: RootPlan;
  readonly roles: PlannedRoles;
}

/** Key files are looked for beside the plan. */
export async function loadPlan(context: Context, path: string): Promise<LoadedPlan> {
  let plan: RootPlan;
  try {
    plan = parseRootPlan(readText(path, 'a plan of roles'), path);
  } catch (error) {
    if (error instanceof RootPlanError) throw new CliError('refused', error.message);
    throw error;
  }
  const publicKeys = new Map<string, string>();
  for (const name of keysNamedIn(plan)) {
    publicKeys.set(name, await publicKeyOf(context, name, dirname(path)));
  }
  return { plan, roles: plannedRoles(plan, publicKeys) };
}

/** The hex of a key that is named by a file, a line or an agent's key. */
export async function publicKeyOf(
  { env }: Pick<Context, 'env'>,
  spec: string,
  folder = '.',
): Promise<string> {
  const beside = join(folder, spec);
  const named = existsSync(beside) ? beside : spec;
  return (await readPublicKey(named, { agentSocket: env['SSH_AUTH_SOCK'] })).publicKey;
}

/** The id of a key of a root: by at least 8 of its digits, or by the key itself. */
export async function keyIdIn(
  context: Pick<Context, 'env'>,
  { keys }: Pick<RootDocument, 'keys'>,
  spec: string,
): Promise<string> {
  const ids = Object.keys(keys);
  if (/^[0-9a-f]{8,64}$/.test(spec)) {
    const [only, ...more] = ids.filter(id => id.startsWith(spec));
    if (only !== undefined && more.length === 0) return only;
  }
  const isDigits = /^[0-9a-f]{8,63}$/.test(spec);
  const publicKey = isDigits ? null : await publicKeyOf(context, spec);
  const found = ids.find(id => keys[id] === publicKey);
  if (found !== undefined) return found;
  throw new CliError(
    'refused',
    `${spec}: the root names no such key`,
    'its keys: flotilla root show FILE',
  );
}
