/** `bundles/NAME/lastwords`: container output, so for those alone who may read logs: administrators. */
import { RequestError } from '../../ports.js';
import type { ReadLastWords } from '../../last-words/last-words.js';
import { json, param, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';

/** In one question. */
export const NODES_MAX = 64;

export interface LastWordsRouteParts {
  readonly lastWords: ReadLastWords;
}

export function lastWordsRoutes({ lastWords }: LastWordsRouteParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles/:name/lastwords`,
      access: 'admin',
      subject: { group: BUNDLES.group, resource: BUNDLES.name },
      handle: async request => {
        const bundle = { namespace: param(request, 'namespace'), name: param(request, 'name') };
        const nodes = (request.query.get('nodes') ?? '').split(',').filter(node => node !== '');
        if (nodes.length === 0 || nodes.length > NODES_MAX) {
          const message = `nodes: name from 1 to ${NODES_MAX} nodes, separated by commas`;
          throw new RequestError('BadRequest', message);
        }
        const items = await lastWords(bundle, [...new Set(nodes)]);
        return json({ kind: 'LastWordsList', apiVersion: 'flotilla.dev/v1', items });
      },
    },
  ];
}
