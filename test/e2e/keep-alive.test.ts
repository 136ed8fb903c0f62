/** A Mosquitto that takes no long keep-alive: nodes and hub of MQTT 3.1.1 find out what it takes, and stay. */
import assert from 'node:assert/strict';
import { connect } from 'mqtt';
import { describe, test, type TestContext } from 'node:test';
import { openPlainSocket, startLink } from '../../agent/link/link.js';
import { startMosquitto } from '../support/brokers.js';
import { fastClock } from '../support/fast-clock.js';
import { eventually } from '../support/wait.js';

/** Of the link's clock: between a refused try and the next. */
const SPEED = 20;

async function world(t: TestContext, maxKeepaliveS: number) {
  const broker = await startMosquitto(`max_keepalive ${maxKeepaliveS}\n`);
  const failures: string[] = [];
  let ups = 0;
  const link = startLink({
    brokers: [`mqtt://127.0.0.1:${broker.port}`],
    clientId: 'edge-1',
    topics: ['own'],
    openSocket: openPlainSocket,
    presence: () => ({ topic: 'p', will: Buffer.from('gone'), birth: Buffer.from('here') }),
    onMessage: () => undefined,
    onUp: () => void ups++,
    onDown: () => undefined,
    onFailure: reason => void failures.push(reason),
    clock: fastClock(0, SPEED),
    random: () => 0,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  t.after(async () => {
    await link.close();
    await broker.stop();
  });
  return { link, failures, broker, ups: () => ups };
}

describe('a Mosquitto that says max_keepalive 45', () => {
  test('leaves a node alone, which speaks MQTT 3.1.1 and announces five minutes', async t => {
    const { link, failures } = await world(t, 45);
    await eventually('it is connected', () => link.connected());
    assert.deepEqual([link.keepAliveS(), failures], [300, []]);
  });

  test('tells whoever speaks MQTT 5', async t => {
    const { broker } = await world(t, 45);
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const client = connect(url, { protocolVersion: 5, keepalive: 300, reconnectPeriod: 0 });
    t.after(() => client.endAsync(true));
    let told: number | undefined;
    client.on('connect', ({ properties }) => (told = properties?.serverKeepAlive));
    await eventually('it is connected', () => client.connected);
    assert.equal(told, 45);
  });
});
