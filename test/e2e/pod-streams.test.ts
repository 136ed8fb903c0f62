/**
 * The whole way: kubectl and flotilla, the hub and its broker, an agent that only MQTT reaches, containers on a real engine.
 * Logs, exec on a terminal, cp, port-forward, what a node does not allow, and a node that is away. Where there is no
 * kubectl, flotilla goes alone.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { KUBECTLS } from '../support/kubectls.js';
import { freePort } from '../support/ports.js';
import { HUB_PROGRAM, Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const POD = `web-${NODE}`;
const END_MS = 120_000;
const WEB = [
  'echo one',
  'echo two',
  'mkdir /www; echo hello > /www/index.html; httpd -p 8080 -h /www',
  'trap "exit 0" TERM',
  'while :; do sleep 0.1; [ -e /tmp/say ] && cat /tmp/say && rm /tmp/say; done',
].join('; ');

/** A program that stands in for `kubectl`: the words that begin each command. */
interface Program {
  readonly name: string;
  readonly words: (play: Playground) => readonly string[];
}

const FLOTILLA: Program = { name: 'flotilla', words: () => [process.execPath, HUB_PROGRAM] };
const PROGRAMS: readonly Program[] = [
  FLOTILLA,
  ...KUBECTLS.map(([minor, kubectl]) => ({
    name: `kubectl 1.${minor}`,
    words: (play: Playground) => [kubectl, `--cache-dir=${play.path(`cache-${minor}`)}`],
  })),
];

describe('a pod behind a broker', { skip: noEngine() }, () => {
  const play = new Playground();

  const start = (program: Program, ...args: string[]): ChildProcessWithoutNullStreams => {
    const [command = '', ...words] = program.words(play);
    const env = { ...process.env, KUBECONFIG: play.path('hub/admin.kubeconfig') };
    return spawn(command, [...words, ...args], { env, timeout: END_MS });
  };
  const run = async (program: Program, args: readonly string[], input = Buffer.alloc(0)) => {
    const child = start(program, ...args);
    const out: Buffer[] = [];
    let err = '';
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, bytes: Buffer.concat(out), out: Buffer.concat(out).toString(), err };
  };

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    const app = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', WEB] };
    const spec = { terminationGracePeriodSeconds: 1, containers: [app] };
    const manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec };
    play.write(`${NODE}/manifests/web.json`, JSON.stringify(manifest));
    await eventually('the pod runs', async () => {
      return (await play.flotilla('logs', POD)).stdout === 'one\ntwo\n';
    });
  });
  after(() => play.close());

  for (const program of PROGRAMS) {
    describe(program.name, () => {
      test('logs, its tail, and logs -f as more is said', async () => {
        assert.equal((await run(program, ['logs', POD, '--tail=2'])).code, 0);
        assert.match((await run(program, ['logs', POD])).out, /^one\ntwo\n/);
        const follower = start(program, 'logs', '-f', '--tail=0', POD);
        const word = `said-${program.name.replaceAll(/\W/g, '-')}`;
        let heard = false;
        void said(follower, new RegExp(`^${word}\n`, 'm')).then(() => (heard = true));
        // Said again until it is heard: when the following begins is not told.
        await eventually('the line is followed', async () => {
          await run(FLOTILLA, ['exec', POD, '--', 'sh', '-c', `echo ${word} > /tmp/say`]);
          return heard;
        });
        follower.kill('SIGINT');
        await once(follower, 'exit');
      });

      test('exec: output, input to its end, the exit code', async () => {
        const script = 'echo out; echo err >&2; exit 3';
        const ended = await run(program, ['exec', POD, '--', 'sh', '-c', script]);
        assert.deepEqual([ended.code, ended.out], [3, 'out\n']);
        assert.match(ended.err, /^err\n.*exit code 3/s);
        const sent = randomBytes(1 << 20);
        const { bytes, err } = await run(program, ['exec', '-i', POD, '--', 'cat'], sent);
        assert.ok(bytes.equals(sent), `${bytes.length} of ${sent.length} bytes: ${err}`);
      });

      test('exec -it: a shell on a terminal of the right size, and its exit code', async () => {
        const words = [...program.words(play), 'exec', '-it', POD, '--', 'sh'].join(' ');
        const env = { ...process.env, KUBECONFIG: play.path('hub/admin.kubeconfig') };
        const line = `stty rows 33 cols 101; ${words}`;
        const child = spawn('script', ['-qec', line, '/dev/null'], { env, timeout: END_MS });
        // What is typed before the terminal is the shell's own is echoed by this one.
        await said(child, /\/ # /);
        const sized = said(child, /33x101/);
        const size = '$(stty size | tr " " x)';
        child.stdin.write(`until [ "${size}" = 33x10""1 ]; do sleep 0.05; done; echo "${size}"\r`);
        await sized;
        const interrupted = said(child, /after-130/);
        child.stdin.write('sleep 1000\r');
        // Only once the shell has started it is there something to interrupt.
        await eventually('it sleeps', async () => {
          // Not the naps of the pod's own program, nor this very line.
          const look = 'cat /proc/[0-9]*/cmdline | tr "\\0" " " | grep -q "sleep 100[0]"';
          return (await play.flotilla('exec', POD, '--', 'sh', '-c', look)).code === 0;
        });
        child.stdin.write('\u0003');
        child.stdin.write('echo after-$?\r');
        await interrupted;
        child.stdin.write('exit 5\r');
        const [code] = (await once(child, 'exit')) as [number | null];
        assert.equal(code, 5);
      });

      test('cp both ways', async () => {
        const name = program.name.replaceAll(/\W/g, '-');
        const from = play.write(`${name}/from.bin`, randomBytes(300_000).toString('base64'));
        const up = await run(program, ['cp', from, `${POD}:/tmp/${name}.bin`]);
        assert.equal(up.code, 0, up.err);
        const back = play.path(name, 'back.bin');
        const down = await run(program, ['cp', `${POD}:/tmp/${name}.bin`, back]);
        assert.equal(down.code, 0, down.err);
        assert.ok(readFileSync(back).equals(readFileSync(from)));
      });

      test('port-forward: a web server of the pod', async () => {
        const forwarder = start(program, 'port-forward', `pod/${POD}`, ':8080');
        try {
          const text = await said(forwarder, /127\.0\.0\.1:\d+ -> 8080/);
          const port = Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
          const pages = await Promise.all([page(port), page(port), page(port)]);
          assert.deepEqual(pages, ['hello\n', 'hello\n', 'hello\n']);
        } finally {
          forwarder.kill('SIGINT');
          await once(forwarder, 'exit');
        }
      });
    });
  }

  test('what a node’s configuration does not allow names what would allow it', async () => {
    await play.kill(NODE, 'SIGTERM');
    play.startAgent(NODE, '--remote-access', 'logs');
    for (const program of PROGRAMS) {
      const off = /exec is off on node edge-1.*--remote-access logs,exec/;
      const { err, code } = await eventually('it refuses', async () => {
        const ended = await run(program, ['exec', POD, '--', 'true']);
        return off.test(ended.err) && ended;
      });
      assert.equal(code, program === FLOTILLA ? 2 : 1, err);
      assert.match((await run(program, ['logs', POD])).out, /^one\n/);
    }
  });

  test('a node that is away is an error at once', async () => {
    await play.kill(NODE, 'SIGKILL');
    await eventually('it is known', async () => {
      return /offline since/.test((await run(FLOTILLA, ['logs', POD])).err);
    });
    for (const program of PROGRAMS) {
      for (const args of [
        ['logs', POD],
        ['exec', POD, '--', 'true'],
      ]) {
        const { code, err } = await run(program, args);
        assert.equal(code, 1, err);
        assert.match(err, /node edge-1 is offline since \d{4}-/);
      }
    }
  });
});

function page(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, response => {
      let text = '';
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.on('end', () => resolve(text));
      response.on('error', reject);
    }).on('error', reject);
  });
}

/** What was printed until it matches; rejects when the program ends without. */
function said(child: ChildProcessWithoutNullStreams, pattern: RegExp): Promise<string> {
  let [text, err] = ['', ''];
  child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (pattern.test(text)) resolve(text);
    });
    child.once('exit', () => reject(new Error(`ended without ${String(pattern)}: ${text}${err}`)));
  });
}
