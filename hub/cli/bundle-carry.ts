/** `flotilla bundle export` and `import`: to nodes that no network reaches, and back, by a file on a stick. */
import { bundleStateText } from '../../protocol/bundle-state-text.js';
import { counted } from '../../protocol/counted.js';
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { CarriedMessage } from '../../protocol/carried.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { topicsOf } from '../../protocol/topics.js';
import type { NodeObject } from '../objects.js';
import { readReceipt, writeCarried } from './carried-file.js';
import { savedImages } from './carried-images.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { refuseExisting } from './root-files.js';

interface ExportFlags extends ConnectionOptions {
  node?: string[];
  all?: boolean;
  output: string;
  withImages?: boolean;
  engineSocket: string;
  force?: boolean;
}

interface ExportAnswer {
  readonly spec: {
    readonly fleet: string;
    readonly nodes: readonly string[];
    readonly images: readonly ImageEntry[];
    readonly messages: readonly { readonly topic: string; readonly payload: string }[];
  };
}

const BASE = '/apis/flotilla.dev/v1';
const DEFAULT_SOCKET = '/var/run/docker.sock';

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

export function exportCommand(context: Context): Command {
  return withConnection(new Command('export'))
    .summary('write what nodes are to run to a file, for a stick')
    .description(
      'Writes the roots, the assignment of each node and all that it needs to one file. At a node without a network: ' +
        '`flotilla-agent import FILE`. The file holds nothing secret and proves nothing: the node checks it as it checks the broker.',
    )
    .option('--node <name>', 'for this node; may be given again', collect)
    .option('--all', 'for all nodes')
    .requiredOption('-o, --output <file>', 'the file to write')
    .option(
      '--with-images',
      'with the images that the bundles bind (apply --pin), from the engine of this machine',
    )
    .option('--engine-socket <path>', 'socket of that engine', DEFAULT_SOCKET)
    .option('--force', 'replace the file if it is there')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla bundle export --node edge-7 -o /media/stick/edge-7.flotilla\n' +
        '  flotilla bundle export --all --with-images -o /media/stick/fleet.flotilla',
    )
    .action((flags: ExportFlags) => exportTo(context, flags));
}

async function exportTo(context: Context, flags: ExportFlags): Promise<void> {
  const { node: nodes = [], all = false, output, force = false } = flags;
  if (all === nodes.length > 0) throw new CliError('refused', 'either --node NAME or --all');
  refuseExisting(output, force, '-o');
  await connected(context, flags, async ({ client }) => {
    const query = all ? { all: 'true' } : { nodes: nodes.join(',') };
    const { spec } = await client.call<ExportAnswer>({ path: `${BASE}/exports`, query });
    const { prefix } = topicsOf(spec.fleet);
    const messages = spec.messages.map(({ topic, payload }): CarriedMessage => {
      return { topic: prefix + topic, payload: Buffer.from(payload, 'base64') };
    });
    const images = flags.withImages
      ? await savedImages(flags.engineSocket, spec.images)
      : undefined;
    const bytes = await writeCarried(output, { fleet: spec.fleet, messages, images });
    const what = [
      counted(spec.nodes.length, 'node'),
      counted(messages.length, 'message'),
      ...(images ? [counted(images.names.length, 'image')] : []),
    ];
    context.terminal.print(`${output}: ${what.join(', ')}, ${Math.ceil(bytes / 1024)} KiB`);
    context.terminal.print('At the node:  flotilla-agent import FILE --data-dir DIR');
    context.terminal.print('Back here:    flotilla bundle import NODE.receipt');
  });
}

export function importCommand(context: Context): Command {
  return withConnection(new Command('import'))
    .summary("bring a node's receipt to the hub")
    .description(
      'Brings what `flotilla-agent import` wrote beside its file: the signed status, pods and events of the node. Taking one ' +
        'twice changes nothing.',
    )
    .argument('<receipt...>', 'files that nodes wrote')
    .action((paths: string[], flags: ConnectionOptions) =>
      connected(context, flags, async ({ client }) => {
        for (const path of paths) {
          const { fleet, messages } = await readReceipt(path);
          const { prefix } = topicsOf(fleet);
          const told = messages.map(({ topic, payload }) => ({
            topic: topic.slice(prefix.length),
            payload: Buffer.from(payload).toString('base64'),
          }));
          const { status } = await client.call<{ status: { nodes: string[] } }>({
            method: 'POST',
            path: `${BASE}/receipts`,
            body: {
              apiVersion: 'flotilla.dev/v1',
              kind: 'Receipt',
              spec: { fleet, messages: told },
            },
          });
          for (const node of status.nodes) {
            const found = await client.get<NodeObject>(pathOf(resourceOf('nodes'), null, node));
            context.terminal.print(recordedLine(node, found));
          }
        }
      }),
    );
}

/** What the hub has of the node now, from this receipt or a newer word. */
function recordedLine(node: string, found: NodeObject | null): string {
  const told = found?.status.flotilla;
  if (!told) return `node/${node}: not a member`;
  const bundles = told.bundles.map(
    b => `${b.namespace}/${b.name} ${b.revision} ${bundleStateText(b)}`,
  );
  const running = bundles.length === 0 ? 'no bundle' : bundles.join(', ');
  return `node/${node} recorded: generation ${told.generation}, ${running}`;
}
