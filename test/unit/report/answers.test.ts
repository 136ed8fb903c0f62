/** What the hub's acknowledgements of statuses say of the connection, where they come late and statuses follow each other. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Activation } from '../../../agent/activation/activation.js';
import { ANSWER_WITHIN_MS } from '../../../agent/connection/decide.js';
import { HubConnection } from '../../../agent/connection/hub-connection.js';
import { Unconfirmed } from '../../../agent/connection/unconfirmed.js';
import { openJournal } from '../../../agent/journal/open.js';
import { readNodeInfo } from '../../../agent/node-info.js';
import { startReport } from '../../../agent/report/report.js';
import { seal } from '../../../protocol/envelope.js';
import type { Clock } from '../../../protocol/ports.js';
import { FLEET, HUB, NODE, NODE_NAME, NOW, trustedRoot } from '../../support/fleet.js';
import { testTime } from '../../support/test-time.js';

/** A node whose link is up and whose hub is online; nobody looks at the time but the test. */
function node(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-answers-'));
  let passedMs = 0;
  const never = () => new Promise<void>(() => undefined);
  const clock: Clock = { now: () => NOW + passedMs, monotonic: () => passedMs, sleep: never };
  const quiet = () => undefined;
  const log = { info: quiet, warn: quiet, error: quiet };
  let ids = 0;
  const randomId = () => String(++ids).padStart(32, '0');
  const journal = openJournal({ dataDir, clock, randomId });
  const identity = { fleet: FLEET, node: NODE_NAME, signer: NODE };
  let reason = '';
  const connection: HubConnection = new HubConnection({
    ...{ clock, random: () => 0, ask: quiet },
    uptime: () => passedMs,
    onChange: said => (reason = said),
  });
  connection.connecting();
  connection.hub(true);
  connection.linkUp();
  const report = startReport({
    ...{ identity, journal, clock, log, nodeInfo: readNodeInfo, agentVersion: '0.1.0' },
    activation: new Activation({ journal, pods: () => [], clock, log, onGivenUp: quiet }),
    time: testTime({ identity, journal, clock }, { onHeard: asOf => connection.heard(asOf) }),
    link: { connected: () => true, publish: async () => true },
    intake: () => ({ root: trustedRoot(), lastRefusal: null, newestRefusal: null, conditions: [] }),
    ...{ containerRuntimeVersion: () => '', pods: () => [], conditions: () => [], random: () => 0 },
    onStatus: connection,
  });
  t.after(() => {
    report.close();
    journal.close();
    rmSync(dataDir, { recursive: true });
  });
  const about = { fleet: FLEET, node: NODE_NAME, journal: journal.id, boot: journal.boot };
  return {
    connection,
    at: (seconds: number) => (passedMs = seconds * 1000),
    /** Says a status anew; its number. */
    say: () => {
      report.linkUp();
      return report.current().counter;
    },
    /** The hub's word on the status of that number comes. */
    answer: (counter: number) => {
      const ack = { ...about, counter, through: 0, row: 0, pods: {}, epoch: 1, generation: 0 };
      assert.equal(report.ack(seal('ack', ack, [HUB])), null);
    },
    /** As it is when somebody looks. */
    reason: () => {
      connection.linkUp();
      return reason;
    },
  };
}

test('on a slow link the confirmation of a status counts, though a newer one is on its way', t => {
  const it = node(t);
  const first = it.say();
  it.at(100);
  const second = it.say();
  assert.equal(it.reason(), 'NotHeard');
  it.at(110);
  it.answer(first);
  assert.equal(
    it.reason(),
    'Connected',
    'it spoke after the first, which was said on this connection',
  );
  it.at(130);
  assert.equal(it.reason(), 'Connected', 'the second waits for 30 s');
  it.at(100 + ANSWER_WITHIN_MS / 1000);
  assert.equal(it.reason(), 'NoAnswer', 'for the second');
  it.answer(second);
  assert.equal(it.reason(), 'Connected');
});

test('a confirmation that comes again proves nothing new', t => {
  const it = node(t);
  const first = it.say();
  it.answer(first);
  it.at(10);
  const second = it.say();
  it.at(60);
  it.answer(first);
  it.at(10 + ANSWER_WITHIN_MS / 1000);
  assert.equal(it.reason(), 'NoAnswer');
  it.answer(second);
  assert.equal(it.reason(), 'Connected');
});

test('a confirmation that was under way when the hub ended is none that it is back', t => {
  const it = node(t);
  it.answer(it.say());
  it.at(10);
  const late = it.say();
  it.at(20);
  it.connection.hub(false);
  it.answer(late);
  it.connection.hub(true);
  assert.equal(it.reason(), 'NotHeard');
  it.at(30);
  it.answer(it.say());
  assert.equal(it.reason(), 'Connected');
});

test('statuses that were said in vain are remembered by the oldest and the newest', () => {
  const unconfirmed = new Unconfirmed();
  for (let n = 1; n <= 1_000; n++) unconfirmed.said(n, n * 10);
  unconfirmed.said(1_000, 99_999);
  assert.equal(unconfirmed.oldest(), 10);
  assert.equal(unconfirmed.confirmed(500), 10, 'of those between, nothing later is known');
  assert.ok((unconfirmed.oldest() ?? 0) > 5_000);
  assert.equal(unconfirmed.confirmed(1_000), 10_000);
  assert.deepEqual([unconfirmed.oldest(), unconfirmed.confirmed(2_000)], [null, null]);
});
