/** The resources that the CLI names, with kubectl's aliases, and where the API serves them. Pure. */
import { CliError } from '../../protocol/cli-error.js';
import { insteadOfKind } from './other-words.js';

export interface Resource {
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** What `-o name` puts before the slash. */
  readonly singular: string;
  readonly group: string;
  readonly aliases: readonly string[];
}

export const RESOURCES: readonly Resource[] = [
  {
    kind: 'Node',
    plural: 'nodes',
    singular: 'node',
    namespaced: false,
    group: '/api/v1',
    aliases: ['no'],
  },
  {
    kind: 'Pod',
    plural: 'pods',
    singular: 'pod',
    namespaced: true,
    group: '/api/v1',
    aliases: ['po'],
  },
  {
    kind: 'Event',
    plural: 'events',
    singular: 'event',
    namespaced: true,
    group: '/api/v1',
    aliases: ['ev'],
  },
  {
    kind: 'Bundle',
    plural: 'bundles',
    singular: 'bundle',
    namespaced: true,
    group: '/apis/flotilla.dev/v1',
    // What kubectl calls a pod on every node; a bundle that a DaemonSet made has its name.
    aliases: [
      ...['bd', 'daemonset', 'daemonsets', 'ds'],
      ...['daemonset.apps', 'daemonsets.apps', 'ds.apps'],
    ],
  },
  {
    kind: 'Rollout',
    plural: 'rollouts',
    singular: 'rollout',
    namespaced: true,
    group: '/apis/flotilla.dev/v1',
    aliases: [],
  },
  {
    kind: 'Secret',
    plural: 'secrets',
    singular: 'secret',
    namespaced: true,
    group: '/apis/flotilla.dev/v1',
    aliases: [],
  },
  {
    kind: 'Token',
    plural: 'tokens',
    singular: 'token',
    namespaced: false,
    group: '/apis/flotilla.dev/v1',
    aliases: [],
  },
];

/** What `all` means, as in the API's discovery: what a bundle is and what it becomes. */
const ALL: readonly Resource['kind'][] = ['Pod', 'Bundle'];

/** `pods,nodes` or `all`: several kinds at once, each once. Null for a word that is none of this. */
export function kindsOf(word: string): Resource[] | null {
  const words = word.split(',');
  if (words.length === 1 && word.toLowerCase() !== 'all') return null;
  const found = words.flatMap(one =>
    one.toLowerCase() === 'all' ? RESOURCES.filter(r => ALL.includes(r.kind)) : [resourceOf(one)],
  );
  return [...new Set(found)];
}

export function resourceOf(word: string): Resource {
  const [, name = '', group] = /^(.*?)(\.flotilla\.dev)?$/.exec(word.toLowerCase()) ?? [];
  const found = RESOURCES.find(
    r =>
      (r.plural === name || r.singular === name || r.aliases.includes(name)) &&
      (group === undefined || r.group.includes('flotilla.dev')),
  );
  if (found) return found;
  const known = RESOURCES.map(r => r.plural).join(', ');
  throw new CliError(
    'refused',
    `no resource "${word}" at the hub; it has: ${known}`,
    insteadOfKind(word),
  );
}

/** The path of a collection, or of one object in it; a namespace of null means all. */
export function pathOf(resource: Resource, namespace: string | null, name?: string): string {
  const scope =
    resource.namespaced && namespace !== null ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const tail = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${resource.group}${scope}/${resource.plural}${tail}`;
}

/** `nodes`, `pod web-edge-1`, `bundle/web bundle/db`: kubectl's ways to say what is meant. */
export function targetsOf(words: readonly string[]): { resource: Resource; names: string[] } {
  const [first, ...rest] = words;
  if (first === undefined)
    throw new CliError('refused', `say what: ${RESOURCES.map(r => r.plural).join(', ')}`);
  if (!first.includes('/')) return { resource: resourceOf(first), names: [...rest] };
  const pairs = words.map(word => {
    const [kind, name, more] = word.split('/');
    if (!kind || !name || more !== undefined)
      throw new CliError('refused', `"${word}" is not KIND/NAME`);
    return { resource: resourceOf(kind), name };
  });
  const resource = pairs[0]?.resource ?? resourceOf(first);
  if (pairs.some(pair => pair.resource !== resource)) {
    throw new CliError('refused', 'one kind at a time');
  }
  return { resource, names: pairs.map(pair => pair.name) };
}
