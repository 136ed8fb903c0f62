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
} from '../../protocol/documents.js';
import type { NodeExtra, RecordedPod } from '../objects.js';
import type { ReporterRecord } from '../store/store.js';

export interface NodeState {
  /** Of the current journal. */
  readonly reporter: ReporterRecord;
  /** Superseded for ever. */
  readonly formerJournals: ReadonlySet<string>;
  /** The newest status, if it came in this turn. */
  readonly status: StatusDocument | null;
  readonly recorded: Readonly<Record<string, RecordedPod>>;
  /** Pod documents to record, by key. */
  readonly pods: ReadonlyMap<string, PodDocument>;
  /** Keys of pods that are gone. */
  readonly gone: ReadonlySet<string>;
  /** To record, in order. */
  readonly events: readonly EventRecord[];
  /** Events that left the node's outbox unseen. */
  readonly lostEvents: number;
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
  extra: Pick<NodeExtra, 'recorded'>,
): NodeState {
  const current = reporters.find(reporter => reporter.current);
  return {
    reporter: current ?? newReporter(node, ''),
    formerJournals: new Set(reporters.filter(r => !r.current).map(r => r.journal)),
    status: null,
    recorded: extra.recorded,
    pods: new Map(),
    gone: new Set(),
    events: [],
    lostEvents: 0,
    acknowledge: false,
    named: new Set(),
  };
}

/**
 * A journal never seen supersedes the one before: its counters begin anew, and so does the order of pod documents. Null:
 * a former journal, ignored.
 */
export function underJournal(state: NodeState, { node, journal }: NodeStamp): NodeState | null {
  if (state.reporter.journal === journal) return state;
  if (state.formerJournals.has(journal)) return null;
  const formerJournals = new Set(state.formerJournals);
  if (state.reporter.journal !== '') formerJournals.add(state.reporter.journal);
  const { online } = state.reporter;
  return {
    ...state,
    reporter: { ...newReporter(node, journal), online },
    formerJournals,
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

export function withPresence(state: NodeState, document: PresenceDocument): NodeState {
  const { presenceBoot, presenceN } = state.reporter;
  const now = { boot: document.boot, counter: document.n };
  const before = { boot: presenceBoot, counter: presenceN };
  const same = now.boot === before.boot && now.counter === before.counter;
  // The will and the birth of one connection share their number: offline is the later of the two.
  const later = isAfter(now, before) || (same && !document.online);
  if (!later) return state;
  const { boot, n, online } = document;
  return { ...state, reporter: { ...state.reporter, presenceBoot: boot, presenceN: n, online } };
}

export function withStatus(state: NodeState, document: StatusDocument): NodeState {
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
  const pods = new Map([...state.pods].filter(([key]) => !gone.has(key)));
  const reporter = { ...state.reporter, boot, counter };
  return { ...state, reporter, status: document, recorded, gone, pods, acknowledge: true };
}

/** `name`: of the object that will hold it. */
export function withPod(state: NodeState, document: PodDocument, name: string): NodeState {
  const key = podKeyOf(document);
  if (key === null) return state;
  const named = new Set(state.named).add(key);
  const before = state.recorded[key];
  if (before && !isAfter(document, before)) return { ...state, named, acknowledge: true };
  const { boot, counter } = document;
  const recorded = {
    ...state.recorded,
    [key]: { digest: podDigest(document), name: before?.name ?? name, boot, counter },
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

/** `namespace/name`; null for a document whose pod has none. */
export function podKeyOf({ pod }: PodDocument): string | null {
  const metadata = pod['metadata'] as { namespace?: unknown; name?: unknown } | undefined;
  const { namespace, name } = metadata ?? {};
  return typeof namespace === 'string' && typeof name === 'string' ? `${namespace}/${name}` : null;
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
    events.push(event);
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

/** Pods whose recorded document is not the one that the newest status names: the node is asked for these. */
export function outdatedPods(extra: Pick<NodeExtra, 'pods' | 'recorded'>): string[] {
  return Object.keys(extra.pods).filter(
    key => extra.pods[key]?.digest !== extra.recorded[key]?.digest,
  );
}
