/** How what a node says changes what the hub knows: order, gaps, doubles, journals. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  newReporter,
  outdatedPods,
  podDigest,
  podKeyOf,
  stateOf,
  underJournal,
  withEvents,
  withPod,
  withPresence,
  withStatus,
  type NodeState,
} from '../../../hub/ingest/node-state.js';
import type { RecordedPod } from '../../../hub/objects.js';
import type { ReporterRecord } from '../../../hub/store/store.js';
import type {
  EventDocument,
  PodDocument,
  PresenceDocument,
  StatusDocument,
} from '../../../protocol/documents/node.js';
import { FLEET } from '../../support/fleet.js';

const NODE = 'edge1';
const [A, B, C] = ['a', 'b', 'c'].map(one => one.repeat(32)) as [string, string, string];
const KEY = 'default/web-edge1';
const stamp = { fleet: FLEET, node: NODE, journal: A, boot: 1 };
const LIVE = { retained: false };
const KEPT = { retained: true };

function reporter(change: Partial<ReporterRecord> = {}): ReporterRecord {
  return { ...newReporter(NODE, A), ...change };
}

function state(change: Partial<NodeState> = {}): NodeState {
  const known = { journal: null, recorded: {}, pods: {}, connected: false };
  return { ...stateOf(NODE, [reporter()], known), ...change };
}

function presence(boot: number, n: number, online: boolean): PresenceDocument {
  return { ...stamp, boot, n, online, session: 's'.repeat(32) };
}

function status(counter: number, pods: Record<string, string> = {}): StatusDocument {
  const summaries = Object.entries(pods).map(([key, digest]): [string, object] => [
    key,
    { digest, phase: 'Running', ready: true },
  ]);
  const history = { row: counter, head: null, oldest: 1, known: null };
  const said = { ...stamp, counter, history, pods: Object.fromEntries(summaries) };
  return said as unknown as StatusDocument;
}

function pod(counter: number, phase = 'Running', name = 'web-edge1'): PodDocument {
  return {
    ...stamp,
    counter,
    source: 'file',
    bundle: null,
    pod: { metadata: { namespace: 'default', name }, status: { phase } },
  };
}

function events(oldest: number, ...numbers: number[]): EventDocument {
  const all = numbers.map(n => ({ n, message: `event ${n}` }));
  return { ...stamp, counter: 1, oldest, events: all } as unknown as EventDocument;
}

function recordedAs(document: PodDocument): RecordedPod {
  const { boot, counter } = document;
  return { digest: podDigest(document), name: 'web-edge1', boot, counter };
}

describe('presence', () => {
  const before = reporter({ presenceBoot: 2, presenceN: 5, online: true });
  const ROWS: readonly [string, PresenceDocument, boolean][] = [
    ['of a later connection counts', presence(2, 6, false), false],
    ['of a later boot counts, whatever its number', presence(3, 1, false), false],
    ['of an earlier connection (a late will) does not', presence(2, 4, false), true],
    ['of an earlier boot does not', presence(1, 9, false), true],
    ['that is the will of the connection ends it', presence(2, 5, false), false],
  ];
  for (const [sentence, document, online] of ROWS) {
    test(sentence, () => {
      const after = withPresence(state({ reporter: before }), document);
      assert.equal(after.reporter.online, online);
    });
  }

  test('that is said again after its own will counts: the node read it while it was connected', () => {
    const offline = withPresence(state({ reporter: before }), presence(2, 5, false));
    const again = withPresence(offline, presence(2, 5, true));
    assert.equal(again.reporter.online, true);
    assert.equal(again.connected, true);
  });
});

describe('status', () => {
  const before = state({ reporter: reporter({ boot: 1, counter: 10 }) });

  test('that is newer is recorded; the same again or an older one is only acknowledged', () => {
    const after = withStatus(before, status(11), LIVE);
    assert.equal(after.status?.counter, 11);
    assert.deepEqual([after.reporter.counter, after.acknowledge], [11, true]);
    for (const counter of [10, 9]) {
      const same = withStatus(before, status(counter), LIVE);
      assert.equal(same.status, null);
      assert.deepEqual([same.reporter.counter, same.acknowledge], [10, true]);
    }
  });

  test('that is said now proves that the node is there; a kept one does not', () => {
    assert.equal(withStatus(before, status(11), LIVE).reporter.online, true);
    assert.equal(withStatus(before, status(11), KEPT).reporter.online, false);
  });

  test('removes pods that it does not list, but none that was told after it', () => {
    const old = recordedAs(pod(5));
    const young = recordedAs(pod(20, 'Running', 'new-edge1'));
    const recorded = { [KEY]: old, 'default/new-edge1': young };
    const after = withStatus({ ...before, recorded }, status(11), LIVE);
    assert.deepEqual([...after.gone], [KEY]);
    assert.deepEqual(Object.keys(after.recorded), ['default/new-edge1']);
  });

  test('takes back a pod of the same turn that was told before it', () => {
    const told = withPod(state(), pod(5), 'web-edge1');
    const after = withStatus(told, status(6), LIVE);
    assert.deepEqual([[...after.pods.keys()], [...after.gone]], [[], [KEY]]);
  });
});

describe('a pod document', () => {
  const before = state({
    reporter: reporter({ boot: 1, counter: 10 }),
    recorded: { [KEY]: recordedAs(pod(8)) },
    listed: status(10, { [KEY]: podDigest(pod(8)) }).pods,
  });
  const ROWS: readonly [string, NodeState, PodDocument, 'recorded' | 'acknowledged' | 'ignored'][] =
    [
      ['that is newer is recorded', before, pod(9, 'Failed'), 'recorded'],
      ['that came twice is acknowledged again', before, pod(8), 'acknowledged'],
      ['that is older changes nothing', before, pod(7, 'Pending'), 'acknowledged'],
      ['of a pod not seen before is recorded', before, pod(11, 'Running', 'db-edge1'), 'recorded'],
      [
        'of a pod that a later status does not list is ignored',
        before,
        pod(9, 'Running', 'db-edge1'),
        'ignored',
      ],
      [
        'that is missing, as the status lists it, is recorded however late it is',
        { ...before, recorded: {} },
        pod(9),
        'recorded',
      ],
      [
        'about a pod of another node is ignored',
        before,
        pod(11, 'Running', 'web-edge2'),
        'ignored',
      ],
      [
        'with a name that no pod has is ignored',
        before,
        pod(11, 'Running', 'No Name-edge1'),
        'ignored',
      ],
    ];
  for (const [sentence, from, document, expected] of ROWS) {
    test(sentence, () => {
      const after = withPod(from, document, 'shown');
      assert.equal(after.pods.size > 0, expected === 'recorded');
      assert.equal(after.acknowledge, expected !== 'ignored');
      if (expected === 'ignored') assert.equal(after, from);
    });
  }

  test('is shown under the name that it is given, one that came late keeps its own', () => {
    const after = withPod(before, pod(9, 'Failed'), 'other');
    assert.equal(after.recorded[KEY]?.name, 'other');
    assert.equal(withPod(before, pod(7), 'other').recorded[KEY]?.name, 'web-edge1');
  });

  test('is asked for when the status names another digest, or one that is not there', () => {
    const listed = status(11, { [KEY]: 'e'.repeat(64), 'default/db-edge1': 'f'.repeat(64) }).pods;
    const outdated = outdatedPods({ listed, recorded: before.recorded });
    assert.deepEqual([...outdated.keys()], [KEY, 'default/db-edge1']);
    assert.equal(outdatedPods({ listed: before.listed, recorded: before.recorded }).size, 0);
  });

  const NAMES: readonly [unknown, string | null][] = [
    [{ namespace: 'default', name: 'web-edge1' }, KEY],
    [{ namespace: 'default', name: 'web' }, null],
    [{ namespace: '', name: 'web-edge1' }, null],
    [{ namespace: 'a/b', name: 'web-edge1' }, null],
    [{ namespace: 'default', name: 7 }, null],
    [{ name: 'web-edge1' }, null],
    [undefined, null],
    [null, null],
  ];
  for (const [metadata, expected] of NAMES) {
    test(`${JSON.stringify(metadata)} is the key ${expected ?? 'of nothing'}`, () => {
      assert.equal(podKeyOf({ node: NODE, pod: { metadata } }), expected);
    });
  }
});

describe('events', () => {
  type Row = [string, number, EventDocument, { n: number[]; lost: number; through: number }];
  const ROWS: readonly Row[] = [
    ['begin at one', 0, events(1, 1, 2), { n: [1, 2], lost: 0, through: 2 }],
    ['go on where they were', 5, events(1, 6, 7), { n: [6, 7], lost: 0, through: 7 }],
    ['are recorded once', 5, events(1, 4, 5, 6), { n: [6], lost: 0, through: 6 }],
    ['that came all before change nothing', 5, events(1, 4, 5), { n: [], lost: 0, through: 5 }],
    ['are put in order', 0, events(1, 2, 1), { n: [1, 2], lost: 0, through: 2 }],
    ['beyond a gap wait for what fills it', 5, events(1, 7, 8), { n: [], lost: 0, through: 5 }],
    ['before a gap are taken', 5, events(1, 6, 8), { n: [6], lost: 0, through: 6 }],
    ['that left the outbox are lost', 5, events(9, 9, 10), { n: [9, 10], lost: 3, through: 10 }],
    ['are lost even where the rest waits', 5, events(9, 11), { n: [], lost: 3, through: 8 }],
  ];
  for (const [sentence, through, document, expected] of ROWS) {
    test(sentence, () => {
      const after = withEvents(state({ reporter: reporter({ through }) }), document);
      const n = after.events.map(({ event }) => event.n);
      assert.deepEqual({ n, lost: after.lostEvents, through: after.reporter.through }, expected);
      assert.equal(after.acknowledge, true);
    });
  }

  test('of two documents in one turn follow each other', () => {
    const after = withEvents(withEvents(state(), events(1, 1)), events(1, 1, 2));
    assert.deepEqual(
      after.events.map(({ event, journal }) => [journal, event.n]),
      [
        [A, 1],
        [A, 2],
      ],
    );
  });
});

describe('a journal', () => {
  const known = stateOf(NODE, [reporter({ boot: 4, counter: 40, through: 7 })], {
    recorded: { [KEY]: { ...recordedAs(pod(30)), boot: 4 } },
    journal: A,
    pods: {},
    connected: true,
  });
  const doc = (journal: string) => ({ ...stamp, journal });
  const said = { presence: null, retained: false } as const;

  test('that is the current one changes nothing', () => {
    assert.equal(underJournal(known, doc(A), said), known);
  });

  test('that was never seen supersedes: its counters, events and pods begin anew', () => {
    const after = underJournal(known, doc(B), said);
    assert.ok(after);
    assert.deepEqual(after.reporter, newReporter(NODE, B));
    assert.deepEqual([...after.formerJournals], [A]);
    const retold = withPod(after, { ...pod(1, 'Failed'), journal: B }, '');
    assert.equal(retold.pods.size, 1);
  });

  test('that was superseded is ignored for ever', () => {
    const after = underJournal(known, doc(B), said);
    assert.ok(after);
    assert.equal(underJournal(after, doc(A), said), null);
    const third = underJournal(after, doc(C), said);
    assert.ok(third);
    for (const former of [A, B]) assert.equal(underJournal(third, doc(former), said), null);
  });

  test('that the broker kept from between two others does not silence the living one', () => {
    assert.equal(underJournal(known, doc(B), { presence: null, retained: true }), null);
    assert.ok(underJournal(known, doc(B), { presence: 'birth', retained: true }));
    const away = { ...known, connected: false };
    assert.ok(underJournal(away, doc(B), { presence: null, retained: true }));
  });

  test('of which the will alone is known, which comes late, silences nobody; it may be the first of all', () => {
    const will = { presence: 'will', retained: false } as const;
    const away = { ...known, connected: false };
    for (const state of [known, away])
      assert.deepEqual(
        [underJournal(state, doc(B), will), underJournal(state, doc(A), will)],
        [null, state],
      );
    const nothing = stateOf(NODE, [], { recorded: {}, journal: null, pods: {}, connected: false });
    assert.equal(underJournal(nothing, doc(B), will)?.reporter.journal, B);
  });
});
