/**
 * What containers said last on nodes where a bundle's revision was given up: opened when it is read, from the events in which the
 * nodes told it. Never written down in clear.
 */
import type { KeyObject } from 'node:crypto';
import { openLastWords, type LastWords } from '../../protocol/last-words.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { EventObject, NodeObject } from '../objects.js';
import type { Store } from '../store/store.js';

export interface BundleOfFleet {
  readonly fleet: string;
  readonly namespace: string;
  readonly name: string;
}

/** `fault`: why there are none to read, although the node sent some. */
export type SpokenWords = { readonly node: string } & (
  Pick<LastWords, 'pod' | 'container' | 'text'> | { readonly fault: string }
);

/** Of one node and bundle, opened for one question. */
const OPENED_MAX = 8;

/** Newest first. */
function younger(a: EventObject, b: EventObject): number {
  const [x, y] = [a.spec, b.spec];
  if (x.flotilla.journal === y.flotilla.journal) return y.flotilla.n - x.flotilla.n;
  return Date.parse(y.lastTimestamp) - Date.parse(x.lastTimestamp);
}

/**
 * The words of the revision that the node itself says it gave up, by digest; null: it gave up none, or sent no words of it. Pure.
 *
 * @param events of any node and object
 */
export function wordsOf(
  of: BundleOfFleet & { readonly node: string; readonly failed: string | null },
  events: readonly EventObject[],
  key: KeyObject,
): SpokenWords | null {
  const { node, namespace, name, failed } = of;
  if (failed === null) return null;
  let fault: string | null = null;
  const own = events.filter(({ spec: { reason, flotilla, involvedObject: about } }) => {
    const isAbout = about.kind === 'Bundle' && about.namespace === namespace && about.name === name;
    return reason === 'BundleFailed' && flotilla.node === node && isAbout;
  });
  for (const { spec } of own.sort(younger).slice(0, OPENED_MAX)) {
    if (spec.flotilla.output === undefined) continue;
    const opened = openLastWords(spec.flotilla.output, of, key);
    if (!opened.ok) fault ??= opened.refusal.detail;
    else if (opened.value.digest === failed) {
      const { pod, container, text } = opened.value;
      return { node, pod, container, text };
    }
  }
  return fault === null ? null : { node, fault };
}

function failedOn(node: NodeObject, { namespace, name }: BundleOfFleet): string | null {
  const bundles: readonly BundleStatus[] = node.status.flotilla.bundles;
  return bundles.find(one => one.namespace === namespace && one.name === name)?.failed ?? null;
}

export interface LastWordsParts {
  readonly store: Pick<Store, 'get' | 'list'>;
  readonly fleet: string;
  /** The hub's private X25519 key. */
  readonly key: KeyObject;
}

export type ReadLastWords = (
  bundle: Pick<BundleOfFleet, 'namespace' | 'name'>,
  nodes: readonly string[],
) => Promise<readonly SpokenWords[]>;

/** Nodes that are not known, and those that sent none, are left out. */
export function lastWordsReader({ store, fleet, key }: LastWordsParts): ReadLastWords {
  return async ({ namespace, name }, nodes) => {
    const bundle = { fleet, namespace, name };
    const { items } = await store.list('Event', { namespace });
    const found: SpokenWords[] = [];
    for (const node of nodes) {
      const object = (await store.get('Node', '', node)) as NodeObject | null;
      const failed = object && failedOn(object, bundle);
      const words = wordsOf({ ...bundle, node, failed }, items as readonly EventObject[], key);
      if (words !== null) found.push(words);
    }
    return found;
  };
}
