/** A thousand agents lose their broker at one moment: their real links against a real Mosquitto, and the table alone for an hour. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { realClock } from '../../agent/clock.js';
import { backOffMs } from '../../agent/link/back-off.js';
import type { Link } from '../../agent/link/link-options.js';
import { openPlainSocket, startLink } from '../../agent/link/link.js';
import type { Clock } from '../../protocol/ports.js';
import { startBroker, type TestBroker } from '../support/brokers.js';
import { busiest } from '../support/busiest.js';
import { randomOf } from '../support/random.js';
import { eventually } from '../support/wait.js';

const AGENTS = 1_000;
const BACK_OFF_MAX_MS = 60_000;
const HOUR_MS = 3_600_000;

describe('a thousand agents whose broker is gone', () => {
  test('complaint 11: for an hour: tries are spread, none hammers', () => {
    const random = randomOf(11);
    const tries = Array.from({ length: AGENTS }, () => {
      const times: number[] = [];
      for (let at = 0, n = 0; at < HOUR_MS;) {
        at += backOffMs(n++, random(), true);
        times.push(at);
      }
      return times;
    });
    assert.ok(tries.every(times => times.length < 140));
    assert.ok(tries.every(times => busiest(times, 10_000) <= 5));
    const settled = tries.flat().filter(at => at > 5 * 60_000);
    assert.ok(busiest(settled, 1_000) < AGENTS / 20, `${busiest(settled, 1_000)} in a second`);
    assert.ok(busiest(tries.flat(), 100) < AGENTS / 4, `${busiest(tries.flat(), 100)} in 100 ms`);
  });
});

describe('a thousand agents whose broker starts anew', () => {
  let broker: TestBroker;
  const links: Link[] = [];
  /** Of each agent since the broker ended: how long it chose to wait before its first try. */
  const firstWaits = new Map<number, number>();
  const clockOf = (n: number): Clock => {
    const real = realClock();
    const sleep = (ms: number, signal?: AbortSignal) => {
      if (ms <= BACK_OFF_MAX_MS && !firstWaits.has(n)) firstWaits.set(n, ms);
      return real.sleep(ms, signal);
    };
    return { ...real, sleep };
  };
  /** By agent, since the broker ended. */
  const tries = Array.from({ length: AGENTS }, (): number[] => []);
  const areUp = () => links.filter(link => link.connected()).length;
  const all = () => areUp() === AGENTS;
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

  before(async () => {
    broker = await startBroker('mosquitto');
    for (let n = 0; n < AGENTS; n++) {
      const topic = `presence/${n}`;
      const link = startLink({
        brokers: [`mqtt://127.0.0.1:${broker.port}`],
        clientId: `edge-${n}`,
        topics: [`own/${n}`],
        openSocket: url => {
          tries[n]?.push(performance.now());
          return openPlainSocket(url);
        },
        presence: () => ({ topic, will: Buffer.from('gone'), birth: Buffer.from('here') }),
        onMessage: () => undefined,
        onUp: () => undefined,
        onDown: () => undefined,
        clock: clockOf(n),
        random: randomOf(n),
        log: silent,
      });
      links.push(link);
    }
    await eventually('all are up', all);
  });
  after(async () => {
    await Promise.all(links.map(link => link.close()));
    await broker.stop();
  });

  test('complaint 11: all come back by themselves, spread, and none tries more often than its table says', async () => {
    for (const times of tries) times.length = 0;
    firstWaits.clear();
    await broker.restart();
    await eventually('one had to wait', () => areUp() < AGENTS);
    await eventually('all are up again', all);
    const most = Math.max(...tries.map(times => times.length));
    const perSecond = Math.max(...tries.map(times => busiest(times, 1_000)));
    assert.ok(most <= 6, `${most} tries of one agent`);
    assert.ok(perSecond <= 2, `${perSecond} tries of one agent in a second`);
    // What was chosen: when the tries really begin is this machine's business, which is busy.
    const waits = [...firstWaits.values()];
    assert.equal(waits.length, AGENTS);
    assert.ok(busiest(waits, 1_000) < AGENTS / 5, `${busiest(waits, 1_000)} tries within a second`);
  });
});
