/** A node with several brokers: the first is preferred, another serves while that one is away, and is left for it afterwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPlainSocket, startLink } from '../../agent/link/link.js';
import { startBroker } from '../support/brokers.js';
import { fastClock } from '../support/fast-clock.js';
import { eventually } from '../support/wait.js';

test('after a connection that held, the way that is preferred is tried first', async () => {
  const [first, second, third] = [
    await startBroker('aedes'),
    await startBroker('aedes'),
    await startBroker('aedes'),
  ];
  const names = new Map([
    [first.port, 'first'],
    [second.port, 'second'],
    [third.port, 'third'],
  ]);
  const clock = fastClock(Date.now(), 100);
  const tried: string[] = [];
  let isFirstThere = false;
  let ups = 0;
  const link = startLink({
    brokers: [first, second, third].map(({ port }) => `mqtt://127.0.0.1:${port}`),
    clientId: 'edge-1',
    topics: ['own'],
    openSocket: url => {
      const name = names.get(Number(url.port)) ?? '';
      tried.push(name);
      const socket = openPlainSocket(url);
      if (name === 'first' && !isFirstThere) socket.destroy(new Error('blocked'));
      return socket;
    },
    presence: () => ({ topic: 'presence', will: Buffer.from('gone'), birth: Buffer.from('here') }),
    onMessage: () => undefined,
    onUp: () => ups++,
    onDown: () => undefined,
    clock,
    random: () => 0,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  try {
    await eventually('it is up', () => link.connected());
    assert.deepEqual(tried, ['first', 'second']);
    await clock.sleep(31_000);
    isFirstThere = true;
    await second.restart();
    await eventually('it is up again', () => ups === 2);
    assert.deepEqual(tried, ['first', 'second', 'first']);
  } finally {
    await link.close();
    await first.stop();
    await second.stop();
    await third.stop();
  }
});
