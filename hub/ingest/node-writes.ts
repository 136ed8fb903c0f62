/**
 * What a node's turn changes in the store: reporter records, its Node, mirror pods, events. Reads what it needs there,
 * writes nothing.
 */
import { counted } from '../../protocol/counted.js';
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import type { EventRecord, PodDocument } from '../../protocol/documents/node.js';
import type { NodeObject, PodObject } from '../objects.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { RESTORING } from '../recovery/restored-store.js';
import { StoreError, type Mutation, type ReporterRecord, type Store } from '../store/store.js';
import { experienceWrites } from './experience.js';
import { foundAgain } from './absent-pods.js';
import { AHEAD_OF_HUB, aheadFault } from './ahead-of-hub.js';
import { HISTORY_REWRITTEN, historyFault, JOURNAL_INTACT } from './history-watch.js';
import { eventDraft, hubEventDraft, manifestOf, mirrorDraft, nodeDraft } from './mirror.js';
import type { NodeState } from './node-state.js';

const CONFIG_HASH = 'kubernetes.io/config.hash';

export interface NodeWriteParts {
  readonly store: Store;
  /** In force. */
  readonly root: () => TrustedRoot;
  readonly manifestsOf: (
    bundle: NonNullable<PodDocument['bundle']>,
  ) => Promise<readonly BundleManifest[] | null>;
}

export interface NodeTurn {
  readonly before: NodeObject;
  readonly reporters: readonly ReporterRecord[];
  readonly state: NodeState;
  /** RFC 3339, the hub's clock. */
  readonly now: string;
}

/** Empty before the node's first word. */
export async function nodeWrites(parts: NodeWriteParts, turn: NodeTurn): Promise<Mutation[]> {
  const { before, state, now } = turn;
  const { reporter } = state;
  if (reporter.journal === '') return [];
  const { resourceVersion } = before.metadata;
  const ahead = await aheadOf(parts, turn);
  const former = turn.reporters.filter(
    ({ current, journal }) => current && journal !== reporter.journal,
  );
  return [
    ...former.map((record): Mutation => {
      return { type: 'reporter', record: { ...record, current: false, online: false } };
    }),
    { type: 'reporter', record: reporter },
    {
      type: 'put',
      object: nodeDraft({ node: before, now, ahead, ...state }),
      expect: { resourceVersion },
    },
    ...(await podWrites(parts, before, state)),
    ...(isHeard(turn) ? await foundAgain(parts.store, before, saidNow(state)) : []),
    ...(await eventWrites(parts.store, state)),
    ...(await experienceWrites(parts.store, { before, state, now, isOnline: isHeard(turn) })),
    ...hubEvents(turn, ahead),
  ];
}

/** A restored hub learns from its nodes what it does not know: until it has heard this one nothing is strange. */
async function aheadOf({ store, root }: NodeWriteParts, turn: NodeTurn): Promise<string | null> {
  const { before, state } = turn;
  if (!state.status || before.status.conditions?.some(({ type }) => type === RESTORING))
    return null;
  const { epoch, version: rootVersion } = root().document;
  const assignment = await store.assignment(before.metadata.name);
  const generation = assignment?.epoch === epoch ? assignment.generation : 0;
  return aheadFault(state.status, { epoch, rootVersion, generation });
}

function isHeard({ before, state }: NodeTurn): boolean {
  const spoken = state.status !== null || before.status.flotilla.reportedAt !== null;
  return state.reporter.online && spoken;
}

function saidNow({ pods, gone }: NodeState) {
  return { has: (key: string) => pods.has(key) || gone.has(key) };
}

async function podWrites(
  { store, manifestsOf }: NodeWriteParts,
  before: NodeObject,
  state: NodeState,
): Promise<Mutation[]> {
  const node = before.metadata.name;
  const mutations: Mutation[] = [];
  // A node tells all its pods at once: their bundle is read for the first of them alone.
  const read = new Map<string, ReturnType<NodeWriteParts['manifestsOf']>>();
  const manifestsIn = (bundle: NonNullable<PodDocument['bundle']>) => {
    const key = `${bundle.namespace}/${bundle.name}/${bundle.revision}`;
    const found = read.get(key) ?? manifestsOf(bundle);
    read.set(key, found);
    return found;
  };
  const held = async (namespace: string, name: string) =>
    (await store.get('Pod', namespace, name)) as PodObject | null;
  for (const key of state.gone) {
    const [namespace = ''] = key.split('/');
    const name = before.status.flotilla.recorded[key]?.name ?? '';
    const object = await held(namespace, name);
    if (object?.spec.nodeName === node)
      mutations.push({ type: 'delete', kind: 'Pod', namespace, name });
  }
  for (const [key, document] of state.pods) {
    const pod = state.recorded[key];
    if (!pod) continue;
    const { digest, name } = pod;
    const manifests = document.bundle ? await manifestsIn(document.bundle) : null;
    const manifest = manifests ? manifestOf(document, manifests) : null;
    const object = mirrorDraft({ document, digest, name, manifest });
    // Two nodes may bring the same name at once: it is whose object is made first; the other's turn begins anew.
    const there = await held(object.metadata.namespace, name);
    const [, own = ''] = key.split('/');
    if (there && there.spec.nodeName !== node && name === own) {
      throw new StoreError('Conflict', `pod ${name} is node ${there.spec.nodeName ?? ''}'s`);
    }
    mutations.push({ type: 'put', object, expect: there ? 'any' : 'absent' });
  }
  return mutations;
}

async function eventWrites(store: Store, state: NodeState): Promise<Mutation[]> {
  const mutations: Mutation[] = [];
  for (const { journal, event } of state.events) {
    const { node } = state.reporter;
    const about = await subjectOf(store, state, event);
    mutations.push({
      type: 'put',
      object: eventDraft(event, { node, journal, ...about }),
      expect: 'any',
    });
  }
  return mutations;
}

/** kubectl asks for a mirror pod's events by its configuration hash, for a node's by its name. */
async function subjectOf(
  store: Store,
  state: NodeState,
  { involved }: EventRecord,
): Promise<{ name: string; uid: string }> {
  const { kind, namespace, name, uid } = involved;
  const { node } = state.reporter;
  if (kind === 'Node') return { name: node, uid: node };
  if (kind === 'Bundle') {
    return { name, uid: (await store.get('Bundle', namespace, name))?.metadata.uid ?? '' };
  }
  const key = `${namespace}/${name}`;
  const shownAs = state.recorded[key]?.name ?? name;
  const said = state.pods.get(key)?.pod['metadata'] as
    { annotations?: Record<string, unknown> } | undefined;
  const hash = said?.annotations?.[CONFIG_HASH];
  if (typeof hash === 'string') return { name: shownAs, uid: hash };
  const object = (await store.get('Pod', namespace, shownAs)) as PodObject | null;
  const known = object?.spec.nodeName === node ? object.metadata.annotations[CONFIG_HASH] : null;
  return { name: shownAs, uid: known ?? uid };
}

/** The hub's own words about the node. */
function hubEvents(turn: NodeTurn, ahead: string | null): Mutation[] {
  const { before, state, now } = turn;
  const node = before.metadata.name;
  const event = (type: 'Normal' | 'Warning', reason: string, message: string): Mutation => ({
    type: 'put',
    object: hubEventDraft({ node, type, reason, message, now }),
    expect: 'any',
  });
  const wasReady = before.status.conditions?.find(c => c.type === 'Ready')?.status !== 'Unknown';
  const isReady = isHeard(turn);
  const events: Mutation[] = [];
  if (isReady && !wasReady) events.push(event('Normal', 'NodeReady', `Node ${node} is connected`));
  if (!isReady && wasReady) {
    events.push(event('Warning', 'NodeNotReady', `Node ${node} is not connected`));
  }
  const fault = state.status && historyFault(before.status.flotilla, state.status);
  const isKnown = before.status.conditions?.some(({ type }) => type === JOURNAL_INTACT);
  if (fault !== null && isKnown !== true) {
    const message = `The journal of this node was rewritten: ${fault}`;
    events.push(event('Warning', HISTORY_REWRITTEN, message));
  }
  const wasAhead = before.status.conditions?.some(({ type }) => type === AHEAD_OF_HUB);
  if (ahead !== null && wasAhead !== true)
    events.push(event('Warning', AHEAD_OF_HUB, `This node is ahead of the hub: ${ahead}`));
  if (state.lostEvents > 0) {
    const message = `${counted(state.lostEvents, 'event')} of this node ${state.lostEvents === 1 ? 'was' : 'were'} dropped there before they arrived`;
    events.push(event('Warning', 'EventsLost', message));
  }
  return events;
}
