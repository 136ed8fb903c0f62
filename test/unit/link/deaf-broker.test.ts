/** A broker that is connected and acknowledges nothing: the node lets go of it and comes back. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Aedes } from 'aedes';
import { openPlainSocket, startLink } from '../../../agent/link/link.js';
import type { Link } from '../../../agent/link/link-options.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

const TOPIC = 'presence';

interface World {
  readonly link: Link;
  readonly lines: string[];
  /** Connections that the broker accepted. */
  readonly accepted: () => number;
  readonly ups: () => number;
  readonly downs: () => number;
  /** What the broker leaves unanswered. */
  deafTo: 'subscriptions' | 'messages' | null;
}

async function world(t: TestContext, deafTo: World['deafTo']): Promise<World> {
  const broker = await Aedes.createBroker();
  const server = createServer(socket => void broker.handle(socket));
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  let [accepted, ups, downs] = [0, 0, 0];
  broker.on('clientReady', () => accepted++);
  broker.authorizeSubscribe = (_client, subscription, answer) => {
    if (made.deafTo !== 'subscriptions') answer(null, subscription);
  };
  broker.authorizePublish = (_client, _packet, answer) => {
    if (made.deafTo !== 'messages') answer(null);
  };
  const lines: string[] = [];
  const say = (message: string, fields: object = {}) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const link = startLink({
    brokers: [`mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`],
    clientId: 'edge-1',
    topics: ['a'],
    openSocket: openPlainSocket,
    presence: () => ({ topic: TOPIC, will: Buffer.from('gone'), birth: Buffer.from('here') }),
    onMessage: () => undefined,
    onUp: () => void ups++,
    onDown: () => void downs++,
    clock: fastClock(0, 100),
    random: () => 0,
    log: { info: say, warn: say, error: say },
  });
  t.after(async () => {
    made.deafTo = null;
    await link.close();
    await new Promise<void>(done => broker.close(done));
    server.close();
  });
  const made: World = {
    ...{ link, lines, deafTo },
    ...{ accepted: () => accepted, ups: () => ups, downs: () => downs },
  };
  return made;
}

test('one that never answers a subscription is left, and tried again', async t => {
  const it = await world(t, 'subscriptions');
  await eventually('it is left', () =>
    it.lines.some(line => /no connection .*acknowledged nothing for 120 s/.test(line)),
  );
  assert.deepEqual([it.ups(), it.downs()], [0, 0]);
  it.deafTo = null;
  await eventually('it is there', () => it.link.connected());
  assert.ok(it.accepted() >= 2);
});

test('one that stops to acknowledge is left, and what waited is known to be lost', async t => {
  const it = await world(t, null);
  await eventually('it is there', () => it.link.connected());
  it.deafTo = 'messages';
  const sent = it.link.publish('b', Buffer.from('word'), { retain: false });
  assert.equal(await sent, false);
  await eventually('it is left', () =>
    it.lines.some(line => /no connection .*acknowledged nothing for 120 s/.test(line)),
  );
  assert.equal(it.downs(), 1);
  it.deafTo = null;
  await eventually('it is there again', () => it.link.connected());
  assert.equal(await it.link.publish('b', Buffer.from('word'), { retain: false }), true);
});
