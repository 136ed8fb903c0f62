/** `flotilla root edit`: the next version, from the one before and what is to change. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { DIGEST_PATTERN } from '../../protocol/names.js';
import { describeChange } from '../root/describe.js';
import { nextRootOf, RootEditError, type RootChanges } from '../root/edit.js';
import { draftOf, type RootFile } from '../root/root-file.js';
import type { Context } from './context.js';
import { DEFAULT_LIFE, expiryOf } from './root-expiry.js';
import {
  keyIdIn,
  loadPlan,
  loadRequest,
  loadRoot,
  publicKeyOf,
  refuseExisting,
  saveRoot,
} from './root-files.js';

interface EditOptions {
  from: string;
  out?: string;
  force?: boolean;
  plan?: string;
  request?: string;
  addRootKey: string[];
  addHubKey: string[];
  removeKey: string[];
  replaceKey: string[];
  rootThreshold?: string;
  floor: string[];
  deny: string[];
  allowAgain: string[];
  raiseEpoch?: boolean;
  tlsPin: string[];
  removeTlsPin: string[];
  minAgent?: string;
  podsPerBundle?: string;
  expires?: string;
}

const collect = (value: string, previous: string[]) => [...previous, value];

export function rootEditCommand(context: Context): Command {
  return new Command('edit')
    .summary('make the next version of a root')
    .requiredOption('--from <file>', 'the version in force')
    .option('--out <file>', 'where it goes (default: root-<n+1>.json)')
    .option('--force', 'replace the file')
    .option('--plan <file>', 'take keys and thresholds of root and release from a plan')
    .option(
      '--request <file>',
      'take the hub key and TLS pins from root-request.json of a hub made anew',
    )
    .option('--add-root-key <key>', 'public key; may be given again', collect, [])
    .option('--add-hub-key <key>', 'public key; the hub signs with the last it holds', collect, [])
    .option('--remove-key <id>', 'key id (8 digits or more) or key, from all roles', collect, [])
    .option('--replace-key <old=new>', 'in all roles that name the old one', collect, [])
    .option('--root-threshold <n>', 'root keys that must sign')
    .option('--floor <ns/name=n>', 'lowest revision that may ever run again', collect, [])
    .option('--deny <digest>', 'a bundle revision that must not run', collect, [])
    .option('--allow-again <digest>', 'take a denial back', collect, [])
    .option('--raise-epoch', 'begin a new epoch: nodes drop the counters of the former one')
    .option('--tls-pin <sha256>', 'one more authority of the hub', collect, [])
    .option('--remove-tls-pin <sha256>', 'an authority that is gone', collect, [])
    .option('--min-agent <version>', 'older agents take nothing new, or none')
    .option('--pods-per-bundle <n>', 'limit')
    .option('--expires <when>', `like 3y or a date (default: the plan's, else ${DEFAULT_LIFE})`)
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla root edit --from root-1.json --replace-key rita.pub=rita-2.pub' +
        '\n  flotilla root edit --from root-2.json --deny DIGEST --floor shop/web=17',
    )
    .action(async (options: EditOptions) => {
      const former = loadRoot(options.from);
      const { version } = former.document;
      const out = options.out ?? `root-${version + 1}.json`;
      refuseExisting(out, options.force === true);
      const changes = await changesOf(context, former.document, options);
      const file = draft(former.document, changes);
      saveRoot(out, file);
      const { terminal } = context;
      for (const line of describeChange(former.document, file.document)) terminal.print(line);
      terminal.print(`Made ${out}, not signed yet. Next, each holder of a root key:`);
      const beside = options.from === `root-${version}.json` ? '' : ` --former ${options.from}`;
      terminal.print(`  flotilla root sign ${out}${beside} --key KEY`);
    });
}

function draft(former: RootDocument, changes: RootChanges): RootFile {
  try {
    const drafted = draftOf(nextRootOf(former, changes));
    if (drafted.ok) return drafted.value;
    const { code, detail } = drafted.refusal;
    throw new CliError('refused', `nodes would refuse this root: ${code}: ${detail}`);
  } catch (error) {
    if (error instanceof RootEditError) throw new CliError('refused', error.message);
    throw error;
  }
}

async function changesOf(
  context: Context,
  former: RootDocument,
  options: EditOptions,
): Promise<RootChanges> {
  const planned = options.plan === undefined ? null : await loadPlan(context, options.plan);
  const now = context.clock.now();
  const keys = (specs: readonly string[]) =>
    Promise.all(specs.map(spec => publicKeyOf(context, spec)));
  const minAgent = options.minAgent ?? planned?.plan.minAgent;
  const pods = options.podsPerBundle ?? planned?.plan.podsPerBundle;
  return {
    issued: new Date(Math.max(now, Date.parse(former.issued) + 1)).toISOString(),
    expires: expiryOf(options.expires ?? planned?.plan.expires ?? DEFAULT_LIFE, now),
    roles: planned?.roles,
    request: options.request === undefined ? undefined : loadRequest(options.request),
    addRootKeys: await keys(options.addRootKey),
    addHubKeys: await keys(options.addHubKey),
    removeKeys: await Promise.all(options.removeKey.map(spec => keyIdIn(context, former, spec))),
    replaceKeys: await Promise.all(
      options.replaceKey.map(text => replacement(context, former, text)),
    ),
    rootThreshold: wholeNumber('--root-threshold', options.rootThreshold),
    floors: Object.fromEntries(options.floor.map(floorOf)),
    deny: options.deny.map(text => digestOf('--deny', text)),
    allowAgain: options.allowAgain.map(text => digestOf('--allow-again', text)),
    raiseEpoch: options.raiseEpoch,
    addTlsPins: options.tlsPin.map(text => digestOf('--tls-pin', text)),
    removeTlsPins: options.removeTlsPin.map(text => digestOf('--remove-tls-pin', text)),
    minAgent: minAgent === 'none' ? null : minAgent,
    podsPerBundle: pods === undefined ? undefined : wholeNumber('--pods-per-bundle', String(pods)),
  };
}

async function replacement(context: Context, former: RootDocument, text: string) {
  const at = text.indexOf('=');
  if (at < 1) throw new CliError('refused', `--replace-key ${text}: say OLD=NEW`);
  return {
    old: await keyIdIn(context, former, text.slice(0, at)),
    by: await publicKeyOf(context, text.slice(at + 1)),
  };
}

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CliError('refused', `${flag} ${text}: use a whole number from 1`);
}

function floorOf(text: string): [string, number] {
  const [, bundle, floor] = /^([a-z0-9-]{1,63}\/[a-z0-9-]{1,63})=([1-9]\d{0,14})$/.exec(text) ?? [];
  if (bundle !== undefined) return [bundle, Number(floor)];
  throw new CliError('refused', `--floor ${text}: say NAMESPACE/NAME=REVISION`);
}

function digestOf(flag: string, text: string): string {
  const digest = text.replace(/^sha256:/, '');
  if (DIGEST_PATTERN.test(digest)) return digest;
  throw new CliError('refused', `${flag} ${text}: not a SHA-256 (64 hex digits)`);
}
