/** When a node counts as connected: a hub that answers, not merely a broker; and what pods are told of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ANSWER_WITHIN_MS,
  connectionReason,
  type ConnectionFacts,
} from '../../../agent/connection/decide.js';
import { HubConnection } from '../../../agent/connection/hub-connection.js';
import { BEGINS_EVERY_MS, ToldConnection } from '../../../agent/connection/told.js';
import type { Clock } from '../../../protocol/ports.js';

const WELL: ConnectionFacts = {
  isLinkUp: true,
  hubOnline: true,
  isHeard: true,
  unansweredMs: null,
};

describe('a node is connected', () => {
  const rows: readonly (readonly [string, Partial<ConnectionFacts>, string])[] = [
    ['to a hub that is online and answered', {}, 'Connected'],
    ['while a status waits for its confirmation', { unansweredMs: 1_000 }, 'Connected'],
    ['not without a link', { isLinkUp: false }, 'LinkDown'],
    ['not to a broker that has no word of the hub', { hubOnline: null }, 'HubUnknown'],
    ['not to a broker whose hub is gone', { hubOnline: false }, 'HubOffline'],
    ['not to a hub whose presence is all there is', { isHeard: false }, 'NotHeard'],
    ['not to a hub that confirms nothing', { unansweredMs: ANSWER_WITHIN_MS }, 'NoAnswer'],
  ];
  for (const [sentence, change, reason] of rows) {
    test(sentence, () => assert.equal(connectionReason({ ...WELL, ...change }), reason));
  }
});

/** Time passes only when the test says so; what waits for it is called in its order. */
function handClock(start = Date.parse('2026-03-01T10:00:00.400Z')) {
  let passed = 0;
  let wall = start;
  let waiting: { readonly at: number; readonly wake: () => void }[] = [];
  const clock: Clock = {
    now: () => wall,
    monotonic: () => passed,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        if (signal?.aborted === true) return resolve();
        waiting.push({ at: passed + ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve());
      }),
  };
  const pass = async (ms: number) => {
    const until = passed + ms;
    for (;;) {
      await new Promise(resolve => setImmediate(resolve));
      waiting.sort((a, b) => a.at - b.at);
      const [next] = waiting;
      if (next === undefined || next.at > until) break;
      waiting = waiting.slice(1);
      wall += next.at - passed;
      passed = next.at;
      next.wake();
    }
    wall += until - passed;
    passed = until;
  };
  return { clock, pass, setWall: (to: number) => (wall = to) };
}

function conversation() {
  const { clock, pass } = handClock();
  const said: string[] = [];
  let asked = 0;
  const connection = new HubConnection({
    ...{ clock, random: () => 0.5, uptime: () => clock.monotonic() },
    ask: () => asked++,
    onChange: reason => said.push(reason),
  });
  const begin = () => {
    connection.connecting();
    connection.hub(true);
    connection.linkUp();
    connection.said(1);
    connection.heard(clock.monotonic());
    connection.confirmed(1);
  };
  return { connection, clock, pass, said, begin, asked: () => asked };
}

describe('a conversation with the hub', () => {
  test('is one when the link, the presence and an answer are there, and ends with each of them', async () => {
    const { connection, said, begin } = conversation();
    begin();
    connection.linkDown();
    begin();
    connection.hub(false);
    connection.close();
    assert.deepEqual(said, [
      ...['NotHeard', 'Connected', 'LinkDown'],
      ...['NotHeard', 'Connected', 'HubOffline', 'LinkDown'],
    ]);
  });

  test('a hub that came back is believed when it was heard, before its presence or after', () => {
    for (const order of ['heard first', 'presence first']) {
      const { connection, clock, said, begin } = conversation();
      begin();
      connection.hub(false);
      const steps = [() => connection.heard(clock.monotonic()), () => connection.hub(true)];
      for (const step of order === 'heard first' ? steps : steps.reverse()) step();
      assert.equal(said.at(-1), 'Connected', order);
    }
  });

  test('what was known before a CONNECT does not hold after it', () => {
    const { connection, said, begin } = conversation();
    begin();
    connection.connecting();
    connection.linkUp();
    assert.equal(said.at(-1), 'HubUnknown', 'a retained presence comes anew');
  });

  test('an answer to what was asked on a former connection is none on this one', async () => {
    const { connection, pass, said } = conversation();
    await pass(1_000);
    connection.connecting();
    connection.hub(true);
    connection.linkUp();
    connection.heard(999);
    assert.equal(said.at(-1), 'NotHeard');
    connection.heard(1_000);
    assert.equal(said.at(-1), 'Connected');
  });

  test('what was asked before the hub ended is no answer of the one that came back', async () => {
    const { connection, pass, said, begin } = conversation();
    begin();
    await pass(1_000);
    connection.hub(false);
    connection.heard(999);
    connection.hub(true);
    assert.equal(said.at(-1), 'NotHeard');
    connection.heard(999);
    assert.equal(said.at(-1), 'NotHeard');
    connection.heard(1_000);
    assert.equal(said.at(-1), 'Connected');
  });

  test('each status is waited for by its own time, and a confirmation counts for those before it', async () => {
    const { connection, pass, said, begin } = conversation();
    begin();
    for (let status = 2; status <= 20; status++) {
      connection.said(status);
      await pass(60_000);
      // A link on which each takes a minute.
      connection.confirmed(status - 1);
    }
    assert.equal(said.at(-1), 'Connected');
    await pass(ANSWER_WITHIN_MS - 60_000);
    assert.equal(said.at(-1), 'NoAnswer');
  });

  test('a hub that confirms no status within two minutes is gone, and back when it does', async () => {
    const { connection, pass, said, begin } = conversation();
    begin();
    connection.said(2);
    await pass(ANSWER_WITHIN_MS - 1);
    connection.said(2);
    assert.equal(said.at(-1), 'Connected');
    await pass(1);
    assert.equal(said.at(-1), 'NoAnswer', 'saying it again does not begin the time anew');
    connection.confirmed(2);
    assert.equal(said.at(-1), 'Connected');
    await pass(10 * ANSWER_WITHIN_MS);
    assert.equal(said.at(-1), 'Connected');
  });

  test('a hub that is online and says nothing is asked, once', async () => {
    const { connection, pass, begin, asked } = conversation();
    begin();
    await pass(60_000);
    assert.equal(asked(), 0);
    connection.hub(false);
    connection.hub(true);
    await pass(19_999);
    assert.equal(asked(), 0);
    await pass(60_000);
    assert.equal(asked(), 1);
  });
});

function teller(isJoined = true) {
  const { clock, pass, setWall } = handClock();
  const changes: string[] = [];
  const told = new ToldConnection({ isJoined, clock, time: () => clock.now() });
  told.onChange(() => changes.push(`${told.word().connected}`));
  return { told, pass, setWall, changes };
}

describe('what pods are told of the connection', () => {
  test('a node that never joined: false, and why', () => {
    const { told } = teller(false);
    assert.deepEqual(told.status(), {
      ...{ connected: false, since: '2026-03-01T10:00:00Z' },
      ...{ reason: 'NotJoined', message: 'this node has not joined a hub' },
    });
  });

  test('the beginning and the end at once, each with its time', async () => {
    const { told, pass, changes } = teller();
    await pass(5_000);
    told.set('Connected');
    assert.deepEqual(told.word(), { connected: true, since: '2026-03-01T10:00:05Z' });
    await pass(60_000);
    assert.deepEqual(told.word(), { connected: true, since: '2026-03-01T10:00:05Z' });
    told.set('HubOffline');
    assert.deepEqual(told.word(), { connected: false, since: '2026-03-01T10:01:05Z' });
    told.set('LinkDown');
    assert.deepEqual(changes, ['true', 'false'], 'another reason is no other word');
  });

  for (const [place, every] of Object.entries(BEGINS_EVERY_MS)) {
    test(`files in ${place}: a link that flaps is told once in ${every / 1000} s`, async () => {
      const { told, pass, changes } = teller();
      if (place === 'disk') told.onDisk();
      for (let second = 0; second < 2 * (every / 1000); second += 2) {
        told.set('Connected');
        await pass(1_000);
        told.set('LinkDown');
        await pass(1_000);
      }
      assert.deepEqual(changes, ['true', 'false', 'true', 'false']);
    });
  }

  test('a beginning that waits comes by itself, and says so until then', async () => {
    const { told, pass } = teller();
    told.set('Connected');
    told.set('LinkDown');
    await pass(2_000);
    told.set('Connected');
    assert.match(told.status().message, /told in a moment$/);
    await pass(BEGINS_EVERY_MS.memory - 2_001);
    assert.equal(told.word().connected, false);
    await pass(1);
    assert.deepEqual(told.word(), { connected: true, since: '2026-03-01T10:00:10Z' });
  });

  test('a clock that was wrong is put right in what was told, and a small step moves nothing', async () => {
    const { told, pass, setWall } = teller();
    setWall(0);
    told.set('Connected');
    assert.equal(told.word().since, '1970-01-01T00:00:00Z');
    await pass(30_000);
    setWall(Date.parse('2026-03-01T12:00:30Z'));
    assert.equal(told.word().since, '2026-03-01T12:00:00Z');
    setWall(Date.parse('2026-03-01T12:00:35Z'));
    assert.equal(told.word().since, '2026-03-01T12:00:00Z');
  });

  test('the last word of an agent is false, whatever still comes', () => {
    const { told, changes } = teller();
    told.set('Connected');
    told.end();
    told.set('Connected');
    assert.deepEqual(changes, ['true', 'false']);
    assert.equal(told.status().reason, 'AgentEnds');
  });
});
