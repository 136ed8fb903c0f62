/** `flotilla describe`: one object with its conditions and events, for a person. */
import { Command } from 'commander';
import type { NodeParametersView } from '../rollout/node-parameters.js';
import type { BundleApiObject } from './bundle-write.js';
import { ApiError, type ApiClient, type ApiList, type ApiObject } from './client.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { describeObject } from './describe-text.js';
import { CliError } from '../../protocol/cli-error.js';
import { ROOT_PATH, type RootObject } from './root-hub.js';
import { named } from './near-names.js';
import { parametersPath } from './node-parameters.js';
import { askLastWords, nodesToAsk } from './last-words.js';
import { nodeViewOf, progressOf } from './rollout-progress.js';
import type { RolloutView } from './rollout-view.js';
import { pathOf, resourceOf, targetsOf, type Resource } from './resources.js';

/** Of a node that was not let in yet nothing is known, nor by an older hub. */
function unknown(error: unknown): null {
  if (error instanceof ApiError && ['Conflict', 'NotFound'].includes(error.reason)) return null;
  throw error;
}

function eventFields(resource: Resource, object: ApiObject): string {
  const fields = [
    `involvedObject.kind=${resource.kind}`,
    `involvedObject.name=${object.metadata.name}`,
  ];
  if (resource.namespaced)
    fields.push(`involvedObject.namespace=${object.metadata.namespace ?? ''}`);
  return fields.join(',');
}

/** The one of that name; else, as with kubectl, all whose names begin so. */
async function meantBy(hub: Connected, resource: Resource, name: string): Promise<ApiObject[]> {
  const { client, namespace } = hub;
  return named(hub, { resource, name }, async () => {
    try {
      return [await client.call<ApiObject>({ path: pathOf(resource, namespace, name) })];
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
      const { items } = await client.call<ApiList>({ path: pathOf(resource, namespace) });
      const meant = items.filter(({ metadata }) => metadata.name.startsWith(name));
      if (meant.length === 0) throw error;
      return meant;
    }
  });
}

async function wordsFor(client: ApiClient, object: ApiObject, nodes: readonly ApiObject[]) {
  const { namespace = '', name } = object.metadata;
  const progress = progressOf(object as BundleApiObject, nodes.map(nodeViewOf));
  return askLastWords(client, { namespace, name }, nodesToAsk(progress));
}

export function describeCommand(context: Context): Command {
  return withConnection(new Command('describe'))
    .summary('show one node, pod, bundle or token with its events')
    .argument(
      '<kind...>',
      'node NAME, pod NAME, bundle NAME, token ID; or KIND/NAME; of a name that nothing has: all that begin so',
    )
    .action((words: string[], options: ConnectionOptions) =>
      connected(context, options, async hub => {
        const { client, namespace } = hub;
        const { resource, names } = targetsOf(words);
        if (!['Node', 'Pod', 'Bundle', 'Token'].includes(resource.kind)) {
          throw new CliError('refused', `${resource.plural} are not described; use get -o yaml`);
        }
        const list = async () =>
          (await client.call<ApiList>({ path: pathOf(resource, namespace) })).items;
        const objects =
          names.length === 0
            ? await list()
            : (await Promise.all(names.map(name => meantBy(hub, resource, name)))).flat();
        for (const [index, object] of objects.entries()) {
          const events = await client.call<ApiList>({
            path: pathOf(resourceOf('events'), null),
            query: { fieldSelector: eventFields(resource, object) },
          });
          const nodes =
            resource.kind === 'Bundle'
              ? (await client.call<ApiList>({ path: pathOf(resourceOf('nodes'), null) })).items
              : [];
          const rollout =
            resource.kind === 'Bundle'
              ? await client.get<RolloutView>(
                  `${pathOf(resource, namespace, object.metadata.name)}/rollout`,
                )
              : null;
          const fleetRoot =
            resource.kind === 'Node'
              ? (await client.call<RootObject>({ path: ROOT_PATH })).spec.version
              : null;
          const parameters =
            resource.kind === 'Node'
              ? await client
                  .call<NodeParametersView>({ path: parametersPath(object.metadata.name) })
                  .catch(unknown)
              : null;
          const words =
            resource.kind === 'Bundle' ? await wordsFor(client, object, nodes) : undefined;
          if (index > 0) context.terminal.print('\n');
          const text = describeObject({
            object,
            events: events.items,
            nodes,
            rollout,
            ...(words === undefined ? {} : { words }),
            fleetRoot,
            parameters,
            now: context.clock.now(),
          });
          for (const line of text) context.terminal.print(line);
        }
      }),
    );
}
