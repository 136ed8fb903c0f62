/** Asking the hub for the time, over a real journal: what an answer must be, what is kept of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { SILENT_MS } from '../../../agent/time/silence.js';
import type { Machine } from '../../../agent/time/machine.js';
import type { TimeKeeper } from '../../../agent/time/time-keeper.js';
import { canonicalJson } from '../../../protocol/canonical.js';
import { openEnvelope, seal } from '../../../protocol/envelope.js';
import type { RequestDocument } from '../../../protocol/documents/node.js';
import { toldSince } from '../../../agent/report/told-since.js';
import type { TrustedRoot } from '../../../protocol/verified.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import { SimulatedClock } from '../../sim/clock.js';
import {
  assignmentDocument,
  FLEET,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';
import { testTime } from '../../support/test-time.js';

const MINUTE = 60_000;
const DAY = 86_400_000;

let dataDir = '';
let clock: SimulatedClock;
let journal: Journal;
let keeper: TimeKeeper;
let root: TrustedRoot;
const asked: RequestDocument[] = [];

function begin(machine?: Machine): void {
  let ids = 0;
  const randomId = () => String(++ids).padStart(32, '0');
  journal = openJournal({ dataDir, clock, randomId, ...(machine ? { machine } : {}) });
  keeper = testTime(
    { identity: { fleet: FLEET, node: NODE_NAME, signer: NODE }, journal, clock },
    {
      ...(machine ? { machine } : {}),
      root: () => root,
      link: {
        connected: () => true,
        publish: async (_, payload) => {
          const opened = openEnvelope(payload, { kind: 'request', bytesMax: 4096 });
          assert.ok(opened.ok);
          asked.push(JSON.parse(opened.value.payload.toString()) as RequestDocument);
          return true;
        },
      },
    },
  );
}

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'flotilla-time-'));
  clock = new SimulatedClock(NOW);
  root = trustedRoot();
  asked.splice(0);
  begin();
});
afterEach(() => {
  keeper.close();
  journal.close();
  rmSync(dataDir, { recursive: true });
});

function time(change: Record<string, unknown> = {}, signers = [HUB]): Buffer {
  const nonce = asked[asked.length - 1]?.nonce ?? '';
  const document = { fleet: FLEET, node: NODE_NAME, nonce, time: iso(NOW), ...change };
  return seal('time', document, signers);
}

/** Moves on, with whatever wakes on the way. */
async function pass(ms: number): Promise<void> {
  for (const end = clock.now() + ms; clock.now() < end;) {
    clock.advance(end - clock.now());
    await new Promise(resolve => setImmediate(resolve));
  }
}

const iso = (ms: number) => new Date(ms).toISOString();
const codeOf = (payload: Buffer) => keeper.answer(payload)?.code ?? 'accepted';

describe('what is written down under a clock at 1970', () => {
  const step = (state: 'staged' | 'activating') => {
    const of = { namespace: 'default', name: 'shop', revision: 1, digest: 'a'.repeat(64) };
    journal.recordTransition({ ...of, attempt: 0, state, reason: 'Test', message: '' });
    const [bundle] = journal.bundles();
    return bundle?.since ?? 0;
  };
  const newest = () => {
    journal.settle();
    return readJournal(dataDir).history.at(-1)?.at ?? 0;
  };
  const underClock = (at: number) => {
    keeper.close();
    journal.close();
    clock = new SimulatedClock(at);
    begin();
    journal.stamp = keeper.stamp;
  };

  test("bears the node's time once the hub told it, and is told as it stands, when the clock is right again too", async () => {
    underClock(DAY);
    assert.equal(step('staged'), DAY);
    assert.equal(newest(), DAY);
    keeper.linkUp();
    assert.equal(codeOf(time()), 'accepted');
    await pass(MINUTE);
    const since = step('activating');
    assert.equal(iso(since), iso(NOW + MINUTE));
    assert.equal(newest(), since);
    assert.equal(keeper.correct(since), since);
    await pass(MINUTE);
    assert.equal(keeper.correct(since), since);
    underClock(NOW + DAY);
    assert.equal(journal.bundles()[0]?.since, since);
    assert.equal(keeper.correct(since), since);
  });

  describe('and is told by an agent that begins with the right clock', () => {
    /** As this agent tells the state that an agent recorded under `then`. */
    const toldOf = (
      then: number,
      { passed = 3_600_000, isReboot = false }: { passed?: number; isReboot?: boolean } = {},
    ) => {
      const ofRun = (at: number, bootId: string, uptime: number) => {
        keeper.close();
        journal.close();
        clock = new SimulatedClock(at);
        const from = clock.monotonic();
        begin({ bootId, uptimeMs: () => uptime + clock.monotonic() - from });
        journal.stamp = keeper.stamp;
        journal.floor = keeper.floor;
      };
      ofRun(then, 'machine-1', 60_000);
      const since = step('activating');
      if (isReboot) ofRun(NOW, 'machine-2', 5_000);
      else ofRun(NOW, 'machine-1', 60_000 + passed);
      const records = journal.bundles();
      const told = records.map(one => ({ ...one, failed: null, since: iso(since) }));
      return toldSince(told, { records, time: keeper })[0]?.since;
    };

    test('in the same run of the machine: by its uptime, whether it stood in 1970 or in 2099', () => {
      const anHourAgo = iso(NOW - 3_600_000);
      assert.equal(toldOf(DAY), anHourAgo);
      assert.equal(toldOf(Date.parse('2099-01-01')), anHourAgo);
      assert.equal(toldOf(NOW - 3_600_000), anHourAgo);
    });

    test('in a later one: one that cannot be right as of what was proven to be past then, a right one as it was', () => {
      assert.equal(toldOf(DAY, { isReboot: true }), iso(keeper.floor()));
      const future = Date.parse('2099-01-01');
      assert.equal(toldOf(future, { isReboot: true }), iso(keeper.floor()));
      assert.equal(toldOf(NOW - 3_600_000, { isReboot: true }), iso(NOW - 3_600_000));
    });
  });

  test('events keep the word of the clock, which is put right when they are told', () => {
    underClock(DAY);
    keeper.linkUp();
    assert.equal(codeOf(time()), 'accepted');
    const involved = { kind: 'Node' as const, namespace: '', name: 'n', uid: '', fieldPath: '' };
    journal.record({ type: 'Normal', reason: 'Test', message: '', involved });
    assert.equal(journal.events(0, 1)[0]?.at, iso(DAY));
    assert.equal(journal.events(0, 1, keeper.timeOf)[0]?.at, iso(NOW));
  });
});

describe('an answer of the hub to the question for the time', () => {
  const rows: [string, () => Buffer, string][] = [
    ['with its nonce is accepted', () => time(), 'accepted'],
    ['S30: with another nonce', () => time({ nonce: 'f'.repeat(32) }), 'NotFresh'],
    ['S30: for another node', () => time({ node: 'edge-2' }), 'WrongNode'],
    ['S30: older than the root', () => time({ time: '2025-12-31T23:59:59.000Z' }), 'Rollback'],
    ['of another fleet', () => time({ fleet: '0'.repeat(32) }), 'WrongFleet'],
    ['that no hub signed', () => time({}, [signer('stranger')]), 'BadSignature'],
    ['of no calendar', () => time({ time: '2026-13-45T00:00:00.000Z' }), 'Malformed'],
    ['that is longer than any', () => time({ pad: 'x'.repeat(2000) }), 'TooLarge'],
  ];
  for (const [sentence, payload, code] of rows) {
    test(sentence, () => {
      keeper.linkUp();
      assert.equal(codeOf(payload()), code);
      assert.equal(keeper.now().clock, code === 'accepted' ? 'synced' : 'floor');
    });
  }

  test('S30: an accepted one that comes again changes nothing; after its minute it is a replay, and refused', async () => {
    keeper.linkUp();
    const answer = time();
    assert.equal(codeOf(answer), 'accepted');
    await pass(MINUTE / 2);
    const before = keeper.now();
    assert.equal(codeOf(answer), 'accepted');
    assert.deepEqual(keeper.now(), before);
    assert.equal(codeOf(time({ time: '2026-07-02T00:00:00.000Z' })), 'NotFresh');
    await pass(MINUTE);
    assert.equal(codeOf(answer), 'NotFresh');
  });

  test('after a minute of uptime it is not fresh, whatever the clock says', async () => {
    keeper.linkUp();
    const answer = time();
    await pass(MINUTE + 1);
    assert.equal(codeOf(answer), 'NotFresh');
  });

  test('no answer: asked again, further and further apart; an answer: once a day', async () => {
    keeper.linkUp();
    await pass(3_600_000);
    assert.ok(asked.length >= 4 && asked.length <= 8, String(asked.length));
    keeper.linkUp();
    assert.equal(codeOf(time()), 'accepted');
    const before = asked.length;
    await pass(DAY - MINUTE);
    assert.equal(asked.length, before);
    await pass(MINUTE + 1_000);
    assert.equal(asked.length, before + 1);
  });
});

describe('what is kept of it', () => {
  test('the floor: raised by a day at least, lowered at once, never by the bare clock', () => {
    keeper.linkUp();
    codeOf(time());
    assert.deepEqual(journal.time().hubFloor(), { epoch: 1, time: NOW });
    keeper.linkUp();
    codeOf(time({ time: iso(NOW + DAY - 1) }));
    assert.equal(journal.time().hubFloor()?.time, NOW);
    keeper.linkUp();
    codeOf(time({ time: iso(NOW + DAY) }));
    assert.equal(journal.time().hubFloor()?.time, NOW + DAY);
    keeper.linkUp();
    codeOf(time({ time: iso(NOW - DAY) }));
    assert.equal(journal.time().hubFloor()?.time, NOW - DAY);
  });

  test('S31: 2099 from a stolen hub is dropped with its epoch', () => {
    keeper.linkUp();
    codeOf(time({ time: '2099-01-01T00:00:00.000Z' }));
    assert.ok(keeper.now().now >= Date.parse('2099-01-01'));
    root = trustedRoot(rootDocument({ version: 2, epoch: 2 }));
    assert.deepEqual(
      { ...keeper.now(), floor: 0 },
      { now: NOW, clock: 'floor', floor: 0, offset: null },
    );
  });

  test('S31: an assignment from the future makes the node ask again, and the answer ends it', async () => {
    journal.acceptRoot(root);
    keeper.linkUp();
    codeOf(time());
    await pass(2 * MINUTE);
    const before = asked.length;
    keeper.assigned();
    assert.equal(asked.length, before);
    const nonce = journal.freshNonce();
    const payload = seal(
      'assignment',
      assignmentDocument({
        issued: '2098-01-01T00:00:00.000Z',
        notAfter: '2099-01-01T00:00:00.000Z',
        nonce,
      }),
      [HUB],
    );
    const context = { root, node: NODE_NAME, nodeKey: idOf(NODE), accepted: null, nonce };
    const opened = openAssignment(payload, { ...context, freshOnly: false, now: 0 });
    assert.ok(opened.ok);
    journal.acceptAssignment(opened.value);
    keeper.assigned();
    assert.equal(asked.length, before + 1);
    assert.equal(codeOf(time({ time: iso(NOW + 2 * MINUTE) })), 'accepted');
    assert.deepEqual([keeper.now().clock, keeper.now().now], ['synced', NOW + 2 * MINUTE]);
  });

  test('S29: after 2099 and back nothing sticks: the journal holds no word of the clock', async () => {
    keeper.close();
    journal.close();
    clock = new SimulatedClock(Date.parse('2099-01-01'));
    begin();
    assert.equal(keeper.now().clock, 'suspect');
    assert.equal(journal.time().hubFloor(), null);
    keeper.close();
    journal.close();
    clock = new SimulatedClock(NOW);
    begin();
    assert.equal(keeper.now().now, NOW);
  });

  test('an assignment raises the floor; the answer to the open request may lower it', () => {
    const accept = (generation: number, issued: string, nonce: string | null) => {
      const payload = seal('assignment', assignmentDocument({ generation, issued, nonce }), [HUB]);
      const opened = openAssignment(payload, {
        root,
        node: NODE_NAME,
        nodeKey: idOf(NODE),
        accepted: null,
        nonce,
        freshOnly: false,
        now: 0,
      });
      assert.ok(opened.ok);
      journal.acceptAssignment(opened.value);
      return journal.time().hubFloor()?.time;
    };
    journal.acceptRoot(root);
    const may = '2026-05-01T00:00:00.000Z';
    const march = '2026-03-01T00:00:00.000Z';
    const nonce = journal.freshNonce();
    assert.equal(accept(1, '2026-05-09T00:00:00.000Z', null), Date.parse('2026-05-09'));
    assert.equal(accept(2, may, null), Date.parse('2026-05-09'));
    keeper.close();
    journal.close();
    begin();
    assert.equal(nonce === null, false);
    assert.equal(journal.time().hubFloor()?.time, Date.parse('2026-05-09'));
    assert.equal(accept(3, march, 'e'.repeat(32)), Date.parse('2026-05-09'));
  });
});

describe('S22: HubSilent', () => {
  const types = () => keeper.conditions().map(({ type }) => type);

  test('after seven days of uptime: a condition and an event; an answer ends it', async () => {
    await pass(SILENT_MS - MINUTE);
    assert.deepEqual(types(), []);
    await pass(2 * MINUTE);
    assert.deepEqual(types(), ['HubSilent']);
    keeper.linkUp();
    codeOf(time({ time: iso(NOW + SILENT_MS + MINUTE) }));
    assert.deepEqual(types(), []);
    const events = journal.events(0, 10).map(({ reason, involved }) => [reason, involved.name]);
    assert.deepEqual(events, [
      ['HubSilent', NODE_NAME],
      ['HubHeard', NODE_NAME],
    ]);
  });

  test('S23: old documents of the hub, however often, end no silence', async () => {
    keeper.linkUp();
    await pass(SILENT_MS);
    const stale = time();
    await pass(MINUTE + 1);
    assert.equal(codeOf(stale), 'NotFresh');
    assert.deepEqual(types(), ['HubSilent']);
  });

  test('restarts hide at most a day of it', async () => {
    for (let day = 0; day < 8; day++) {
      await pass(DAY + MINUTE);
      // The power is cut: nothing is said or saved at the end, and nothing of that life wakes again.
      journal.close();
      clock = new SimulatedClock(clock.now());
      begin();
    }
    assert.deepEqual(types(), ['HubSilent']);
  });

  test('a week without the hub writes once a day, but for its first', async () => {
    const saved: number[] = [];
    for (let hour = 0; hour < 24 * 6; hour++) {
      await pass(3_600_000);
      saved.push(journal.time().silentMs());
    }
    assert.ok(new Set(saved).size <= 11, canonicalJson([...new Set(saved)]));
  });
});

describe('a clock that is wrong is said', () => {
  test('against the hub, in words that say by how much', () => {
    keeper.linkUp();
    codeOf(time({ time: iso(NOW + 2 * DAY) }));
    const [condition] = keeper.conditions();
    assert.equal(condition?.type, 'ClockSkewed');
    assert.match(condition?.message ?? '', /2d.* behind the hub/);
  });

  test('an event that happened before the hub told the time is told with the right one', async () => {
    journal.close();
    keeper.close();
    clock = new SimulatedClock(1_000);
    let ids = 0;
    const machine = { bootId: 'machine-1', uptimeMs: () => clock.monotonic() };
    journal = openJournal({
      dataDir,
      clock,
      machine,
      randomId: () => String(++ids).padStart(32, '0'),
    });
    keeper = testTime(
      { identity: { fleet: FLEET, node: NODE_NAME, signer: NODE }, journal, clock },
      {
        link: {
          connected: () => true,
          publish: async (_, payload) => {
            const opened = openEnvelope(payload, { kind: 'request', bytesMax: 4096 });
            if (opened.ok)
              asked.push(JSON.parse(opened.value.payload.toString()) as RequestDocument);
            return true;
          },
        },
      },
    );
    journal.record({
      type: 'Normal',
      reason: 'Started',
      message: '',
      involved: { kind: 'Node', namespace: '', name: NODE_NAME, uid: '', fieldPath: '' },
    });
    await pass(3_600_000);
    keeper.linkUp();
    codeOf(time({ time: iso(NOW) }));
    const [event] = journal.events(0, 1, keeper.timeOf);
    assert.equal(event?.at, iso(NOW - 3_600_000));
    assert.equal(journal.events(0, 1)[0]?.at, iso(1_000));
  });
});
