/** `flotilla token`: what a device needs to join. */
import { Command } from 'commander';
import { parseDurationMs } from '../../protocol/duration.js';
import { isLabelKey, isLabelValue } from '../selectors.js';
import type { ApiObject } from './client.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { pathOf, resourceOf } from './resources.js';

interface CreateOptions extends ConnectionOptions {
  ttl: string;
  label: Record<string, string>;
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

export function tokenCommand(context: Context): Command {
  const create = withConnection(new Command('create'))
    .summary('print a join line, once')
    .description(
      'Prints the line that `flotilla-agent join --token-file` takes. It joins one node, is shown only now, and carries ' +
        "the hash of the fleet's root, so that the device knows its hub before it sends anything secret.",
    )
    .option('--ttl <duration>', 'how long it is valid', '24h')
    .option('--label <k=v>', 'label of the node; may be given again', addLabel, {})
    .addHelpText('after', '\nExample:\n  flotilla token create --label site=harbour > join.txt')
    .action((options: CreateOptions) =>
      connected(context, options, async hub => {
        const ttlMs = parseDurationMs(options.ttl);
        if (ttlMs === null || ttlMs < 1000) {
          throw new CliError(
            'refused',
            `--ttl: "${options.ttl}" is not a duration such as 24h or 30m`,
          );
        }
        const token = await hub.client.call<ApiObject>({
          method: 'POST',
          path: pathOf(resourceOf('tokens'), null),
          body: {
            apiVersion: 'flotilla.dev/v1',
            kind: 'Token',
            spec: { labels: options.label, ttlSeconds: Math.round(ttlMs / 1000) },
          },
        });
        context.terminal.print((token.status as { joinLine: string }).joinLine);
      }),
    );
  return new Command('token').summary('let devices join').addCommand(create);
}
