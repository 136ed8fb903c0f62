/** `flotilla bundle build`: manifests become the unsigned revision of a bundle in a file, ready to be signed. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { isPod } from '../../protocol/bundle-manifest.js';
import { CliError } from '../../protocol/cli-error.js';
import type { BundleStrategy, ImageEntry } from '../../protocol/documents/bundle.js';
import { LABEL_PATTERN } from '../../protocol/names.js';
import { outOfScope } from '../../protocol/release-scope.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { releaseRoleOf } from '../../protocol/verify-bundle.js';
import { checkManifests } from '../rollout/check-manifests.js';
import {
  BundleTooLarge,
  defaultRollbackFloor,
  draftRevision,
  type Draft,
} from '../rollout/revise.js';
import type { BundleFile } from '../signing/bundle-file.js';
import { applyFlags, daemonSetWarnings, refuseSaidTwice, strategyOf } from './daemonset-options.js';
import { differingSecrets } from './apply-secrets.js';
import { signersText } from './bundle-text.js';
import { isBundlePath, readBundlePath, writeBundlePath } from './bundle-path.js';
import { inputOptions, readSource, type BundleSource, type InputOptions } from './bundle-source.js';
import { aloneWarnings, bundleWarnings, runningOf } from './bundle-warnings.js';
import { bundlePath, type BundleApiObject } from './bundle-write.js';
import type { ApiClient, ApiList } from './client.js';
import { connected, type Connected, type Context } from './context.js';
import { pinImages, pinLines, PIN_HELP } from './pin-images.js';
import { shellWord } from './shell-word.js';
import { pathOf, resourceOf } from './resources.js';
import { strategyAfter, strategyOptions, type StrategyOptions } from './strategy-options.js';
import {
  fetchRoot,
  fingerprintOf,
  readTrustedRoot,
  rootText,
  warnOfExpiry,
} from './trusted-root.js';

/** What nodes say of themselves (agent/node-info.ts): Kubernetes' words, and Node.js' for what those have no other word for. */
const ARCHITECTURES: readonly string[] = [
  ...['amd64', 'arm64', 'arm', 'ia32', 'loong64', 'mips', 'mipsel', 'ppc64', 'riscv64', 's390x'],
];
/** As uname, Debian and Node.js say it. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  ...{ x64: 'amd64', x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', armv8: 'arm64' },
  ...{ armhf: 'arm', armv6l: 'arm', armv7: 'arm', armv7l: 'arm', i386: 'ia32', i686: 'ia32' },
};

interface BuildOptions extends InputOptions, StrategyOptions {
  output: string;
  root?: string;
  revision?: number;
  rollbackFloor?: number;
  pin?: boolean;
  arch?: string[];
  minAgent?: string;
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

function counter(flag: string, least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= least) return value;
    throw new CliError('refused', `${flag} ${text}: a whole number from ${least}`);
  };
}

export function buildCommand(context: Context): Command {
  return strategyOptions(inputOptions(new Command('build')))
    .summary('put manifests into a bundle file that can be signed')
    .description(
      'Reads and checks manifests as apply does, and writes the next revision of a bundle to a file, unsigned. The hub is ' +
        'asked for its root and the next revision; with --root and --revision no hub is needed.',
    )
    .requiredOption('-o, --output <file>', 'the file to write')
    .option('--root <file>', 'root of the fleet: a file, or sha256:HASH to pin that of the hub')
    .option('--revision <n>', 'number of the revision', counter('--revision', 1))
    .option(
      '--rollback-floor <n>',
      'lowest revision that an undo may reach once this one is healthy (default: ten back)',
      counter('--rollback-floor', 0),
    )
    .option('--pin', PIN_HELP)
    .option('--arch <arch>', 'only for nodes of amd64, arm64, arm …; may be given again', collect)
    .option('--min-agent <version>', 'only for agents of this version or newer, such as 1.2.0')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla bundle build -f ./web -o web.bundle\n' +
        '  flotilla bundle build -f ./web --root root.json --revision 7 -o web.bundle',
    )
    .action((options: BuildOptions) => build(context, options));
}

async function build(context: Context, options: BuildOptions): Promise<void> {
  const isOffline =
    options.root !== undefined &&
    fingerprintOf(options.root) === null &&
    options.revision !== undefined;
  if (isOffline) return buildWith(context, options, null);
  try {
    await connected(context, options, hub => buildWith(context, options, hub));
  } catch (error) {
    if (
      !(error instanceof CliError) ||
      !/cannot (read the kubeconfig|reach the hub)/.test(error.message)
    )
      throw error;
    const hint = 'without a hub, pass --root FILE and --revision N';
    throw new CliError(error.exit, error.message, hint);
  }
}

async function buildWith(
  context: Context,
  options: BuildOptions,
  hub: Connected | null,
): Promise<void> {
  const usual = options.namespace ?? hub?.namespace ?? 'default';
  const source = await readSource(options, { stdin: context.terminal.stdin, namespace: usual });
  const { namespace, daemonSet } = source;
  if (source.built) {
    throw new CliError('refused', 'that file is a bundle already; sign it: flotilla bundle sign');
  }
  refuseSaidTwice(daemonSet, options);
  for (const warning of daemonSetWarnings(daemonSet)) context.terminal.warn(warning);
  if (Object.keys({ ...daemonSet?.labels, ...daemonSet?.annotations }).length > 0) {
    context.terminal.warn(
      'Warning: labels and annotations of the DaemonSet itself are no part of the file; those of its template are',
    );
  }
  if (hub === null && (options.revision ?? 1) > 1) {
    context.terminal.warn(
      'Warning: no hub was asked: what the options do not say of deadline, min ready, failure, windows and requirements is as in a new bundle',
    );
  }
  const bundle = (await hub?.client.get<BundleApiObject>(bundlePath(source))) ?? null;
  const running = bundle && runningOf(bundle);
  for (const warning of bundleWarnings(source.pods, running)) context.terminal.warn(warning);
  const ofBundle = { namespace, bundle: source.name, input: source };
  // What is sealed already needs nothing to be done.
  const unsealed = hub === null ? source.secrets : await differingSecrets(hub, ofBundle);
  for (const { name } of unsealed) {
    context.terminal.warn(
      `Warning: secret "${name}" is no part of the file; once it is applied: flotilla secret seal -f FILE --bundle ${source.name} -n ${namespace}`,
    );
  }
  const root = await rootOf(options.root, hub);
  warnOfExpiry(context, root);
  const last = hub ? await lastRevision(hub.client, source) : null;
  const revision = options.revision ?? Math.max((last ?? 0) + 1, rootFloor(root, source));
  const images = options.pin ? (await pinImages(context, source)).entries : [];
  for (const line of pinLines([], images)) context.terminal.print(line);
  const issued = issuedAt(context);
  const former = bundle?.spec.strategy ?? DEFAULT_STRATEGY;
  const strategy = strategyAfter(options, strategyOf(daemonSet, former));
  for (const warning of aloneWarnings(source.pods, strategy, images))
    context.terminal.warn(warning);
  const draft = draftOf(source, { root, revision, options, images, issued, strategy });
  if (last !== null && revision <= last) {
    context.terminal.warn(
      `Warning: the hub has revision ${last}; it takes no other content for revision ${revision}`,
    );
  }
  const file: BundleFile = { ...draft, signatures: [], manifests: [] };
  await refuseLoss(options.output);
  await writeBundlePath(options.output, file);
  const isNew = hub ? bundle === null : revision === 1;
  report(context, options.output, { draft, root, source, isNew });
}

async function rootOf(spec: string | undefined, hub: Connected | null): Promise<TrustedRoot> {
  const fingerprint = spec === undefined ? null : fingerprintOf(spec);
  if (spec !== undefined && fingerprint === null) return readTrustedRoot(spec);
  if (hub === null) throw new CliError('refused', 'which root? pass --root FILE');
  return fetchRoot(hub.client, fingerprint);
}

/** 0 when the hub knows none. */
async function lastRevision(client: ApiClient, { namespace, name }: BundleSource): Promise<number> {
  const path = `${pathOf(resourceOf('bundles'), namespace, name)}/revisions`;
  const list = await client.get<ApiList>(path);
  const numbers = (list?.items ?? []).map(({ spec }) => (spec as { revision: number }).revision);
  return Math.max(0, ...numbers);
}

/** Below it nothing runs. */
function rootFloor(root: TrustedRoot, { namespace, name }: BundleSource): number {
  return root.document.floors[`${namespace}/${name}`] ?? 0;
}

/** RFC 3339; `SOURCE_DATE_EPOCH` (reproducible-builds.org) makes equal input give equal bytes. */
function issuedAt({ env, clock }: Context): string {
  const fixed = env['SOURCE_DATE_EPOCH'];
  if (fixed === undefined) return new Date(clock.now()).toISOString();
  if (/^\d{1,11}$/.test(fixed)) return new Date(Number(fixed) * 1000).toISOString();
  throw new CliError('refused', `SOURCE_DATE_EPOCH=${fixed}: seconds since 1970`);
}

interface DraftOptions {
  readonly root: TrustedRoot;
  readonly revision: number;
  readonly options: BuildOptions;
  readonly images: readonly ImageEntry[];
  readonly issued: string;
  readonly strategy: BundleStrategy;
}

/** Everything that hub or nodes would refuse later is refused here, before people sign it. */
function draftOf(source: BundleSource, given: DraftOptions): Draft {
  const { root, revision, options, images, issued, strategy } = given;
  const { namespace, name } = source;
  const { document } = root;
  const problems: string[] = [];
  for (const word of [namespace, name]) {
    if (!LABEL_PATTERN.test(word))
      problems.push(`"${word}" is not a name: at most 63 of a-z, 0-9 and -`);
  }
  const podsMax = document.limits.podsPerBundle;
  const { manifests, causes } = checkManifests(source.manifests, { namespace, podsMax });
  problems.push(...causes.map(cause => `${cause.field}: ${cause.message}`));
  const role = releaseRoleOf(document, source);
  if (!role) problems.push(`${rootText(root)} names no release role for ${namespace}/${name}`);
  for (const pod of role ? manifests.filter(isPod) : []) {
    const beyond = outOfScope(pod, role?.scopes ?? []);
    if (beyond !== null) problems.push(`pod "${pod.metadata.name}" is ${beyond}, whoever signs it`);
  }
  const floor = rootFloor(root, source);
  if (revision < floor)
    problems.push(`--revision ${revision} is below ${floor}, the floor that the root sets`);
  const rollbackFloor = options.rollbackFloor ?? defaultRollbackFloor(revision, 0);
  if (rollbackFloor > revision)
    problems.push(`--rollback-floor ${rollbackFloor} is above revision ${revision}`);
  const requires = requirementsOf(options, problems);
  if (problems.length > 0) throw new CliError('refused', problems.join('\n'));
  try {
    return draftRevision({
      ...{ fleet: document.fleet, namespace, name, manifests, images, revision },
      ...{ rollbackFloor, issued, requires, strategy },
    });
  } catch (error) {
    if (error instanceof BundleTooLarge) throw new CliError('refused', error.message);
    throw error;
  }
}

function requirementsOf({ arch = [], minAgent }: BuildOptions, problems: string[]) {
  const wrong = arch.find(word => !ARCHITECTURES.includes(word));
  if (wrong !== undefined) {
    const meant = OTHER_WORDS[wrong.toLowerCase()];
    const known = meant === undefined ? `one of ${ARCHITECTURES.join(', ')}` : `say ${meant}`;
    problems.push(`--arch ${wrong}: no node calls itself so; ${known}`);
  }
  if (minAgent !== undefined && !/^\d{1,5}\.\d{1,5}\.\d{1,5}$/.test(minAgent))
    problems.push(`--min-agent ${minAgent}: three numbers, such as 1.2.0`);
  return { arch: [...new Set(arch)].sort(), hardware: [], minAgent: minAgent ?? null };
}

/** A file that people signed, or that is none of ours, is not written over. */
async function refuseLoss(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const hint = 'choose another -o, or move the file away';
  if (!isBundlePath(path)) {
    throw new CliError('refused', `${path} exists, and is not a bundle`, hint);
  }
  const { length } = (await readBundlePath(path)).signatures;
  if (length > 0) throw new CliError('refused', `${path} is signed already (${length})`, hint);
}

function report(
  { terminal }: Context,
  path: string,
  built: { draft: Draft; root: TrustedRoot; source: BundleSource; isNew: boolean },
): void {
  const { draft, root, source, isNew } = built;
  const { namespace, name, revision } = draft.document;
  const role = releaseRoleOf(root.document, draft.document);
  const word = shellWord(path);
  terminal.print(`Wrote ${path}: bundle ${namespace}/${name} revision ${revision}, unsigned`);
  terminal.print(`  digest  sha256:${draft.digest}`);
  terminal.print(`  by      ${rootText(root)}`);
  terminal.print(`Next: ${signersText(role, source.pods)} sign it, in turn:`);
  terminal.print(`  flotilla bundle sign ${word} --key KEY`);
  terminal.print('and then, where the kubeconfig is:');
  // A bundle that the hub has keeps its nodes; what a DaemonSet says of them, and of the rollout, is not signed.
  const nodes =
    source.daemonSet !== null
      ? ` ${applyFlags(source.daemonSet).join(' ')}`
      : isNew
        ? ' --nodes SELECTOR      # or --all-nodes'
        : '';
  terminal.print(`  flotilla apply -f ${word}${nodes}`);
}
