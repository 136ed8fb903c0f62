/** Whether the hub lives and can do its work, as kubectl asks an API server; and that every answer is counted. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { AnsweredRequest } from '../../../hub/api/request-meter.js';
import { CLOCK, startFixture, type Fixture } from '../../support/api-server.js';

const faults: Record<string, string | null | Error> = { store: null, broker: null };
const answered: AnsweredRequest[] = [];
let fixture: Fixture;

before(async () => {
  const check = (name: string) => ({
    name,
    fault: async () => {
      const fault = faults[name] ?? null;
      if (fault instanceof Error) throw fault;
      return fault;
    },
  });
  fixture = await startFixture(CLOCK, undefined, {
    checks: [check('store'), check('broker')],
    exposition: async ({ connections, upgraded }) => {
      return { contentType: 'text/plain; version=0.0.4', body: `${connections > 0} ${upgraded}\n` };
    },
    meter: { answered: request => void answered.push(request) },
  });
});
after(() => fixture.close());

const NO_BROKER = 'the hub is not connected to its broker';

describe('health', () => {
  const rows: readonly (readonly [
    string,
    Record<string, string | Error>,
    string,
    number,
    string,
  ])[] = [
    ['all is well', {}, '/readyz', 200, 'ok'],
    [
      'told in full',
      {},
      '/readyz?verbose',
      200,
      '[+]ping ok\n[+]store ok\n[+]broker ok\nreadyz check passed\n',
    ],
    [
      'without a broker the hub is not ready, and says why unasked',
      { broker: NO_BROKER },
      '/readyz',
      500,
      `[+]ping ok\n[+]store ok\n[-]broker failed: ${NO_BROKER}\nreadyz check failed\n`,
    ],
    ['but healthy: restarting it would help nobody', { broker: NO_BROKER }, '/healthz', 200, 'ok'],
    ['a check may be left out', { broker: NO_BROKER }, '/readyz?exclude=broker', 200, 'ok'],
    ['one check alone', { broker: NO_BROKER }, '/readyz/store', 200, 'ok'],
    [
      'the one that fails',
      { broker: NO_BROKER },
      '/readyz/broker',
      500,
      `[-]broker failed: ${NO_BROKER}\nreadyz check failed\n`,
    ],
    [
      'what the store says is nobody’s business',
      { store: new Error('secret path') },
      '/healthz',
      500,
      '[+]ping ok\n[-]store failed: see the log of the hub\nhealthz check failed\n',
    ],
    [
      'it lives whatever fails',
      { store: new Error('x') },
      '/livez?verbose',
      200,
      '[+]ping ok\nlivez check passed\n',
    ],
  ];
  for (const [sentence, wrong, path, code, body] of rows) {
    test(sentence, async () => {
      Object.assign(faults, { store: null, broker: null, ...wrong });
      const reply = await fixture.call(path, { client: null });
      assert.equal(reply.code, code);
      assert.equal(reply.text, body);
      assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8');
    });
  }

  test('a check that is not there', async () => {
    assert.equal((await fixture.call('/readyz/etcd', { client: null })).code, 404);
  });
});

test('figures in the type that Prometheus asks for', async () => {
  const reply = await fixture.call('/metrics');
  assert.equal(reply.headers['content-type'], 'text/plain; version=0.0.4');
  assert.equal(reply.text, 'true 0\n');
});

test('every answer is counted with verb and code', async () => {
  answered.length = 0;
  await fixture.call('/api/v1/nodes');
  await fixture.call('/api/v1/nodes', { client: null });
  await fixture.call('/no-such-path', { method: 'POST' });
  // A watch that ends before the server heard of it is none.
  for (let pauseMs = 100; answered.length < 4 && pauseMs < 30_000; pauseMs *= 2) {
    const gone = new AbortController();
    const next = fixture.watch('/api/v1/nodes?watch=true', { signal: gone.signal }).next();
    setTimeout(() => gone.abort(), pauseMs);
    await assert.rejects(next);
    await CLOCK.sleep(pauseMs);
  }
  assert.deepEqual(
    [...new Set(answered.map(({ verb, code }) => `${verb} ${code}`))],
    ['GET 200', 'GET 401', 'POST 404', 'WATCH 200'],
  );
});
