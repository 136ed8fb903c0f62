/**
 * Logs, exec, attach and port-forward of a real node: a hub in this process with its own broker, an agent as a process,
 * containers on a real engine; what the hub's API will use is called as it will be.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { InProcessHub } from '../support/in-process-hub.js';
import { openStream, runStream } from '../support/streams.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const exec = { kind: 'exec', namespace: 'default', pod: 'web', container: 'app' } as const;
const PIPED = { stdin: false, stdout: true, stderr: true, tty: false } as const;

function pod(name: string, script: string): string {
  const container = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', script] };
  const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

describe('streams of a node', { skip: noEngine() }, () => {
  const hub = new InProcessHub();

  before(async () => {
    ensureTestImage();
    await hub.begin();
    await hub.play.join(NODE);
    const script = 'echo one; echo two >&2; trap "exit 0" TERM; while :; do sleep 0.1; done';
    hub.play.write(`${NODE}/manifests/web.json`, pod('web', script));
    await eventually('a program runs there', async () => {
      const { end } = await runStream(hub.streams, NODE, { ...exec, ...PIPED, command: ['true'] });
      return end.status === 'Success';
    });
  });
  after(() => {
    if (process.env['DUMP']) console.log(hub.log.join('\n'), hub.play.log(NODE));
    return hub.close();
  });

  test('an exec gives its output by channel, and its exit code as kubectl reads it', async () => {
    const command = ['sh', '-c', 'echo out; echo err >&2; exit 3'];
    const { stdout, stderr, end } = await runStream(hub.streams, NODE, {
      ...exec,
      ...PIPED,
      command,
    });
    assert.equal(stdout, 'out\n');
    assert.equal(stderr, 'err\n');
    assert.equal(end.reason, 'NonZeroExitCode');
    assert.deepEqual(end.details?.causes, [{ reason: 'ExitCode', message: '3' }]);
  });

  test('end of stdin ends cat, and all that it read comes back', async () => {
    const ask = { ...exec, ...PIPED, stdin: true, command: ['cat'] };
    const stream = await openStream(hub.streams, NODE, ask);
    const text = 'x'.repeat(300_000);
    await stream.write(Buffer.from(text));
    stream.endInput();
    const { stdout, end } = await stream.done;
    assert.equal(stdout, text);
    assert.equal(end.status, 'Success');
  });
});
