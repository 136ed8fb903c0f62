/**
 * `flotilla logs`, `exec`, `attach` and `port-forward` as a person runs them, against the real API; the node is this machine.
 * Real nodes behind a broker: pod-streams.test.ts.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { StreamRefused } from '../../hub/streams/streams.js';
import { kubeconfig } from '../support/kubectls.js';
import { localStreams, type LocalStreams } from '../support/local-streams.js';
import { HUB_PROGRAM } from '../support/programs.js';
import { eventually } from '../support/wait.js';
import { CLOCK, startFixture, type Fixture } from '../support/api-server.js';
import { HUB, node, pod, put } from '../support/api-objects.js';

const END_MS = 60_000;
const TWO = { containers: [{ name: 'a' }, { name: 'b' }], initContainers: [{ name: 'i' }] };

let hub: Fixture;
let streams: LocalStreams;
let env: NodeJS.ProcessEnv;

before(async () => {
  streams = localStreams();
  hub = await startFixture(CLOCK, streams);
  const config = join(hub.folder, 'kubeconfig');
  await writeFile(config, JSON.stringify(kubeconfig(hub)));
  env = { ...process.env, KUBECONFIG: config };
  await hub.store.commit(HUB, [
    put(node('edge-1')),
    put(node('edge-2')),
    put(pod('web-edge-1', { labels: { app: 'web' } })),
    put(pod('web-edge-2', { node: 'edge-2', labels: { app: 'web' } })),
    put(pod('db-edge-1')),
    put(pod('two-edge-1', { spec: TWO })),
  ]);
});
after(() => hub.close());
beforeEach(() => {
  streams.refuse = null;
  streams.log = [];
  streams.asks.length = 0;
  streams.sizes.length = 0;
});

function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [HUB_PROGRAM, ...args], { env, timeout: END_MS });
}

async function run(args: readonly string[], input = Buffer.alloc(0)) {
  const child = start(...args);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => out.push(piece));
  child.stderr.on('data', (piece: Buffer) => err.push(piece));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: Buffer.concat(out).toString('latin1'), err: Buffer.concat(err).toString() };
}

describe('exec', () => {
  test('ends with the command’s own exit code', async () => {
    const script = 'echo out; echo err >&2; exit 7';
    const { code, out, err } = await run(['exec', 'web-edge-1', '--', 'sh', '-c', script]);
    assert.deepEqual([code, out], [7, 'out\n']);
    assert.equal(err, 'err\ncommand terminated with exit code 7\n');
  });

  test('-i hands bytes on as they are, to the end', async () => {
    const sent = randomBytes(2 << 20);
    const { code, out } = await run(['exec', '-i', 'db', '--', 'cat'], sent);
    assert.equal(code, 0);
    assert.ok(Buffer.from(out, 'latin1').equals(sent));
  });

  test('-it puts the terminal into raw mode, tells its size, and puts it back', async () => {
    const words = [process.execPath, HUB_PROGRAM, 'exec', '-it', 'db', '--', 'head', '-n1'];
    const line = `stty rows 30 cols 100; ${words.join(' ')}; stty -a`;
    const child = spawn('script', ['-qec', line, '/dev/null'], { env, timeout: END_MS });
    let shown = '';
    child.stdout.on('data', (piece: Buffer) => (shown += piece.toString()));
    await eventually('the size', () => streams.sizes.length > 0);
    child.stdin.write('hello\n');
    await once(child, 'close');
    assert.deepEqual(streams.sizes, ['100x30']);
    assert.match(shown, /^hello\r?\n/m);
    assert.match(shown, /[^-]icanon/);
  });

  test('Ctrl-C ends it, and the command', async () => {
    const child = start('exec', 'db', '--', 'sleep', '1000');
    await eventually('it runs', () => streams.count() > 0);
    child.kill('SIGINT');
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 130);
    await eventually('the stream is closed', () => streams.count() === 0);
  });

  test('attach is the container’s own process', async () => {
    const { code, out } = await run(['attach', '-i', 'db'], Buffer.from('hello\n'));
    assert.deepEqual([code, out], [0, 'hello\n']);
    assert.equal(streams.asks[0]?.ask.kind, 'attach');
  });
});

describe('which pod', () => {
  const FOUND: readonly (readonly [string, string[], string, string])[] = [
    ['by its mirror’s name', ['web-edge-2'], 'edge-2', 'web'],
    ['by its manifest’s name, which one node has', ['db'], 'edge-1', 'db'],
    ['by its manifest’s name and the node', ['web', '--node', 'edge-2'], 'edge-2', 'web'],
    ['as pod/NAME', ['pod/db-edge-1'], 'edge-1', 'db'],
  ];
  for (const [name, words, where, pod] of FOUND) {
    test(name, async () => {
      assert.equal((await run(['exec', ...words, '--', 'true'])).code, 0);
      const [asked] = streams.asks;
      assert.deepEqual([asked?.node, asked?.ask.pod], [where, pod]);
    });
  }

  const REFUSED: readonly (readonly [string, string[], RegExp])[] = [
    ['one that is not there', ['nope'], /there is no pod nope in namespace default/],
    ['one that is not on that node', ['db', '--node', 'edge-2'], /no pod db on node edge-2/],
    ['one of several nodes', ['web'], /on 2 nodes: edge-1, edge-2\n.*--node NAME/],
    ['another kind', ['node/edge-1'], /"node\/edge-1" is not a pod/],
    ['no container of it', ['db', '-c', 'x'], /container x is not valid for pod db-edge-1/],
  ];
  test('what is not there, or not clear, is refused', async () => {
    const check = async ([name, words, message]: (typeof REFUSED)[number]) => {
      const { code, err } = await run(['exec', ...words, '--', 'true']);
      assert.equal(code, 2, `${name}: ${err}`);
      assert.match(err, message);
    };
    await Promise.all(REFUSED.map(check));
  });

  test('of several containers the first, and that is said', async () => {
    const { err } = await run(['exec', 'two', '--', 'true']);
    assert.match(err, /Defaulted container "a" out of: a, b/);
  });
});

describe('what a node says', () => {
  test('its refusal is printed, exit 2', async () => {
    streams.refuse = new StreamRefused('Forbidden', 'exec is off on node edge-1: allow it there');
    const { code, err } = await run(['exec', 'db', '--', 'true']);
    assert.equal(code, 2);
    assert.match(err, /exec is off on node edge-1: allow it there/);
  });

  test('that it is away, exit 1', async () => {
    streams.refuse = new StreamRefused('NodeOffline', 'node edge-1 is not connected since 5');
    const { code, err } = await run(['logs', 'db']);
    assert.equal(code, 1);
    assert.match(err, /node edge-1 is not connected since 5/);
  });
});

describe('logs', () => {
  test('every option reaches the node', async () => {
    streams.log = ['one\n', 'two'];
    const options = '--tail 5 --since 1m30s -p --timestamps --limit-bytes 100 -c b'.split(' ');
    const { code, out } = await run(['logs', 'two', ...options]);
    assert.deepEqual([code, out], [0, 'one\ntwo']);
    const ask = { follow: false, previous: true, timestamps: true, tailLines: 5 };
    assert.deepEqual(streams.asks[0]?.ask, {
      ...{ kind: 'logs', namespace: 'default', pod: 'two', container: 'b' },
      ...{ ...ask, sinceSeconds: 90, limitBytes: 100 },
    });
  });

  test('of all containers and pods, each line with its source', async () => {
    streams.log = ['o', 'ne\ntw', 'o'];
    const all = await run(['logs', 'two', '--all-containers', '--prefix']);
    const lines = ['i', 'a', 'b'].flatMap(name =>
      ['one', 'two'].map(text => `[pod/two-edge-1/${name}] ${text}\n`),
    );
    assert.equal(all.out, lines.join(''));
    const selected = await run(['logs', '-l', 'app=web']);
    assert.equal(selected.out, 'one\ntwo\none\ntwo\n');
    const asked = streams.asks
      .slice(3)
      .map(({ node, ask }) => [node, ask.kind === 'logs' && ask.tailLines]);
    assert.deepEqual(asked, [
      ['edge-1', 10],
      ['edge-2', 10],
    ]);
  });

  test('-f goes on until Ctrl-C', async () => {
    streams.log = ['one\n'];
    const child = start('logs', '-f', 'db');
    const [first] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(first.toString(), 'one\n');
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [130, null]);
    await eventually('the stream is closed', () => streams.count() === 0);
  });

  const WRONG: readonly (readonly [string[], RegExp])[] = [
    [[], /the name of a pod, or a selector/],
    [['db', '-l', 'a=b'], /one of them/],
    [['db', '--since', 'long'], /--since: "long" is not a duration/],
    [['db', '--tail', 'x'], /--tail: "x" is not a whole number/],
    [['db', '-c', 'a', '--all-containers'], /one of them/],
    [['two', '-f', '--all-containers', '--max-log-requests', '2'], /3 logs to follow: at most 2/],
    [['db', '--since-time', 'yesterday'], /sinceTime: "yesterday" is not a time/],
  ];
  test('what cannot be meant is refused, with what is wrong', async () => {
    const check = async ([words, message]: (typeof WRONG)[number]) => {
      const { code, err } = await run(['logs', ...words]);
      assert.equal(code, 2, `${words.join(' ')}: ${err}`);
      assert.match(err, message);
    };
    await Promise.all(WRONG.map(check));
  });
});

describe('port-forward', () => {
  test('connections go through, one that fails is told, Ctrl-C ends it', async () => {
    const echo = createServer({ allowHalfOpen: true }, socket => void socket.pipe(socket));
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as AddressInfo;
    const child = start('port-forward', 'db', `:${port}`, ':1');
    let [out, err] = ['', ''];
    child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
    const locals = () => [...out.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map(m => Number(m[1]));
    while (locals().length < 2) await once(child.stdout, 'data');
    const [local = 0, nobody = 0] = locals();
    const sent = randomBytes(1 << 20).toString('latin1');
    assert.deepEqual(await Promise.all([answerOf(local, sent), answerOf(local, 'b')]), [sent, 'b']);
    assert.equal(await answerOf(nobody, 'c'), '');
    while (!/a connection to port 1 of db-edge-1: .*ECONNREFUSED/.test(err)) {
      await once(child.stderr, 'data');
    }
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    echo.close();
    await eventually('the stream is closed', () => streams.count() === 0);
  });

  test('what is no port, and one that is taken', async () => {
    const check = async (ports: string) => {
      const { code, err } = await run(['port-forward', 'db', ports]);
      assert.equal(code, 2, err);
      assert.match(err, /is not (a port|LOCAL:REMOTE)/);
    };
    await Promise.all(['x', '1:2:3', '80:', '0', '70000'].map(check));
    const { code, err } = await run(['port-forward', 'db', `${hub.api.port}:80`]);
    assert.equal(code, 1);
    assert.match(err, /EADDRINUSE\n.*another program has it/);
  });
});

async function answerOf(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const pieces: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.end(Buffer.from(text, 'latin1'));
  // A reset is an end too: of what was sent to nobody.
  await new Promise(resolve => socket.once('close', resolve));
  return Buffer.concat(pieces).toString('latin1');
}
