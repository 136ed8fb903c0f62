/** `log` as its clients see it, on the real API. What kubectl makes of it stands in test/e2e/api-streams.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { describe, test } from 'node:test';
import { StreamRefused, type StreamRefusedCode } from '../../../hub/streams/streams.js';
import { at, CLOCK } from '../../support/api-server.js';
import { HUB, node, pod, put } from '../../support/api-objects.js';
import { hub, PODS, podStreamsWorld, streams, until, uses } from './pod-streams-world.js';

podStreamsWorld();

describe('log', () => {
  test('is text, asked of the node under the pod’s own name, and stands in the audit log', async () => {
    streams.log = ['one\n', 'two\n'];
    const query =
      'container=web&tailLines=5&sinceSeconds=60&previous=true&timestamps=true&limitBytes=1000';
    const reply = await hub.call(`${PODS}/web-edge-1/log?${query}`);
    assert.equal(reply.code, 200);
    assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(reply.text, 'one\ntwo\n');
    const ask = {
      kind: 'logs',
      namespace: 'default',
      pod: 'web',
      container: 'web',
      follow: false,
      previous: true,
      timestamps: true,
      tailLines: 5,
      sinceSeconds: 60,
      limitBytes: 1000,
    };
    assert.deepEqual(streams.asks, [{ node: 'edge-1', ask, user: 'ada' }]);
    assert.deepEqual(await uses(), [
      ['ada@127.0.0.1', 'logs', 'default/web-edge-1', 'container web'],
    ]);
  });

  test('a follower that hangs up ends the stream at the node', async () => {
    streams.log = ['one\n'];
    const gone = new AbortController();
    const path = `${PODS}/web-edge-1/log?follow=true`;
    const call = hub.call(path, { signal: gone.signal });
    await until(() => streams.taken === 1);
    assert.equal(streams.count(), 1);
    gone.abort();
    await assert.rejects(call);
    await until(() => streams.count() === 0);
  });

  test('a reader that takes nothing makes the node wait', async () => {
    const piece = 'x'.repeat(1 << 16);
    streams.log = Array.from({ length: 1000 }, () => piece);
    const { cert, key } = hub.admin;
    const ca = hub.authority.cert;
    const socket = connect({ port: hub.api.port, host: '127.0.0.1', ca, cert, key });
    await once(socket, 'secureConnect');
    socket.pause();
    socket.write(`GET ${PODS}/web-edge-1/log HTTP/1.1\r\nHost: hub\r\n\r\n`);
    let before = -1;
    while (streams.taken !== before || before === 0) {
      before = streams.taken;
      await CLOCK.sleep(200);
    }
    assert.ok(before < 400, `${before} of 1000 pieces were taken`);
    socket.resume();
    await until(() => streams.taken === 1000);
    socket.destroy();
  });

  const WRONG: readonly (readonly [string, string, number, RegExp])[] = [
    ['no such pod', 'nope/log', 404, /^pods "nope" not found$/],
    [
      'a container that is not there',
      'web-edge-1/log?container=x',
      400,
      /^container x is not valid for pod web-edge-1$/,
    ],
    [
      'several containers and none named',
      'two-edge-1/log',
      400,
      /^a container name must be specified for pod two-edge-1, choose one of: \[a b\] or one of the init containers: \[i\]$/,
    ],
    ['tailLines', 'web-edge-1/log?tailLines=-1', 422, /tailLines: "-1" is not a whole number/],
    ['sinceSeconds', 'web-edge-1/log?sinceSeconds=0', 422, /sinceSeconds/],
    ['limitBytes', 'web-edge-1/log?limitBytes=0', 422, /limitBytes/],
    ['follow', 'web-edge-1/log?follow=perhaps', 422, /follow: "perhaps" is neither/],
    ['sinceTime', 'web-edge-1/log?sinceTime=yesterday', 422, /sinceTime/],
    [
      'both times',
      'web-edge-1/log?sinceTime=2026-01-01T00:00:00Z&sinceSeconds=5',
      422,
      /at most one of/,
    ],
  ];
  for (const [name, path, code, message] of WRONG) {
    test(`${name}: ${code}, and the node is not asked`, async () => {
      const reply = await hub.call(`${PODS}/${path}`);
      assert.equal(reply.code, code);
      assert.match(String(at(reply.body, 'message')), message);
      assert.deepEqual(streams.asks, []);
      assert.deepEqual(await uses(), []);
    });
  }

  test('the init container is known too', async () => {
    assert.equal((await hub.call(`${PODS}/two-edge-1/log?container=i`)).code, 200);
  });

  const REFUSALS: readonly (readonly [StreamRefusedCode, number, string])[] = [
    ['BadRequest', 400, 'BadRequest'],
    ['Forbidden', 403, 'Forbidden'],
    ['NotFound', 404, 'NotFound'],
    ['NotSupported', 405, 'MethodNotAllowed'],
    ['TooManyStreams', 429, 'TooManyRequests'],
    ['InternalError', 500, 'InternalError'],
    ['NodeOffline', 503, 'ServiceUnavailable'],
    ['Timeout', 504, 'Timeout'],
  ];
  for (const [refusal, code, reason] of REFUSALS) {
    test(`the node’s ${refusal} is ${code} ${reason}, in its own words, and no failure of the hub`, async () => {
      streams.refuse = new StreamRefused(refusal, 'because of the node');
      const reply = await hub.call(`${PODS}/web-edge-1/log`);
      assert.equal(reply.code, code);
      assert.equal(at(reply.body, 'reason'), reason);
      assert.equal(at(reply.body, 'message'), 'because of the node');
      assert.ok(!hub.log.some(({ level }) => level === 'error'));
    });
  }

  test('a pod whose name another node’s pod had first is asked for by its own', async () => {
    const edge = node('edge-2');
    const recorded = {
      'other/web-edge-2': { digest: '', name: 'web-edge-2-1f2e', boot: 1, counter: 1 },
      'default/web-edge-2': { digest: '', name: 'web-edge-2-1f2e', boot: 1, counter: 1 },
    };
    const status = edge.status as { flotilla: object };
    const flotilla = { ...status.flotilla, recorded };
    await hub.store.commit(HUB, [
      put({ ...edge, status: { ...status, flotilla } }),
      put(pod('web-edge-2-1f2e', { node: 'edge-2' })),
    ]);
    assert.equal((await hub.call(`${PODS}/web-edge-2-1f2e/log`)).code, 200);
    const [asked] = streams.asks;
    assert.deepEqual([asked?.node, asked?.ask.pod], ['edge-2', 'web']);
  });
});
