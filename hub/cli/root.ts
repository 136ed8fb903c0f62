/**
 * `flotilla root`: the document that says whose keys count, made, signed and checked without a hub; `publish`, `fetch` and `show`
 * speak with one.
 */
import { Command, Option } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { keyId } from '../../protocol/keys.js';
import { describeChange, describeRoot, describeVerdict, shortId } from '../root/describe.js';
import { firstRootOf } from '../root/edit.js';
import { PODS_PER_BUNDLE } from '../root/plan.js';
import { draftOf, judgeRoot, withSignature, type RootFile } from '../root/root-file.js';
import { passphraseFor } from '../signing/passphrase.js';
import { readSigner, signPayload } from '../signing/signer.js';
import type { Context } from './context.js';
import { agree, YES } from './consent.js';
import { DEFAULT_LIFE, expiryOf } from './root-expiry.js';
import { rootEditCommand } from './root-edit.js';
import {
  formerOf,
  loadPlan,
  loadRequest,
  loadRoot,
  refuseExisting,
  saveRoot,
} from './root-files.js';
import { rootFetchCommand, rootPublishCommand, rootShowCommand } from './root-hub.js';

export function rootCommand(context: Context): Command {
  return new Command('root')
    .summary('who may sign what: make, sign, check and publish the root')
    .description(
      'The root names the keys that count in a fleet. Version N + 1 must be signed by enough root keys of version N and ' +
        'of its own, then nodes take it, whoever brings it.\n' +
        'create, edit, sign and verify need no hub: run them where the keys are.',
    )
    .addCommand(createCommand(context))
    .addCommand(rootEditCommand(context))
    .addCommand(signCommand(context))
    .addCommand(rootShowCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(rootPublishCommand(context))
    .addCommand(rootFetchCommand(context));
}

function unwrapDraft(drafted: ReturnType<typeof draftOf>): RootFile {
  if (drafted.ok) return drafted.value;
  const { code, detail } = drafted.refusal;
  throw new CliError('refused', `nodes would refuse this root: ${code}: ${detail}`);
}

const PLAN_HELP = `
A plan, with the public keys (ssh-ed25519 lines or hex) beside it:

  expires: 3y                    # 1y where nodes have a clock with a battery
  root:
    threshold: 2
    keys: [alice.pub, bob.pub, carol.pub]
  release:                       # the first whose pattern fits a bundle is responsible for it
  - bundles: ["plant/*"]
    threshold: 2
    keys: [rita.pub, sam.pub]
  - bundles: ["*/*"]
    keys: [rita.pub, sam.pub]
    scopes:                      # what pods may ask of a node; left out: baseline
    - { podSecurity: baseline, minHostPort: 1024, hostPaths: [/dev] }
`;

function createCommand(context: Context): Command {
  return new Command('create')
    .summary('make root 1 of a fleet from a plan and the request of its hub')
    .requiredOption('--plan <file>', 'YAML: keys and thresholds of root and release')
    .requiredOption(
      '--request <file>',
      'root-request.json, from `flotilla hub init --offline-root`',
    )
    .option('--out <file>', 'where it goes', 'root-1.json')
    .option('--force', 'replace the file')
    .addHelpText('after', PLAN_HELP)
    .action(async (options: { plan: string; request: string; out: string; force?: boolean }) => {
      refuseExisting(options.out, options.force === true);
      const { plan, roles } = await loadPlan(context, options.plan);
      const now = context.clock.now();
      const document = firstRootOf({
        request: loadRequest(options.request),
        roles,
        issued: new Date(now).toISOString(),
        expires: expiryOf(plan.expires ?? DEFAULT_LIFE, now),
        limits: { podsPerBundle: plan.podsPerBundle ?? PODS_PER_BUNDLE },
        minAgent: plan.minAgent ?? null,
      });
      const file = unwrapDraft(draftOf(document));
      saveRoot(options.out, file);
      for (const line of describeRoot(document, file.digest)) context.terminal.print(line);
      context.terminal.print(
        `Made ${options.out}, not signed yet. Next, each holder of a root key:`,
      );
      context.terminal.print(`  flotilla root sign ${options.out} --key KEY`);
    });
}

interface SignOptions {
  key: string;
  former?: string;
  passphraseFile?: string;
  keyFile?: string;
  yes?: boolean;
}

function signCommand(context: Context): Command {
  return new Command('sign')
    .summary('add a signature to a root, after a look at what it changes')
    .argument('<file>', 'the root; it is changed in place')
    .requiredOption('--key <key>', 'file of a root key, or ssh-agent[:COMMENT|ID]')
    .option('--former <file>', 'the version before (default: root-<n-1>.json beside it)')
    .option(
      '--passphrase-file <file>',
      'passphrase of the key file, or of the hub whose keys/root.key it is (default: asked for)',
    )
    .option('--key-file <file>', "age key that opens the hub's keys, where one does")
    .option(...YES)
    .action(async (path: string, options: SignOptions) => {
      const file = loadRoot(path);
      const former = formerOf(path, file, options.former);
      const { terminal } = context;
      const lines = former
        ? [`Changes from version ${former.document.version} to ${file.document.version}:`]
        : [`Version ${file.document.version}:`];
      lines.push(
        ...(former
          ? describeChange(former.document, file.document)
          : describeRoot(file.document, file.digest)),
      );
      const { refusal } = judgeRoot(file, former?.document ?? null);
      if (refusal !== null)
        throw new CliError('refused', `${path}: nodes would refuse it: ${refusal}`);
      const signer = await readSigner(options.key, {
        passphrase: passphraseFor({
          file: options.passphraseFile,
          askSecret: question => terminal.askSecret(question),
        }),
        identityFile: options.keyFile,
        agentSocket: context.env['SSH_AUTH_SOCK'],
      });
      const id = keyId(signer.publicKey);
      const versions = [file, former].filter(
        root => root?.document.roles.root.keys.includes(id) === true,
      );
      if (versions.length === 0) {
        const which = former ? `${former.document.version} or ${file.document.version}` : '1';
        throw new CliError(
          'refused',
          `${options.key} is no root key of version ${which} (its id: ${id})`,
        );
      }
      for (const line of lines) terminal.print(line);
      await agree(context, `Sign ${path} with the key ${shortId(id)}?`, {
        given: options.yes,
      });
      const signed = withSignature(file, await signPayload('root', file.payload, signer));
      if (!signed.ok) throw new CliError('refused', `${path}: ${signed.refusal.detail}`);
      saveRoot(path, signed.value);
      terminal.print(`Signed ${path} (sha256 ${file.digest}).`);
      const verdict = judgeRoot(signed.value, former?.document ?? null);
      for (const line of describeVerdict(verdict)) terminal.print(line);
    });
}

function verifyCommand(context: Context): Command {
  return new Command('verify')
    .summary('whether nodes would take a root, and how many signatures it has')
    .argument('<file>', 'the root')
    .option('--former <file>', 'the version before (default: root-<n-1>.json beside it)')
    .addOption(new Option('-o, --output <format>').choices(['json']))
    .addHelpText('after', '\nExit code 0: complete; 2: not yet, or never.')
    .action((path: string, options: { former?: string; output?: 'json' }) => {
      const file = loadRoot(path);
      const former = formerOf(path, file, options.former);
      const verdict = judgeRoot(file, former?.document ?? null);
      const { version } = file.document;
      if (options.output === 'json') {
        const shown = { version, digest: file.digest, ...verdict };
        context.terminal.print(JSON.stringify(shown, null, 2));
      } else {
        context.terminal.print(`${path}: version ${version}, sha256 ${file.digest}`);
        for (const line of describeVerdict(verdict)) context.terminal.print(line);
      }
      if (!verdict.complete) context.exit(2);
    });
}
