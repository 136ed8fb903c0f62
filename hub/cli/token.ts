/** `flotilla token`: what a device needs to join. */
import { Command } from 'commander';
import { parseLongDurationMs } from '../../protocol/duration.js';
import { isLabelKey, isLabelValue } from '../selectors.js';
import type { ApiObject } from './client.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { pathOf, resourceOf } from './resources.js';

const USES_MAX = 1000;
const TTL_MIN_MS = 60_000;
const TTL_MAX_MS = 90 * 86_400_000;

interface CreateOptions extends ConnectionOptions {
  ttl: string;
  label: Record<string, string>;
  node: string[];
  uses: string;
  approve?: true;
}

function addLabel(text: string, labels: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  const key = text.slice(0, at);
  const value = text.slice(at + 1);
  if (at < 1 || !isLabelKey(key) || !isLabelValue(value)) {
    throw new CliError('refused', `--label "${text}" is not KEY=VALUE of a Kubernetes label`);
  }
  return { ...labels, [key]: value };
}

function usesOf(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= USES_MAX) return Number(text);
  throw new CliError('refused', `--uses: "${text}" is not a number from 1 to ${USES_MAX}`);
}

export function tokenCommand(context: Context): Command {
  const create = withConnection(new Command('create'))
    .summary('print a join line, once')
    .description(
      'Prints the line that `flotilla-agent join --token-file` takes. It is shown only now, and carries the hash of the ' +
        "fleet's root, so that the device knows its hub before it sends anything secret. Labels are fixed at the enrolment: " +
        'release keys that hold on labelled nodes alone go by them, whatever the node is labelled later.',
    )
    .option('--ttl <duration>', 'how long it is valid: 30m, 24h, 90d; a minute to 90 days', '24h')
    .option('--label <k=v>', 'label of the node; may be given again', addLabel, {})
    .option(
      '--node <name>',
      'name that it lets in, or a pattern such as edge-*; may be given again (default: any)',
      (name: string, names: string[]) => [...names, name],
      [],
    )
    .option('--uses <n>', 'how many devices it lets in', '1')
    .option('--approve', 'each device waits until `flotilla node approve` lets it in')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla token create --label site=harbour > join.txt\n' +
        "  flotilla token create --node 'till-*' --uses 20 --ttl 8h --approve > join.txt",
    )
    .action((options: CreateOptions) =>
      connected(context, options, async hub => {
        const ttlMs = parseLongDurationMs(options.ttl);
        if (ttlMs === null || ttlMs < TTL_MIN_MS || ttlMs > TTL_MAX_MS) {
          throw new CliError(
            'refused',
            `--ttl: "${options.ttl}" is not a duration such as 30m, 24h or 90d, from a minute to 90 days`,
          );
        }
        const token = await hub.client.call<ApiObject>({
          method: 'POST',
          path: pathOf(resourceOf('tokens'), null),
          body: {
            apiVersion: 'flotilla.dev/v1',
            kind: 'Token',
            spec: {
              labels: options.label,
              ttlSeconds: Math.round(ttlMs / 1000),
              nodes: options.node,
              uses: usesOf(options.uses),
              approve: options.approve === true,
            },
          },
        });
        context.terminal.print((token.status as { joinLine: string }).joinLine);
      }),
    );
  return new Command('token').summary('let devices join').addCommand(create);
}
