/** Hooks: kubelet behaviour rows 113 and 114, T66, P21. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { HookError, type HookTarget } from '../../../agent/pods/health.js';
import { openHookRunner } from '../../../agent/probes/hooks.js';
import type { LifecycleHandler } from '../../../protocol/pod.js';
import { SimulatedClock } from '../../sim/clock.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { closedPort, containerOf, exited, listen, programs } from './world.js';
import type { ExecCall } from './world.js';
import type { ExecResult } from '../../../agent/runtime/exec.js';

const seen: IncomingMessage[] = [];
const server = createServer((request, response) => {
  seen.push(request);
  if (request.url === '/never') return;
  response.writeHead(Number(request.url?.slice(1)) || 200, { location: '/200' }).end('a body');
});
let port = 0;
before(async () => {
  port = await listen(server);
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function hook(
  handler: LifecycleHandler,
  options: {
    run?: (call: ExecCall) => Promise<ExecResult> | ExecResult;
    target?: Partial<HookTarget>;
    signal?: AbortSignal;
  } = {},
) {
  const { containers, calls } = programs(options.run ?? (() => exited(0)));
  const container = containerOf({ ports: [{ name: 'http', containerPort: port }] });
  const target = { id: 'id-1', container, host: '127.0.0.1', ...options.target };
  const signal = options.signal ?? new AbortController().signal;
  const done = openHookRunner({ containers, clock: REAL_CLOCK }).run(handler, target, signal);
  return { done, calls };
}

const fails = (done: Promise<void>, message: string | RegExp) =>
  assert.rejects(done, error => {
    assert.ok(error instanceof HookError);
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });

describe('exec', () => {
  test('row 114: runs the command as it is written', async () => {
    const { done, calls } = hook({ exec: { command: ['echo', '$(HOME)'] } });
    await done;
    assert.deepEqual(calls[0]?.command, ['echo', '$(HOME)']);
    assert.equal(calls[0].options.maxOutputBytes, 10_240);
  });
  test('row 111: another exit code is an error, without the output', async () => {
    const { done } = hook({ exec: { command: ['x'] } }, { run: () => exited(4, 'a secret') });
    await fails(done, 'command exited with code 4');
  });
  test('an engine that fails is an error', async () => {
    const run = () => Promise.reject(new Error('the engine is away'));
    await fails(hook({ exec: { command: ['x'] } }, { run }).done, 'the engine is away');
  });
  test('is given up without an error when the caller has no more time', async () => {
    const given = new AbortController();
    const run = ({ options }: ExecCall) =>
      new Promise<ExecResult>((_, reject) => {
        options.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        given.abort();
      });
    await hook({ exec: { command: ['sleep', '1000'] } }, { run, signal: given.signal }).done;
  });
});

describe('httpGet', () => {
  for (const status of [200, 302, 404, 500]) {
    test(`row 113: ${status} is success`, async () => {
      await hook({ httpGet: { port, path: `/${status}` } }).done;
    });
  }
  test('asks as the kubelet does', async () => {
    await hook({ httpGet: { port: 'http', path: '/200' } }).done;
    const { headers } = seen.at(-1) as IncomingMessage;
    assert.deepEqual([headers['user-agent'], headers.accept], ['kube-lifecycle/1.36', '*/*']);
  });
  test('row 113: https falls back to http where the port speaks no TLS, without the credentials', async () => {
    const httpHeaders = [
      { name: 'Authorization', value: 'Basic x' },
      { name: 'X-A', value: 'b' },
    ];
    await hook({ httpGet: { port, path: '/200', scheme: 'HTTPS', httpHeaders } }).done;
    const { headers, url } = seen.at(-1) as IncomingMessage;
    assert.deepEqual([url, headers.authorization, headers['x-a']], ['/200', undefined, 'b']);
  });
  test('row 113: a port where nobody listens is an error', async () => {
    const closed = await closedPort(createTcpServer());
    const text = `Get "http://127.0.0.1:${closed}/": connect: connection refused`;
    await fails(hook({ httpGet: { port: closed } }).done, text);
  });
  test('P21: with the host’s network it goes to the loopback that the caller names', async () => {
    await hook({ httpGet: { port, path: '/200' } }, { target: { host: '127.0.0.1' } }).done;
    await fails(hook({ httpGet: { port } }, { target: { host: '' } }).done, /no address/);
  });
  test('a named port of a container that is not known any more is an error', async () => {
    await fails(
      hook({ httpGet: { port: 'http' } }, { target: { container: null } }).done,
      /find port/,
    );
  });
  test('is given up without an error when the caller has no more time', async () => {
    const given = new AbortController();
    const { done } = hook({ httpGet: { port, path: '/never' } }, { signal: given.signal });
    setTimeout(() => given.abort(), 30);
    await done;
  });
});

describe('sleep', () => {
  const { containers } = programs(() => exited(0));
  const target = { id: 'id-1', container: null, host: '' };

  test('T66: takes its time, and ends with the container', async () => {
    const clock = new SimulatedClock(0);
    const hooks = openHookRunner({ containers, clock });
    let turns = 0;
    const ended = { long: false, cut: false };
    const given = new AbortController();
    void hooks.run({ sleep: { seconds: 20 } }, target, new AbortController().signal).then(() => {
      ended.long = true;
      turns += 1;
    });
    void hooks.run({ sleep: { seconds: 9999 } }, target, given.signal).then(() => {
      ended.cut = true;
      turns += 1;
    });
    const activity = () => turns;
    clock.advance(19_999);
    await clock.settle(activity);
    assert.deepEqual(ended, { long: false, cut: false });
    clock.advance(1);
    await clock.settle(activity);
    assert.deepEqual(ended, { long: true, cut: false });
    given.abort();
    await clock.settle(activity);
    assert.deepEqual(ended, { long: true, cut: true });
  });
  test('T66: of 0 seconds is over at once', async () => {
    await openHookRunner({ containers, clock: new SimulatedClock(0) }).run(
      { sleep: { seconds: 0 } },
      target,
      new AbortController().signal,
    );
  });
});

test('row 114: a hook that is none of these is an error', async () => {
  await fails(hook({ tcpSocket: { port: 1 } }).done, /exec, httpGet or sleep/);
});
