/**
 * The places of all bundles whose number of nodes is limited, as the recorded assignments take
 * them, and what is said when there are not enough. Reads the store, and writes that one event.
 */
import { counted } from '../../protocol/counted.js';
import type { Mutation, Store } from '../store/store.js';
import type { BundleObject, EventObject } from '../objects.js';
import { hubEventDraft } from '../ingest/mirror.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { assignmentOf } from './director.js';
import { Places } from './reach.js';
import type { Candidate } from './rollout.js';

/** When a place of a bundle whose number of nodes is limited was given away last. */
const PLACED_ANNOTATION = 'flotilla.dev/placed-at';

type Named = Pick<Candidate, 'namespace' | 'name'>;

const keyOf = ({ namespace, name }: Named) => `${namespace}/${name}`;

export interface FleetPlaces {
  take(
    candidate: Candidate,
    node: { readonly node: string; readonly labels: Readonly<Record<string, string>> },
  ): boolean;
  /** The node begins with a bundle whose number of nodes is limited. */
  isNew(node: string): boolean;
  /**
   * To stand in the transaction that gives the new places away: a Conflict where another did so meanwhile, so that two that decide at
   * once never give one place twice. `now`: RFC 3339.
   */
  claims(now: string): Mutation[];
  /** Bundles that some nodes were selected for in vain. */
  refused(): readonly (Named & { readonly nodes: readonly string[] })[];
}

export async function placesIn(
  store: Store,
  candidates: readonly Candidate[],
): Promise<FleetPlaces> {
  const limited = candidates.filter(({ limit }) => limit !== null);
  const holders = limited.length === 0 ? new Map<string, string[]>() : await holdersIn(store);
  const places = new Map<string, Places>();
  for (const candidate of limited) {
    const key = keyOf(candidate);
    if (candidate.limit) places.set(key, new Places(candidate.limit, holders.get(key) ?? []));
  }
  const given = new Map<string, Candidate>();
  const begun = new Set<string>();
  return {
    take: (candidate, { node, labels }) => {
      const key = keyOf(candidate);
      if (!(places.get(key)?.take(node, labels) ?? true)) return false;
      if (places.has(key) && holders.get(key)?.includes(node) !== true) {
        given.set(key, candidate);
        begun.add(node);
      }
      return true;
    },
    isNew: node => begun.has(node),
    claims: now =>
      [...given.values()].flatMap(({ object }) => (object ? claimOn(object, now) : [])),
    refused: () =>
      limited.flatMap(({ namespace, name }) => {
        const nodes = places.get(keyOf({ namespace, name }))?.refused() ?? [];
        return nodes.length === 0 ? [] : [{ namespace, name, nodes }];
      }),
  };
}

/** What changes its version, and so is the turn of one alone. */
function claimOn({ kind, metadata, spec, status }: BundleObject, now: string): Mutation {
  const { namespace, name, labels, resourceVersion } = metadata;
  const annotations = { ...metadata.annotations, [PLACED_ANNOTATION]: now };
  const object = { kind, metadata: { namespace, name, labels, annotations }, spec, status };
  return { type: 'put', object, expect: { resourceVersion } };
}

/** Who is shut out takes no place. */
async function holdersIn(store: Store): Promise<Map<string, string[]>> {
  const [assignments, identities] = await Promise.all([store.assignments(), store.identities()]);
  const members = new Set(identities.filter(i => i.state === 'active').map(({ node }) => node));
  const holders = new Map<string, string[]>();
  for (const record of assignments) {
    if (!members.has(record.node)) continue;
    for (const bundle of assignmentOf(record).bundles) {
      const key = keyOf(bundle);
      holders.set(key, [...(holders.get(key) ?? []), record.node]);
    }
  }
  return holders;
}

/** One event per bundle, written again only when it says something else. */
export async function tellReach(
  { store, clock, log }: { readonly store: Store; readonly clock: Clock; readonly log: Log },
  places: FleetPlaces,
): Promise<void> {
  const mutations: Mutation[] = [];
  for (const { namespace, name, nodes } of places.refused()) {
    const message =
      `${counted(nodes.length, 'node')} that the bundle selects ${nodes.length === 1 ? 'does' : 'do'} not get it: the release keys that signed ` +
      `it reach no more; first of them: ${nodes[0]}`;
    const eventName = `${name}.beyondreach`;
    const before = (await store.get('Event', namespace, eventName)) as EventObject | null;
    if (before?.spec.message === message) continue;
    const now = new Date(clock.now()).toISOString();
    const draft = hubEventDraft({ node: '', type: 'Warning', reason: 'BeyondReach', message, now });
    const bundle = await store.get('Bundle', namespace, name);
    const uid = bundle?.metadata.uid ?? '';
    const involvedObject = { kind: 'Bundle', namespace, name, uid, fieldPath: '' };
    const spec = { ...(draft.spec as EventObject['spec']), involvedObject };
    const object = { ...draft, metadata: { namespace, name: eventName }, spec };
    mutations.push({ type: 'put', object, expect: 'any' });
    log.warn('a bundle reaches no more nodes', {
      bundle: `${namespace}/${name}`,
      nodes: nodes.length,
    });
  }
  if (mutations.length > 0) await store.commit({ kind: 'hub', name: 'controller' }, mutations);
}
