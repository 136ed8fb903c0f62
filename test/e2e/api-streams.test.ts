/**
 * Unmodified kubectls (SPDY up to 1.29, WebSocket from 1.30) running logs, exec, attach, cp and port-forward against the real
 * API; the node is this machine. Real nodes behind a broker: pod-streams.test.ts.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { StreamRefused } from '../../hub/streams/streams.js';
import { KUBECTLS, kubeconfig } from '../support/kubectls.js';
import { localStreams, type LocalStreams } from '../support/local-streams.js';
import { eventually } from '../support/wait.js';
import { CLOCK, startFixture, type Fixture } from '../support/api-server.js';
import { HUB, node, pod, put } from '../support/api-objects.js';

interface Result {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

const END_MS = 60_000;

describe('real kubectl', { skip: KUBECTLS.length === 0 ? 'no kubectl here' : false }, () => {
  let hub: Fixture;
  let streams: LocalStreams;
  let config: string;

  before(async () => {
    streams = localStreams();
    hub = await startFixture(CLOCK, streams);
    config = join(hub.folder, 'kubeconfig');
    await writeFile(config, JSON.stringify(kubeconfig(hub)));
    await hub.store.commit(HUB, [put(node('edge-1')), put(pod('web-edge-1'))]);
  });
  after(() => hub.close());
  beforeEach(() => {
    streams.refuse = null;
    streams.log = [];
    streams.sizes.length = 0;
  });

  for (const [minor, kubectl] of KUBECTLS) {
    describe(`${kubectl} (1.${minor})`, () => {
      const flags = () => [
        `--kubeconfig=${config}`,
        `--cache-dir=${join(hub.folder, `cache-${minor}`)}`,
      ];
      const start = (...args: string[]) => spawn(kubectl, [...flags(), ...args]);
      const run = async (args: readonly string[], input = Buffer.alloc(0)): Promise<Result> => {
        const child = spawn(kubectl, [...flags(), ...args], { timeout: END_MS });
        const out: Buffer[] = [];
        const err: Buffer[] = [];
        child.stdout.on('data', (piece: Buffer) => out.push(piece));
        child.stderr.on('data', (piece: Buffer) => err.push(piece));
        child.stdin.on('error', () => undefined);
        child.stdin.end(input);
        const [code] = (await once(child, 'close')) as [number | null];
        return { code, out: Buffer.concat(out), err: Buffer.concat(err).toString() };
      };

      test('exec: output, errors and the exit code', async () => {
        const script = 'echo out; echo err >&2; exit 3';
        const { code, out, err } = await run(['exec', 'web-edge-1', '--', 'sh', '-c', script]);
        assert.equal(code, 3);
        assert.equal(out.toString(), 'out\n');
        assert.match(err, /^err\n.*command terminated with exit code 3/s);
      });

      test('exec -i: megabytes go through and come back, stdin ends', async () => {
        const sent = randomBytes(8 << 20);
        const { code, out, err } = await run(['exec', '-i', 'web-edge-1', '--', 'cat'], sent);
        assert.equal(code, 0, err);
        assert.ok(out.equals(sent), `${out.length} of ${sent.length} bytes came back`);
      });

      test('exec -it on a terminal: what is typed arrives, and the size', async () => {
        const words = [kubectl, ...flags(), 'exec', '-it', 'web-edge-1', '--', 'head', '-n1'];
        const line = `stty rows 30 cols 100; ${words.join(' ')}`;
        const child = spawn('script', ['-qec', line, '/dev/null'], { timeout: END_MS });
        child.stdout.resume();
        // kubectl sends the size twice, one larger first, so that the program draws anew.
        await eventually('the size', () => streams.sizes.includes('100x30'));
        // Raw: a terminal of the node would make a line's end of it, a pipe does not.
        child.stdin.write('hello\n');
        const [code] = (await once(child, 'exit')) as [number | null];
        assert.equal(code, 0);
      });

      test('attach: the process itself', async () => {
        const { out, err } = await run(['attach', '-i', 'web-edge-1'], Buffer.from('hello\n'));
        assert.match(out.toString(), /hello\n/, err);
      });

      test('cp both ways', async () => {
        const from = join(hub.folder, `from-${minor}`);
        const there = join(hub.folder, `there-${minor}`);
        await mkdir(there);
        await writeFile(from, randomBytes(1 << 20));
        const up = await run(['cp', from, `web-edge-1:${there}/file`]);
        assert.equal(up.code, 0, up.err);
        assert.ok(readFileSync(join(there, 'file')).equals(readFileSync(from)));
        const back = join(hub.folder, `back-${minor}`);
        const down = await run(['cp', `web-edge-1:${there}/file`, back]);
        assert.equal(down.code, 0, down.err);
        assert.ok(readFileSync(back).equals(readFileSync(from)));
      });

      test('logs, and logs -f until it is ended', async () => {
        streams.log = ['one\n', 'two\n'];
        const { code, out } = await run(['logs', 'web-edge-1', '--tail=5', '--since=1h']);
        assert.equal(code, 0);
        assert.equal(out.toString(), 'one\ntwo\n');
        const follower = start('logs', '-f', 'web-edge-1');
        await said(follower, /one\ntwo\n/);
        follower.kill();
        await eventually('the stream is closed', () => streams.count() === 0);
      });

      test('what the node refuses is printed as the node says it', async () => {
        streams.refuse = new StreamRefused('Forbidden', 'exec is off on node edge-1: set it on');
        const { code, err } = await run(['exec', 'web-edge-1', '--', 'ls']);
        assert.equal(code, 1);
        assert.match(err, /exec is off on node edge-1: set it on/);
        streams.refuse = new StreamRefused('NodeOffline', 'node edge-1 is not connected since 5');
        const away = await run(['logs', 'web-edge-1']);
        assert.equal(away.code, 1);
        assert.match(away.err, /node edge-1 is not connected since 5/);
      });

      test('port-forward: several connections, and a port where nobody listens', async () => {
        const served = await hello();
        const { port } = served.address() as AddressInfo;
        const forwarder = start('port-forward', 'pod/web-edge-1', `:${port}`, ':1');
        try {
          const text = await said(forwarder, /127.0.0.1:\d+ -> 1\n/);
          const [local, nobody] = [...text.matchAll(/127.0.0.1:(\d+) ->/g)].map(m => Number(m[1]));
          for (const name of ['ada', 'bob']) {
            assert.equal(await answerOf(local ?? 0, name), `hello ${name}`);
          }
          const errors = said(forwarder, /error occurred forwarding .*ECONNREFUSED/, 'stderr');
          assert.equal(await answerOf(nobody ?? 0, 'eve'), '');
          await errors;
        } finally {
          forwarder.kill();
          served.close();
        }
        await eventually('the stream is closed', () => streams.count() === 0);
      });
    });
  }
});

/** Greets whoever says a name and ends. */
async function hello(): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    const pieces: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('end', () => socket.end(`hello ${Buffer.concat(pieces).toString()}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function answerOf(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const pieces: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.end(text);
  // A reset is an end too: of what was sent to nobody.
  await new Promise(resolve => socket.once('close', resolve));
  return Buffer.concat(pieces).toString();
}

/** What was printed until it matches; rejects when the program ends without. */
async function said(
  child: ChildProcess,
  pattern: RegExp,
  where: 'stdout' | 'stderr' = 'stdout',
): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    child[where]?.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (pattern.test(text)) resolve(text);
    });
    child.once('exit', () => reject(new Error(`it ended without ${String(pattern)}: ${text}`)));
  });
}
