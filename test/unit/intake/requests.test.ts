/** How often a node asks for a fresh assignment, by a clock that the test moves. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Requests } from '../../../agent/intake/requests.js';
import { openEnvelope } from '../../../protocol/envelope.js';
import { SimulatedClock } from '../../sim/clock.js';
import { FLEET, NODE, NODE_NAME, NOW } from '../../support/fleet.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('while refused assignments keep coming', () => {
  let clock: SimulatedClock;
  let requests: Requests;
  /** Uptime of each question. */
  let asked: number[];

  beforeEach(() => {
    clock = new SimulatedClock(NOW);
    asked = [];
    let ids = 0;
    requests = new Requests({
      identity: { fleet: FLEET, node: NODE_NAME, signer: NODE },
      journal: { id: 'b'.repeat(32), boot: 1, nextCounter: () => ++ids, freshNonce: () => null },
      link: {
        connected: () => true,
        publish: async (_, payload) => {
          assert.ok(openEnvelope(payload, { kind: 'request', bytesMax: 4096 }).ok);
          asked.push(clock.monotonic());
          return true;
        },
      },
      clock,
      random: () => 0.5,
      randomId: () => String(++ids).padStart(32, '0'),
    });
  });
  afterEach(() => requests.close());

  /** Somebody spoils the topic every ten seconds; the hub answers each question well. */
  async function spoil(forMs: number): Promise<void> {
    for (const end = clock.monotonic() + forMs; clock.monotonic() < end;) {
      const before = asked.length;
      requests.assignmentRefused();
      clock.advance(10_000);
      await new Promise(resolve => setImmediate(resolve));
      if (asked.length > before) requests.assignmentCame();
    }
  }

  test('it asks soon, and then less and less often, although each answer is good', async () => {
    await spoil(6 * HOUR);
    assert.ok((asked[0] ?? Infinity) <= 20_000, String(asked[0]));
    assert.ok(asked.length >= 8 && asked.length <= 16, asked.join(' '));
  });

  test('after an hour without one it asks as soon as ever', async () => {
    await spoil(2 * HOUR);
    for (const end = clock.monotonic() + HOUR + MINUTE; clock.monotonic() < end;) {
      clock.advance(end - clock.monotonic());
      await new Promise(resolve => setImmediate(resolve));
    }
    requests.assignmentCame();
    const [before, from] = [asked.length, clock.monotonic()];
    await spoil(MINUTE);
    assert.ok((asked[before] ?? Infinity) - from <= 20_000, asked.join(' '));
  });
});
