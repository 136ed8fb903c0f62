/** Devices, local users and joining: S74–S77, S80, S81, S85. The hub is alive and does its part. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import Database from 'better-sqlite3';
import { ensureTestImage, noEngine, runningOf } from '../../support/docker.js';
import { podText } from '../../support/attacks/documents.js';
import { freePort } from '../../support/ports.js';
import { Playground, type Run } from '../../support/programs.js';
import { eventually } from '../../support/wait.js';

const NODE = 'edge-1';

describe('attacks on devices, by local users and at joining', { skip: noEngine() }, () => {
  const play = new Playground();
  const statusOf = async () => (await play.agent('status', '--data-dir', play.path(NODE))).stdout;
  const containers = () => runningOf(play.path(NODE));
  const joinWith = (line: string, node: string): Promise<Run> => {
    const token = play.write(`${node}.token`, line);
    const dir = ['--node-name', node, '--data-dir', play.path(node)];
    return play.agent('join', '--token-file', token, ...dir);
  };

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    play.write('web/pod.json', JSON.stringify(podText('web')));
    await play.ok('apply', '-f', play.path('web'), '--all-nodes', '--min-ready', '1s', '--wait');
  });
  after(() => play.close());

  test('S74: edited rows of the journal are noticed; pods run, and what is damaged comes anew', async () => {
    const running = containers();
    await play.kill(NODE, 'SIGKILL');
    const db = new Database(play.path(NODE, 'journal.db'));
    const { changes } = db
      .prepare("UPDATE assignments SET envelope = replace(envelope, 'a', 'b')")
      .run();
    db.close();
    assert.ok(changes > 0);
    play.startAgent(NODE);
    await eventually('it is said', async () => {
      const { stdout } = await play.agent('journal', '--data-dir', play.path(NODE));
      return /[Dd]amaged/.test(stdout);
    });
    await eventually('a fresh assignment is accepted', async () => {
      const status = await statusOf();
      return /healthy/.test(status) && !/JournalReset/.test(status);
    });
    assert.equal(containers(), running);
  });

  test('S75: private files are private, whatever the umask', async () => {
    await play.kill(NODE, 'SIGTERM');
    const old = process.umask(0);
    try {
      play.startAgent(NODE);
      const line = await play.ok('token', 'create');
      assert.equal((await joinWith(line, 'edge-2')).code, 0);
    } finally {
      process.umask(old);
    }
    await eventually('the socket', () => existsSync(play.path(NODE, 'agent.sock')));
    const modeOf = (path: string) => statSync(path).mode & 0o777;
    for (const node of [NODE, 'edge-2']) {
      assert.equal(modeOf(play.path(node, 'identity')), 0o700);
      for (const name of readdirSync(play.path(node, 'identity'))) {
        if (!/\.(key|json)$/.test(name)) continue;
        assert.equal(modeOf(play.path(node, 'identity', name)), 0o600, `${node}/${name}`);
      }
      assert.equal(modeOf(play.path(node, 'journal.db')), 0o600);
    }
    assert.equal(modeOf(play.path(NODE)) & 0o022, 0, 'others may not write the data directory');
  });

  test('S76: the agent’s socket is for its owner', () => {
    const socket = play.path(NODE, 'agent.sock');
    assert.equal(statSync(socket).mode & 0o007, 0);
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const ask = ['curl', '-sS', '--max-time', '5', '--unix-socket', socket, 'http://x/pods'];
    // The folders above let nobody through either; with that out of the way the socket still has to say no.
    execFileSync('chmod', ['a+x', play.dir, play.path(NODE)]);
    assert.throws(() => execFileSync('setpriv', [...nobody, ...ask], { stdio: 'pipe' }));
  });

  test('S77: the token is on no command line and in no environment, and its file is removed', async () => {
    const line = await play.ok('token', 'create');
    const secret = /\.([0-9a-f]{32})\b/.exec(line)?.[1];
    assert.ok(secret, line);
    const joining = joinWith(line, 'edge-3');
    let looks = 0;
    let isOver = false;
    void joining.finally(() => (isOver = true));
    while (!isOver) {
      looks++;
      for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
        for (const what of ['cmdline', 'environ']) {
          let text = '';
          try {
            text = readFileSync(join('/proc', pid, what), 'utf8');
          } catch {
            continue;
          }
          assert.ok(!text.includes(secret), `/proc/${pid}/${what} shows it`);
        }
      }
      await new Promise(done => setImmediate(done));
    }
    assert.ok(looks > 1);
    assert.equal((await joining).code, 0);
    assert.ok(!existsSync(play.path('edge-3.token')));
  });

  test('S80: of two devices that race one token exactly one wins', async () => {
    const line = await play.ok('token', 'create');
    const codes = (await Promise.all(['race-a', 'race-b'].map(node => joinWith(line, node)))).map(
      ({ code }) => code,
    );
    assert.deepEqual(codes.toSorted(), [0, 2]);
  });

  test('S81: a guessed secret and a guessed id get one and the same answer', async () => {
    const line = await play.ok('token', 'create');
    const [, id = '', secret = ''] = /\b([0-9a-f]{10})\.([0-9a-f]{32})\b/.exec(line) ?? [];
    assert.ok(id && secret, line);
    const answers: string[] = [];
    for (const guess of [`${id}.${'0'.repeat(32)}`, `${'0'.repeat(10)}.${secret}`]) {
      const { code, stderr } = await joinWith(line.replace(`${id}.${secret}`, guess), 'guess');
      assert.notEqual(code, 0);
      answers.push(stderr);
    }
    assert.equal(answers[0], answers[1]);
  });

  test('S85: serial numbers never begin with 0x80 to 0xff', () => {
    for (const node of [NODE, 'edge-2', 'edge-3']) {
      const pem = readFileSync(play.path(node, 'identity/tls.crt'));
      const { serialNumber } = new X509Certificate(pem);
      const first = parseInt(serialNumber.padStart(32, '0').slice(0, 2), 16);
      assert.ok(serialNumber.length <= 32 && first < 0x80, serialNumber);
    }
  });
});
