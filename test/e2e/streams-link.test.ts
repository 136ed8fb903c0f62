/**
 * Streams over a broker that somebody else runs (Mosquitto, everybody kept to his topics), through a cable that is pulled:
 * what is open ends at both ends with a reason, and afterwards everything goes on.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { InProcessHub } from '../support/in-process-hub.js';
import { freePort } from '../support/ports.js';
import { cableTo, writeMosquitto, type Cable } from '../support/programs.js';
import { openStream, runStream } from '../support/streams.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const exec = { kind: 'exec', namespace: 'default', pod: 'web', container: 'app' } as const;
const PIPED = { stdin: false, stdout: true, stderr: true, tty: false } as const;

describe('streams over a cable', { skip: noEngine() }, () => {
  const hub = new InProcessHub();
  let cable: Cable;
  const succeeds = async (script: string) => {
    const ask = { ...exec, ...PIPED, command: ['sh', '-c', script] };
    return (await runStream(hub.streams, NODE, ask)).end.status === 'Success';
  };

  before(async () => {
    ensureTestImage();
    const mqtt = await freePort();
    cable = await cableTo(mqtt);
    await hub.begin(['--broker', `mqtts://127.0.0.1:${cable.port}`], async () => {
      const conf = await writeMosquitto(hub.play, mqtt);
      hub.play.start('mosquitto', '/usr/sbin/mosquitto', ['-c', conf]);
    });
    await hub.play.join(NODE);
    const waits = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';
    const app = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', waits] };
    const spec = { terminationGracePeriodSeconds: 1, containers: [app] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec };
    hub.play.write(`${NODE}/manifests/web.json`, JSON.stringify(pod));
    await eventually('a program runs there', () => succeeds('true'));
  });
  after(async () => {
    await hub.close();
    await cable.close();
  });

  test('a cable that is pulled ends an exec at both ends; then it goes on', async () => {
    const ask = { ...exec, ...PIPED, stdin: true, command: ['sh', '-c', 'echo here; exec cat'] };
    const stream = await openStream(hub.streams, NODE, ask);
    await eventually('it runs', () => stream.stdout() === 'here\n');
    cable.pull();
    const { end } = await stream.done;
    assert.equal(end.status, 'Failure');
    assert.equal(end.reason, 'LinkLost');
    await assert.rejects(openStream(hub.streams, NODE, ask), /no connection to its broker/);
    cable.mend();
    await eventually('another runs', () => succeeds('true'));
    await eventually('cat was ended with its connection', () => succeeds('! pidof cat'));
  });

  test('2 MB both ways at once arrive whole and in order', async () => {
    const ask = { ...exec, ...PIPED, stdin: true, command: ['cat'] };
    const size = 2_000_000;
    const sent = Buffer.alloc(size, '0123456789abcdef\n');
    const stream = await openStream(hub.streams, NODE, ask);
    await stream.write(sent);
    stream.endInput();
    const { stdout, end } = await stream.done;
    assert.equal(end.status, 'Success');
    assert.ok(Buffer.from(stdout).equals(sent));
  });
});
