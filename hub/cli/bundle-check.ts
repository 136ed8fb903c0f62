/** `flotilla bundle show` and `flotilla bundle verify`: what is in a bundle file, and whether a fleet's nodes would take it. */
import { Command } from 'commander';
import type { TrustedRoot } from '../../protocol/verified.js';
import { CliError } from '../../protocol/cli-error.js';
import { acceptBundleFile } from '../signing/accept-bundle.js';
import type { BundleFile } from '../signing/bundle-file.js';
import { countBundleSignatures } from '../signing/signature-count.js';
import { readBundlePath } from './bundle-path.js';
import { describeBundleFile, describeSignatures, scopeText } from './bundle-text.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import {
  fetchRoot,
  fingerprintOf,
  readTrustedRoot,
  rootText,
  warnOfExpiry,
} from './trusted-root.js';

export function showCommand(context: Context): Command {
  return new Command('show')
    .summary('print what is in a bundle file')
    .argument('<file>', 'bundle file')
    .option('-o, --output <format>', 'json: the signed document, its manifests and signatures')
    .action(async (path: string, options: { output?: string }) => {
      const file = await readBundlePath(path);
      if (options.output === undefined) {
        for (const line of [...describeBundleFile(file), ...describeSignatures(file, null)])
          context.terminal.print(line);
        return;
      }
      if (options.output !== 'json') {
        throw new CliError('refused', `-o ${options.output}: only json`);
      }
      const { digest, document, manifests, signatures } = file;
      const all = { digest, document, manifests, signatures };
      context.terminal.print(JSON.stringify(all, null, 2));
    });
}

interface VerifyOptions extends ConnectionOptions {
  root: string;
}

export function verifyCommand(context: Context): Command {
  return withConnection(new Command('verify'))
    .summary("check a bundle file by a fleet's root")
    .description(
      'Checks content, signatures, threshold, scopes, floors and denials as the nodes do. Exit code: 0 they would take it, ' +
        '1 they would not.',
    )
    .argument('<file>', 'bundle file')
    .requiredOption('--root <file>', "root of the fleet: a file, or sha256:HASH to pin the hub's")
    .addHelpText('after', '\nExample:\n  flotilla bundle verify web.bundle --root root.json')
    .action(async (path: string, options: VerifyOptions) => {
      const fingerprint = fingerprintOf(options.root);
      const root =
        fingerprint === null
          ? readTrustedRoot(options.root)
          : await connected(context, options, hub => fetchRoot(hub.client, fingerprint));
      warnOfExpiry(context, root);
      const file = await readBundlePath(path, 'failed');
      verify(context, file, root);
    });
}

function verify(context: Context, file: BundleFile, root: TrustedRoot): void {
  const { terminal } = context;
  const { document, digest } = file;
  const { namespace, name, revision } = document;
  terminal.print(`bundle    ${namespace}/${name} revision ${revision}, sha256:${digest}`);
  terminal.print(`by        ${rootText(root)}`);
  for (const entry of document.manifests) {
    const blobs = entry.parts.length > 0 ? entry.parts : [entry];
    const kind = entry.kind === 'Pod' ? 'pod' : 'configmap';
    for (const blob of blobs)
      terminal.print(`content   ok      sha256:${blob.digest}  ${kind}/${entry.name}`);
  }
  const count = countBundleSignatures(root.document, { ...file, namespace, name });
  for (const { keyid, verdict } of count.verdicts)
    terminal.print(`signature ${WORDS[verdict]} ${keyid}`);
  const role = count.role
    ? `release role for ${count.role.bundles.join(', ')}: ${count.have} of ${count.need} signatures`
    : 'no release role of the root is responsible for it';
  terminal.print(`role      ${role}`);
  for (const scope of count.reached) terminal.print(`scope     ${scopeText(scope)}`);
  const verdict = acceptBundleFile(file, root);
  if (verdict.ok) {
    terminal.print('verdict   ok: the nodes of this fleet take it');
    return;
  }
  terminal.print(`verdict   FAIL ${verdict.refusal.code}: ${verdict.refusal.detail}`);
  context.exit(1);
}

const WORDS = { good: 'ok     ', bad: 'BAD    ', foreign: 'foreign' } as const;
