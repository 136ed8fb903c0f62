/**
 * What `-f` means to apply, diff and build: manifests, or one file of a bundle that was built before. Options, and the way from
 * them to manifests.
 */
import { Option, type Command } from 'commander';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { CliError } from '../../protocol/cli-error.js';
import type { ValidConfigObject } from '../../protocol/config-object.js';
import type { ValidPod } from '../../protocol/pod.js';
import { isArchive } from '../signing/archive.js';
import type { DaemonSetBundle } from '../daemonset/daemonset.js';
import type { BundleFile } from '../signing/bundle-file.js';
import {
  daemonSetsIn,
  defaultBundleName,
  documentsOf,
  manifestsOf,
  readSources,
} from './bundle-input.js';
import { isBundlePath, parseBundle, readBundlePath } from './bundle-path.js';
import { withConnection, type ConnectionOptions } from './context.js';

export interface InputOptions extends ConnectionOptions {
  filename: string[];
  recursive?: boolean;
  bundle?: string;
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

export function inputOptions(
  command: Command,
  filename: 'required' | 'optional' = 'required',
): Command {
  const path = new Option(
    '-f, --filename <path>',
    'file, folder or - for stdin, may be given again; or one bundle file to apply or diff',
  );
  return withConnection(command)
    .addOption(path.argParser(collect).makeOptionMandatory(filename === 'required'))
    .option('-R, --recursive', 'read folders below the folder too')
    .option(
      '--bundle <name>',
      "name of the bundle (default: the DaemonSet's, else the folder's or file's)",
    );
}

export interface BundleSource {
  readonly namespace: string;
  readonly name: string;
  readonly manifests: readonly BundleManifest[];
  readonly pods: readonly ValidPod[];
  /** Beside the bundle: to be sealed for the nodes. */
  readonly secrets: readonly ValidConfigObject[];
  /** What a DaemonSet says of nodes, plan and strategy; null: the input has none. */
  readonly daemonSet: DaemonSetBundle | null;
  /** The file of a bundle that was built before; null for manifests. */
  readonly built: BundleFile | null;
}

/** In `namespace`, unless -n is not given and a DaemonSet says another. Throws `CliError` with all that is wrong, place by place. */
export async function readSource(
  options: InputOptions,
  { stdin, namespace: usual }: { readonly stdin: Readable; readonly namespace: string },
): Promise<BundleSource> {
  const paths = options.filename;
  let input = stdin;
  if (paths.includes('-')) {
    const bytes = await buffer(stdin);
    if (isArchive(bytes)) return fromBuilt(await parseBundle(bytes, '<stdin>'), options);
    input = Readable.from([bytes]);
  }
  const built = paths.find(isBundlePath);
  if (built !== undefined) return fromBuilt(await readBundlePath(built), options);
  const recursive = options.recursive === true;
  const sources = await readSources(paths, { stdin: input, recursive });
  const documents = documentsOf(sources);
  const [set] = daemonSetsIn(documents);
  const namespace = options.namespace ?? set?.namespace ?? usual;
  const name = options.bundle ?? set?.name ?? defaultBundleName(paths);
  if (name === null) {
    throw new CliError(
      'refused',
      'what is the bundle called? pass --bundle NAME',
      'the name is taken from -f only when that is one folder or file',
    );
  }
  return { namespace, name, ...manifestsOf(documents, namespace, sources), built: null };
}

/** Name and namespace are signed: options may say the same, nothing else. */
function fromBuilt(built: BundleFile, options: InputOptions): BundleSource {
  const { namespace, name } = built.document;
  if (options.filename.length > 1) {
    throw new CliError('refused', 'a bundle file is the whole content of a bundle: one -f alone');
  }
  const said = [
    { flag: '--bundle', given: options.bundle, signed: name },
    { flag: '-n', given: options.namespace, signed: namespace },
  ].find(({ given, signed }) => given !== undefined && given !== signed);
  if (said) {
    const { flag, given = '', signed } = said;
    throw new CliError(
      'refused',
      `the file is of bundle ${namespace}/${name}, ${flag} says ${given}`,
      `leave ${flag} out, or build a bundle with ${flag} ${given} (now ${signed})`,
    );
  }
  const { manifests } = built;
  const pods = manifests.filter(isPod);
  return { namespace, name, manifests, pods, secrets: [], daemonSet: null, built };
}
