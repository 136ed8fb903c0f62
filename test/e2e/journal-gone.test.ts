/**
 * A device whose journal and its twin were both deleted while the hub is away: it cannot know what it promised. What runs goes on, nothing
 * is called complete, and when the hub is back it is the same container. Real Docker, hub and agent.
 */
import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

describe('a device whose journal is gone', { skip: noEngine() }, () => {
  const play = new Playground();
  const running = () => runningOf(play.path(NODE), { container: 'app' });
  const says = async () => (await play.agent('status', '--data-dir', play.path(NODE))).stdout;

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.joinWith(NODE, ['--file-check-frequency', '1s']);
    const app = {
      ...{ name: 'app', image: TEST_IMAGE },
      command: ['sh', '-c', "trap 'exit 0' TERM; sleep 100000 & wait $!"],
    };
    const spec = { terminationGracePeriodSeconds: 1, containers: [app] };
    const web = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec };
    const file = play.write('shop/web.json', JSON.stringify(web));
    await play.ok('apply', '-f', file, '--bundle', 'shop', '--all-nodes', '--wait');
  });
  after(() => play.close());

  test('with its twin, while the hub is away: its pods run on, and it does not call itself ready', async () => {
    const id = running();
    assert.match(id, /^[0-9a-f]{64}$/);
    await play.kill('hub', 'SIGKILL');
    await play.kill(NODE, 'SIGKILL');
    for (const name of readdirSync(play.path(NODE)).filter(one => one.startsWith('journal.')))
      rmSync(play.path(NODE, name));
    play.startAgent(NODE, '--file-check-frequency', '1s');
    await eventually('it says what it does not know', async () =>
      /UnexplainedFiles +True +Forgotten .*what runs goes on/.test(await says()),
    );
    assert.match(await says(), /AloneReady +False +JournalForgot /);
    // Several looks later.
    await new Promise(done => setTimeout(done, 5_000));
    assert.equal(running(), id);
  });

  test('when the hub is back it is the same container, and all is known again', async () => {
    const id = running();
    play.startHub();
    await play.hubAnswers();
    await eventually(
      'nothing is forgotten',
      async () => /AloneReady +True +Complete /.test(await says()),
      { withinMs: 90_000 },
    );
    assert.doesNotMatch(await says(), /UnexplainedFiles/);
    assert.equal(running(), id);
  });
});
