/**
 * What the hub knows of one node's reports, and how each document changes it: ordered by (journal, boot, counter), so
 * that what comes late, twice or out of order changes nothing it should not. Pure: state in, state and effects out.
 */
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type {
  EventDocument,
  EventRecord,
  NodeStamp,
  PodDocument,
  PresenceDocument,
  StatusDocument,
} from '../../protocol/documents/node.js';
import { LABEL_PATTERN, SUBDOMAIN_PATTERN } from '../../protocol/names.js';
import { podFullName } from '../../protocol/pod-identity.js';
import type { HistoryAnchor, NodeExtra, RecordedPod } from '../objects.js';
import type { ReporterRecord } from '../store/store.js';
import { anchorOf, nextAnchor, NO_ANCHOR } from './history-watch.js';
import { withReport, withSession, type Starts } from './starts.js';

export interface NodeState {
  /** Of the current journal. */
  readonly reporter: ReporterRecord;
  /** Superseded for ever. */
  readonly formerJournals: ReadonlySet<string>;
  /** It spoke, or said that it is online, since the hub's link came up. */
  readonly connected: boolean;
  /** What the newest status lists, in this turn or before. */
  readonly listed: StatusDocument['pods'];
  /** The newest status, if it came in this turn. */
  readonly status: StatusDocument | null;
  readonly recorded: Readonly<Record<string, RecordedPod>>;
  /** Pod documents to record, by key. */
  readonly pods: ReadonlyMap<string, PodDocument>;
  /** Keys of pods that are gone. */
  readonly gone: ReadonlySet<string>;
  /** To record, in order, each with the journal that numbers it. */
  readonly events: readonly { readonly journal: string; readonly event: EventRecord }[];
  /** Events that left the node's outbox unseen. */
  readonly lostEvents: number;
  /** What is remembered of the node's starts. */
  readonly starts: Starts;
  /** Of the journal's history. */
  readonly anchor: HistoryAnchor;
  /** Key id of whoever signed the newest status, if it came in this turn. */
  readonly signedBy: string;
  /** Something was said that deserves an ack, new or not. */
  readonly acknowledge: boolean;
  /** Keys of pod documents that came, new or not. */
  readonly named: ReadonlySet<string>;
}

export function newReporter(node: string, journal: string): ReporterRecord {
  return {
    node,
    journal,
    current: true,
    boot: 0,
    counter: 0,
    presenceBoot: 0,
    presenceN: 0,
    online: false,
    through: 0,
  };
}

/** The state before the first document of a turn. */
export function stateOf(
  node: string,
  reporters: readonly ReporterRecord[],
  known: Pick<NodeExtra, 'recorded' | 'pods' | 'starts' | 'journal' | 'history'> & {
    readonly connected: boolean;
  },
): NodeState {
  const current = reporters.find(reporter => reporter.current);
  return {
    reporter: current ?? newReporter(node, ''),
    formerJournals: new Set(reporters.filter(r => !r.current).map(r => r.journal)),
    connected: known.connected,
    listed: known.pods,
    status: null,
    recorded: known.recorded,
    pods: new Map(),
    gone: new Set(),
    events: [],
    lostEvents: 0,
    starts: known.starts ?? [],
    anchor: anchorOf(known, current?.journal ?? ''),
    signedBy: '',
    acknowledge: false,
    named: new Set(),
  };
}

/** How a document came. */
export interface Arrival {
  /** Presence is the first that a node says on a connection (`birth`), and the last (`will`), which it says itself or the broker in its name. */
  readonly presence: 'birth' | 'will' | null;
  readonly retained: boolean;
}

export function wordOf({ online }: Pick<PresenceDocument, 'online'>): 'birth' | 'will' {
  return online ? 'birth' : 'will';
}

/** What a signature says of a document. */
export interface Signed {
  /** SHA-256 of the payload. */
  readonly digest: string;
  /** Key id. */
  readonly signedBy: string;
}

/**
 * A journal never seen supersedes the one before: its counters begin anew, and so does the order of pod documents. Null,
 * to be ignored: a former journal, and of an unknown one, while another is known, its will, and while that one is connected a
 * retained word: these are left from between the two, and taking them would silence the living one for ever.
 */
export function underJournal(
  state: NodeState,
  { node, journal }: NodeStamp,
  { presence, retained }: Arrival,
): NodeState | null {
  if (state.reporter.journal === journal) return state;
  if (state.formerJournals.has(journal)) return null;
  if (presence === 'will' && state.reporter.journal !== '') return null;
  if (state.connected && retained && presence === null) return null;
  const formerJournals = new Set(state.formerJournals);
  if (state.reporter.journal !== '') formerJournals.add(state.reporter.journal);
  return {
    ...state,
    reporter: newReporter(node, journal),
    formerJournals,
    connected: false,
    // Numbers begin anew.
    starts: [],
    anchor: NO_ANCHOR,
    listed: {},
    status: null,
    recorded: Object.fromEntries(
      Object.entries(state.recorded).map(([key, pod]) => [key, { ...pod, boot: 0, counter: 0 }]),
    ),
  };
}

interface Order {
  readonly boot: number;
  readonly counter: number;
}

function isAfter(a: Order, b: Order): boolean {
  return a.boot > b.boot || (a.boot === b.boot && a.counter > b.counter);
}

/**
 * The greater (boot, n) wins. Will and birth of one connection share their number: the one that came last counts, for a
 * node that reads its own will while it is connected says its birth again.
 */
export function withPresence(before: NodeState, document: PresenceDocument): NodeState {
  const state = { ...before, starts: withSession(before.starts, document) };
  const { presenceBoot, presenceN } = state.reporter;
  const { boot, n, online } = document;
  if (isAfter({ boot: presenceBoot, counter: presenceN }, { boot, counter: n })) return state;
  const reporter = { ...state.reporter, presenceBoot: boot, presenceN: n, online };
  return { ...state, reporter, connected: online };
}

/** One that is said just now proves that the node is there, whatever became of its presence. */
export function withStatus(
  before: NodeState,
  document: StatusDocument,
  { retained, digest = '', signedBy = '' }: Pick<Arrival, 'retained'> & Partial<Signed>,
): NodeState {
  const starts = withReport(before.starts, { ...document, digest });
  const state = { ...before, starts };
  if (!isAfter(document, state.reporter)) return { ...state, acknowledge: true };
  const { boot, counter } = document;
  const gone = new Set(state.gone);
  const recorded = { ...state.recorded };
  for (const [key, pod] of Object.entries(state.recorded)) {
    // A document that was signed after this status says more than its absence there.
    if (Object.hasOwn(document.pods, key) || isAfter(pod, document)) continue;
    gone.add(key);
    delete recorded[key];
  }
  const online = state.reporter.online || !retained;
  return {
    ...state,
    reporter: { ...state.reporter, boot, counter, online },
    connected: state.connected || !retained,
    listed: document.pods,
    status: document,
    anchor: nextAnchor(state.anchor, document),
    signedBy,
    recorded,
    gone,
    pods: new Map([...state.pods].filter(([key]) => !gone.has(key))),
    acknowledge: true,
  };
}

/** `name`: of the object that will hold it. */
export function withPod(state: NodeState, document: PodDocument, name: string): NodeState {
  const key = podKeyOf(document);
  if (key === null) return state;
  const named = new Set(state.named).add(key);
  const before = state.recorded[key];
  if (before && !isAfter(document, before)) return { ...state, named, acknowledge: true };
  // Late news of a pod that a later status knows nothing of.
  if (!isAfter(document, state.reporter) && !Object.hasOwn(state.listed, key)) return state;
  const { boot, counter } = document;
  const recorded = {
    ...state.recorded,
    [key]: { digest: podDigest(document), name, boot, counter },
  };
  const gone = new Set(state.gone);
  gone.delete(key);
  return {
    ...state,
    named,
    recorded,
    gone,
    pods: new Map(state.pods).set(key, document),
    acknowledge: true,
  };
}

export function podDigest(document: PodDocument): string {
  return sha256Hex(canonicalJson(document.pod));
}

/**
 * `namespace/name`; null for a name that this node cannot have given: every name ends in the node's own, so that no node
 * speaks about another's pods.
 */
export function podKeyOf({ node, pod }: Pick<PodDocument, 'node' | 'pod'>): string | null {
  const metadata = pod['metadata'] as { namespace?: unknown; name?: unknown } | undefined;
  const { namespace, name } = metadata ?? {};
  if (typeof namespace !== 'string' || typeof name !== 'string') return null;
  const isSound =
    LABEL_PATTERN.test(namespace) &&
    SUBDOMAIN_PATTERN.test(name) &&
    name.endsWith(podFullName('', node));
  return isSound ? `${namespace}/${name}` : null;
}

/** In order from the next number on; what lies before `oldest` is lost; a hole is waited for. */
export function withEvents(state: NodeState, document: EventDocument): NodeState {
  let { through } = state.reporter;
  let { lostEvents } = state;
  if (document.oldest > through + 1) {
    lostEvents += document.oldest - through - 1;
    through = document.oldest - 1;
  }
  const events = [...state.events];
  for (const event of [...document.events].sort((a, b) => a.n - b.n)) {
    if (event.n <= through) continue;
    if (event.n !== through + 1) break;
    events.push({ journal: state.reporter.journal, event });
    through = event.n;
  }
  return {
    ...state,
    events,
    lostEvents,
    reporter: { ...state.reporter, through },
    acknowledge: true,
  };
}

/** Pods whose recorded document is not the one that the newest status names, with the digest that it names. */
export function outdatedPods({
  listed,
  recorded,
}: Pick<NodeState, 'listed' | 'recorded'>): ReadonlyMap<string, string> {
  const all = Object.entries(listed).map(([key, { digest }]): [string, string] => [key, digest]);
  return new Map(all.filter(([key, digest]) => recorded[key]?.digest !== digest));
}
