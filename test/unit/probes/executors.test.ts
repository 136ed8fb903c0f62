/** The tcpSocket, grpc and exec probes, and the three tries: kubelet behaviour rows 97, 102 to 105. */
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import {
  Server as GrpcServer,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { expandLiterals } from '../../../agent/probes/exec.js';
import { HEALTH_CHECK, healthCheckRequest, servingStatus } from '../../../agent/probes/grpc.js';
import { openProbeRun } from '../../../agent/probes/probe.js';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import type { Container, Probe } from '../../../protocol/pod.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { eventually } from '../../support/wait.js';
import { closedPort, containerOf, exited, listen, programs, readiness, targetOf } from './world.js';
import type { ExecCall } from './world.js';
import type { ExecResult } from '../../../agent/runtime/exec.js';

const noPrograms = () => Promise.reject(new Error('nothing is to be run'));

async function probe(
  probeSpec: Probe,
  options: {
    run?: (call: ExecCall) => Promise<ExecResult> | ExecResult;
    host?: string;
    fields?: Partial<Container>;
  } = {},
) {
  const { containers, calls } = programs(options.run ?? noPrograms);
  const run = openProbeRun({ containers, clock: REAL_CLOCK });
  const target = targetOf(
    { ...readiness({ timeoutSeconds: 1, ...probeSpec }), ...options.fields },
    { host: options.host ?? '127.0.0.1' },
  );
  const answer = await run('readiness', target, new AbortController().signal);
  return { answer, calls };
}

const messageOf = (answer: { is: string; message?: string }) => answer.message ?? '';

describe('row 104: tcpSocket', () => {
  let server: Server;
  let port = 0;
  before(async () => {
    server = createServer(socket => socket.destroy());
    port = await listen(server);
  });
  after(() => server.close());

  test('passes when the connection opens', async () => {
    assert.equal((await probe({ tcpSocket: { port } })).answer.is, 'success');
    const ports = [{ name: 'db', containerPort: port }];
    assert.equal(
      (await probe({ tcpSocket: { port: 'db' } }, { fields: { ports } })).answer.is,
      'success',
    );
    assert.equal(
      (await probe({ tcpSocket: { port, host: '127.0.0.1' } }, { host: '' })).answer.is,
      'success',
    );
  });
  test('fails when it is refused', async () => {
    const closed = await closedPort(createServer());
    assert.deepEqual((await probe({ tcpSocket: { port: closed } })).answer, {
      is: 'failure',
      message: `dial tcp 127.0.0.1:${closed}: connect: connection refused`,
    });
  });
  test('row 97: without an address or a port it cannot be made', async () => {
    assert.deepEqual((await probe({ tcpSocket: { port } }, { host: '' })).answer, {
      is: 'error',
      message: 'the pod has no address yet',
    });
    assert.deepEqual((await probe({ tcpSocket: { port: 'db' } })).answer, {
      is: 'error',
      message: "couldn't find port: db",
    });
  });
});

describe('row 104: grpc', () => {
  const server = new GrpcServer();
  const sockets = new Set<Socket>();
  const silent = createServer(socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).resume();
  });
  let port = 0;
  const answers: Record<string, number | Error> = {
    '': 1,
    down: 2,
    odd: 0,
    gone: Object.assign(new Error('what the server said'), { code: status.NOT_FOUND }),
  };
  const asked: string[] = [];
  const agents: unknown[] = [];

  before(async () => {
    const plain = {
      requestSerialize: (value: Buffer) => value,
      requestDeserialize: (value: Buffer) => value,
      responseSerialize: (value: Buffer) => value,
      responseDeserialize: (value: Buffer) => value,
    };
    server.addService(
      { check: { path: HEALTH_CHECK, requestStream: false, responseStream: false, ...plain } },
      {
        check: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
          const service = call.request.subarray(2).toString();
          asked.push(service);
          agents.push(call.metadata.get('user-agent')[0]);
          if (service === 'never') return;
          const answer = answers[service] ?? 3;
          if (answer instanceof Error) reply(answer);
          else reply(null, answer === 0 ? Buffer.alloc(0) : Buffer.from([0x08, answer]));
        },
      },
    );
    port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
  });
  after(() => {
    server.forceShutdown();
    silent.close();
  });

  const grpc = async (service?: string, of = port) =>
    (await probe({ grpc: { port: of, ...(service === undefined ? {} : { service }) } })).answer;

  test('passes on SERVING, the service’s name being empty by default', async () => {
    assert.deepEqual(await grpc(), { is: 'success' });
    assert.equal(asked.at(-1), '');
    assert.match(String(agents.at(-1)), /^kube-probe\/1\.36/);
  });
  for (const [service, message] of [
    ['down', 'service unhealthy (responded with "NOT_SERVING")'],
    ['odd', 'service unhealthy (responded with "UNKNOWN")'],
    ['other', 'service unhealthy (responded with "SERVICE_UNKNOWN")'],
    ['gone', 'error: health rpc probe failed: NOT_FOUND'],
    ['never', 'timeout: health rpc did not complete within 1s'],
  ] as const) {
    test(`fails when the service "${service}" answers otherwise: ${message}`, async () => {
      assert.deepEqual(await grpc(service), { is: 'failure', message });
    });
  }
  test('fails where nobody listens, or nobody speaks the protocol', async () => {
    const closed = await closedPort(createServer());
    assert.equal(
      messageOf(await grpc('', closed)),
      `error: failed to connect service at "127.0.0.1:${closed}": connect: connection refused`,
    );
    const silentPort = await listen(silent);
    assert.match(messageOf(await grpc('', silentPort)), /^timeout: health rpc/);
    await eventually('no connection is left behind', () => sockets.size === 0);
    const http = createHttpServer((_, response) => response.end('ok'));
    const httpPort = await listen(http);
    assert.equal((await grpc('', httpPort)).is, 'failure');
    http.close();
  });
  test('fails on a server without the health service', async () => {
    const bare = new GrpcServer();
    const barePort = await new Promise<number>((resolve, reject) =>
      bare.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    assert.match(
      messageOf(await grpc('', barePort)),
      /does not implement the grpc health protocol/,
    );
    bare.forceShutdown();
  });
  test('writes and reads the two messages as protobuf has them', () => {
    assert.deepEqual(healthCheckRequest(''), Buffer.alloc(0));
    assert.deepEqual(healthCheckRequest('ab'), Buffer.from([0x0a, 2, 0x61, 0x62]));
    assert.deepEqual(
      healthCheckRequest('x'.repeat(300)).subarray(0, 3),
      Buffer.from([0x0a, 0xac, 0x02]),
    );
    assert.equal(servingStatus(Buffer.alloc(0)), 0);
    assert.equal(servingStatus(Buffer.from([0x12, 1, 0xff, 0x08, 1, 0x1d, 0, 0, 0, 0])), 1);
    for (const bytes of [[0x08], [0x12, 9, 1], [0x0b], [0x08, ...Array<number>(10).fill(0xff)]]) {
      assert.throws(() => servingStatus(Buffer.from(bytes)), RangeError);
    }
  });
});

describe('exec', () => {
  const exec = { command: ['check', '$(MODE)'] };

  test('row 102: passes on exit 0, with the kubelet’s limits', async () => {
    const { answer, calls } = await probe({ exec, timeoutSeconds: 7 }, { run: () => exited(0) });
    assert.deepEqual(answer, { is: 'success' });
    const { id, command, options } = calls[0] as ExecCall;
    assert.deepEqual([id, command], ['id-1', ['check', '$(MODE)']]);
    assert.deepEqual([options.timeoutMs, options.maxOutputBytes], [7000, 10_240]);
  });
  const rows: [string, ExecResult, string][] = [
    [
      'fails on any other, without a word of the output',
      exited(3, 'a secret'),
      'command exited with code 3',
    ],
    [
      'row 102: fails when it takes too long',
      { exitCode: null, output: 'x', timedOut: true },
      'command timed out after 1s',
    ],
    [
      'fails when there is no such program',
      exited(127),
      'command exited with code 127: it is not in the container or cannot be executed',
    ],
    [
      'fails when it cannot be run',
      exited(126),
      'command exited with code 126: it is not in the container or cannot be executed',
    ],
  ];
  for (const [sentence, result, message] of rows) {
    test(sentence, async () => {
      const { answer, calls } = await probe({ exec }, { run: () => result });
      assert.deepEqual(answer, { is: 'failure', message });
      assert.equal(calls.length, 1);
    });
  }
  test('row 103: $(VAR) stands for what the manifest writes, and for nothing else', () => {
    const env = [
      { name: 'A', value: 'one' },
      { name: 'B', value: '$(A)-two' },
      { name: 'C', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    ];
    const words = ['$(A)', '$(B)', '$(C)', '$(D)', '$$(A)'];
    assert.deepEqual(expandLiterals(words, containerOf({ env })), [
      'one',
      'one-two',
      '$(C)',
      '$(D)',
      '$(A)',
    ]);
  });
});

describe('row 97: a probe that cannot be made', () => {
  const exec = { command: ['check'] };
  const failing = (code: 'EngineError' | 'EngineUnavailable' | 'NotFound') => () =>
    Promise.reject(new RuntimeError(code, 'why'));

  test('is tried three times, then it is an error with its cause', async () => {
    const { answer, calls } = await probe({ exec }, { run: failing('EngineError') });
    assert.deepEqual(answer, { is: 'error', message: 'why' });
    assert.equal(calls.length, 3);
  });
  test('counts when the second try goes well', async () => {
    let tries = 0;
    const run = () => (++tries === 1 ? failing('EngineError')() : exited(0));
    assert.equal((await probe({ exec }, { run })).answer.is, 'success');
  });
  for (const code of ['EngineUnavailable', 'NotFound'] as const) {
    test(`says nothing about the container when the engine answers ${code}`, async () => {
      const { answer, calls } = await probe({ exec }, { run: failing(code) });
      assert.equal(answer.is, 'nothing');
      assert.equal(calls.length, 1);
    });
  }
});
