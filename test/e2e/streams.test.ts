/**
 * Logs, exec, attach and port-forward of a real node: a hub in this process with its own broker, an agent as a process,
 * containers on a real engine; what the hub's API uses is called as it calls it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { StreamRefused, type StreamAsk } from '../../hub/streams/streams.js';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { InProcessHub } from '../support/in-process-hub.js';
import { residentBytes } from '../support/process-memory.js';
import { openStream, runStream } from '../support/streams.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const web = { namespace: 'default', pod: 'web', container: 'app' } as const;
const PIPED = { stdin: false, stdout: true, stderr: true, tty: false } as const;
const TERMINAL = { stdin: true, stdout: true, stderr: false, tty: true } as const;
const MIB = 1024 * 1024;

const WEB = [
  'echo one',
  'echo two >&2',
  'mkdir /www; echo hello > /www/index.html; httpd -p 8080 -h /www',
  'trap "exit 0" TERM',
  'while :; do sleep 0.1; [ -e /tmp/say ] && cat /tmp/say && rm /tmp/say; done',
].join('; ');

function podOf(name: string, script: string, container: object = {}): string {
  const app = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', script], ...container };
  const spec = { terminationGracePeriodSeconds: 1, containers: [app] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

describe('streams of a node', { skip: noEngine() }, () => {
  const hub = new InProcessHub();
  const run = (ask: StreamAsk) => runStream(hub.streams, NODE, ask);
  const open = (ask: StreamAsk, options = {}) => openStream(hub.streams, NODE, ask, options);
  const sh = (script: string) =>
    ({ kind: 'exec', ...web, ...PIPED, command: ['sh', '-c', script] }) as const;
  const refused = (ask: StreamAsk, node = NODE) =>
    openStream(hub.streams, node, ask).then(
      () => assert.fail('it was not refused'),
      (error: unknown) => {
        assert.ok(error instanceof StreamRefused, String(error));
        return error;
      },
    );

  before(async () => {
    ensureTestImage();
    await hub.begin();
    await hub.play.join(NODE);
    hub.play.write(`${NODE}/manifests/web.json`, podOf('web', WEB));
    const cat = 'echo begin; cat; echo end; sleep 1000';
    hub.play.write(`${NODE}/manifests/tty.json`, podOf('cat', cat, { stdin: true }));
    await eventually('both run', async () => {
      const ends = [await run(sh('true')), await run({ ...sh('true'), pod: 'cat' })];
      return ends.every(({ end }) => end.status === 'Success');
    });
    await eventually('the one has said its words', async () => {
      const { stdout } = await run({ kind: 'logs', ...web });
      return stdout.length === 'one\ntwo\n'.length;
    });
  });
  after(() => hub.close());

  test('an exec gives its output by channel, and its exit code as kubectl reads it', async () => {
    const { stdout, stderr, end } = await run(sh('echo out; echo err >&2; exit 3'));
    assert.equal(stdout, 'out\n');
    assert.equal(stderr, 'err\n');
    assert.equal(end.reason, 'NonZeroExitCode');
    assert.deepEqual(end.details?.causes, [{ reason: 'ExitCode', message: '3' }]);
  });

  test('a program that is not there ends as a shell says it, in words too', async () => {
    const { stderr, stdout, end } = await run({ ...sh(''), command: ['no-such-program'] });
    assert.match(stderr + stdout, /no-such-program.*not found/);
    // Docker before 27 says 126.
    assert.match(end.details?.causes?.[0]?.message ?? '', /^12[67]$/);
  });

  test('end of stdin ends cat, and all that it read comes back', async () => {
    const stream = await open({ kind: 'exec', ...web, ...PIPED, stdin: true, command: ['cat'] });
    const text = 'x'.repeat(300_000);
    await stream.write(Buffer.from(text));
    stream.endInput();
    const { stdout, end } = await stream.done;
    assert.equal(stdout, text);
    assert.equal(end.status, 'Success');
  });

  test('a terminal has the size that it was given, and the one it is given later', async () => {
    const script = 'until [ "$(stty size)" = "$1" ]; do sleep 0.02; done; stty size';
    const command = ['sh', '-c', `set -- "40 100"; ${script}; read x; set -- "50 120"; ${script}`];
    const stream = await open({ kind: 'exec', ...web, ...TERMINAL, command });
    stream.resize(100, 40);
    await eventually('the first size', () => stream.stdout().includes('40 100\r\n'));
    stream.resize(120, 50);
    await stream.write(Buffer.from('\n'));
    const { stdout, end } = await stream.done;
    assert.match(stdout, /50 120\r\n/);
    assert.equal(end.status, 'Success');
  });

  test('a hub that closes ends the terminal and leaves the container alone', async () => {
    const stream = await open({ kind: 'exec', ...web, ...TERMINAL, command: ['sh'] });
    await stream.write(Buffer.from('echo "pid $$"\n'));
    await eventually('the shell answers', () => /pid \d+\r/.test(stream.stdout()));
    stream.close();
    stream.close();
    assert.equal((await stream.done).end.reason, 'Cancelled');
    await assert.rejects(stream.write(Buffer.from('more')));
    const pid = /pid (\d+)\r/.exec(stream.stdout())?.[1] ?? '';
    await eventually('the shell is over', async () => {
      return (await run(sh(`[ -e /proc/${pid} ]`))).end.status === 'Failure';
    });
  });

  test('logs: all of it, its tail, with timestamps, and no more bytes than were asked for', async () => {
    const logs = { kind: 'logs', ...web } as const;
    assert.deepEqual((await run(logs)).stdout.split('\n').sort(), ['', 'one', 'two']);
    assert.equal((await run({ ...logs, tailLines: 0 })).stdout, '');
    assert.match((await run({ ...logs, tailLines: 1 })).stdout, /^(one|two)\n$/);
    assert.match(
      (await run({ ...logs, timestamps: true })).stdout,
      /^\d{4}-\d\d-\d\dT\S+Z (one|two)\n/,
    );
    assert.equal((await run({ ...logs, limitBytes: 2 })).stdout.length, 2);
    assert.equal((await run({ ...logs, sinceTime: '2099-01-01T00:00:00Z' })).stdout, '');
    assert.equal((await run(logs)).end.status, 'Success');
  });

  test('logs that are followed come as they are written', async () => {
    const stream = await open({ kind: 'logs', ...web, follow: true, tailLines: 0 });
    // Said again until it is heard: when the following begins is not told.
    await eventually('the new line', async () => {
      await run(sh('echo later > /tmp/say'));
      return stream.stdout() !== '';
    });
    assert.match(stream.stdout(), /^(later\n)+$/);
    stream.close();
    assert.equal((await stream.done).end.reason, 'Cancelled');
  });

  test('an attach joins the program at work: its output, and its stdin', async () => {
    const stream = await open({ kind: 'attach', ...web, ...PIPED, pod: 'cat', stdin: true });
    await stream.write(Buffer.from('typed\n'));
    await eventually('cat gives it back', () => stream.stdout() === 'typed\n');
    stream.close();
    await stream.done;
  });

  test('a port is a connection into the pod; one where nobody listens says so', async () => {
    const ask = { kind: 'portForward', namespace: 'default', pod: 'web', port: 8080 } as const;
    const stream = await open(ask);
    await stream.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    const { stdout, end } = await stream.done;
    assert.match(stdout, /^HTTP\/1.\d 200 OK[\s\S]*hello\n$/);
    assert.equal(end.status, 'Success');
    const nobody = (await run({ ...ask, port: 8081 })).end;
    assert.equal(nobody.status, 'Failure');
    assert.match(nobody.message ?? '', /port 8081 of the pod: .*ECONNREFUSED/);
  });

  test('what cannot be had is refused in words, with the code of the API', async () => {
    const rows: readonly [StreamAsk, number, RegExp][] = [
      [{ ...sh(''), pod: 'ghost' }, 404, /no pod "ghost" in namespace default/],
      [{ ...sh(''), container: 'ghost' }, 404, /container "ghost" not found.*it has: app/],
      [{ kind: 'logs', ...web, previous: true }, 400, /previous terminated container "app"/],
      [{ kind: 'logs', ...web, uid: 'another' }, 404, /another now/],
      [{ kind: 'logs', ...web, sinceTime: 'noon' }, 400, /sinceTime is not RFC 3339/],
      [{ ...sh(''), command: [] }, 400, /says no program/],
      [{ ...sh(''), command: ['x'.repeat(60_000)] }, 400, /at most \d+ bytes/],
      [{ ...sh(''), pod: '../web' }, 400, /pod: not in a form/],
    ];
    for (const [ask, status, message] of rows) {
      const error = await refused(ask);
      assert.equal(error.status, status, error.message);
      assert.match(error.message, message);
    }
    assert.equal((await refused(sh(''), 'edge-9')).status, 404);
  });

  test('more streams than the node allows are refused; one that ends makes room', async () => {
    const follow = { kind: 'logs', ...web, follow: true } as const;
    const streams = await Promise.all(Array.from({ length: 8 }, () => open(follow)));
    const error = await refused(follow);
    assert.equal(error.status, 429);
    assert.match(error.message, /8 streams open/);
    for (const stream of streams) stream.close();
    await eventually('there is room', async () => (await run(sh('true'))).end.status === 'Success');
  });

  test('100 MB for somebody slow: the program waits, the agent does not grow', async () => {
    const pid = hub.play.pid(NODE);
    await run(sh('head -c 5000000 /dev/zero'));
    const before = residentBytes(pid);
    let received = 0;
    let largest = before;
    const stream = await open(sh('head -c 100000000 /dev/zero'), {
      onOutput: async (bytes: Buffer) => {
        // A second of nothing, then now and then a pause.
        if (received === 0) await delay(1_000);
        if (Math.floor(received / MIB) !== Math.floor((received + bytes.length) / MIB)) {
          await delay(2);
          largest = Math.max(largest, residentBytes(pid));
        }
        received += bytes.length;
      },
    });
    assert.equal((await stream.done).end.status, 'Success');
    assert.equal(received, 100_000_000);
    const growth = Math.round((largest - before) / MIB);
    assert.ok(growth < 32, `the agent grew by ${growth} MiB`);
  });

  test('every use is told in the events of the pod, with who asked and without arguments', async () => {
    const secret = 'hunter2';
    await runStream(hub.streams, NODE, sh(`echo ${secret}`), { user: 'bob\u001b[31m' });
    const where = ['--unix-socket', hub.play.path(NODE, 'agent.sock'), 'http://agent/events'];
    const { stdout: text } = await promisify(execFile)('curl', ['-s', ...where]);
    assert.match(text, /RemoteExec/);
    assert.match(text, /User \\"bob\?\[31m\\" runs \\"sh\\" in container app/);
    assert.match(text, /RemoteAttach/);
    assert.match(text, /RemotePortForward/);
    assert.doesNotMatch(text, new RegExp(secret));
    assert.doesNotMatch(hub.play.log(NODE), new RegExp(secret));
    assert.doesNotMatch(hub.log.join('\n'), new RegExp(secret));
    await eventually('the hub has them', async () => {
      return (await hub.play.ok('get', 'events', '-A')).includes('RemoteExec');
    });
  });

  test('a hub that was started anew goes on at once, and what was open is over', async () => {
    const stream = await open({ kind: 'exec', ...web, ...PIPED, stdin: true, command: ['cat'] });
    await hub.stop();
    assert.equal((await stream.done).end.status, 'Failure');
    await hub.start();
    await eventually('it answers again', async () => {
      return (await run(sh('true'))).end.status === 'Success';
    });
    await eventually(
      'cat is over',
      async () => (await run(sh('! pidof cat'))).end.status === 'Success',
    );
  });

  test('a node whose own configuration says so gives no more than logs', async () => {
    await hub.play.kill(NODE, 'SIGTERM');
    hub.play.startAgent(NODE, '--remote-access', 'logs');
    const error = await eventually('it refuses', async () => {
      const why = await refused(sh('touch /tmp/entered'));
      return why.code === 'Forbidden' && why;
    });
    assert.equal(error.status, 403);
    assert.match(
      error.message,
      /exec is off on node edge-1.*allows logs.*--remote-access logs,exec/,
    );
    assert.match((await refused({ kind: 'attach', ...web, ...PIPED })).message, /attach is off/);
    const port = { kind: 'portForward', namespace: 'default', pod: 'web', port: 8080 } as const;
    assert.match((await refused(port)).message, /portForward is off/);
    await eventually('logs', async () =>
      (await run({ kind: 'logs', ...web })).stdout.includes('one'),
    );
    const [id = ''] = docker(
      ...['ps', '-q', '--filter', `label=flotilla.dev/owner=${hub.play.path(NODE)}`],
      ...['--filter', 'name=k8s_app_web'],
    ).split('\n');
    assert.throws(() => docker('exec', id, 'ls', '/tmp/entered'));
  });

  test('a node that is away is an error at once, which says since when', async () => {
    await hub.play.kill(NODE, 'SIGKILL');
    const error = await eventually('it is known', async () => {
      const why = await refused(sh('true'));
      return why.code === 'NodeOffline' && /since/.test(why.message) && why;
    });
    assert.equal(error.status, 503);
    assert.match(error.message, /node edge-1 is offline since \d{4}-/);
  });
});
