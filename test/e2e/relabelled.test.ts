/** Nodes whose labels change, and nodes that are cordoned, on real parts: a hub, two agents, containers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

function pod(word: string): string {
  const script = `: ${word}; trap "exit 0" TERM; while :; do sleep 3600 & wait; done`;
  const container = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', script] };
  const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec });
}

describe('a node', { skip: noEngine() }, () => {
  const play = new Playground();
  /** What its container was begun with; empty: there is none. */
  const runs = (node: string) => {
    const ids = docker(
      ...['ps', '-q', '--filter', `label=flotilla.dev/owner=${play.path(node)}`],
      ...['--filter', 'label=io.kubernetes.container.name=app'],
    );
    return ids === '' ? '' : docker('inspect', '-f', '{{json .Config}}', ids);
  };
  const word = (node: string) => /: (\w+);/.exec(runs(node))?.[1] ?? null;
  const apply = (script: string, ...args: string[]) => {
    play.write('shop/web.json', pod(script));
    const how = ['--wait', '--timeout', '3m', '--min-ready', '1s'];
    return play.ok('apply', '-f', play.path('shop'), ...how, ...args);
  };
  const becomes = (node: string, expected: string | null) =>
    eventually(`${node} runs ${expected}`, () => word(node) === expected);

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join('edge-1');
    await play.join('edge-2');
    await play.ok('label', 'node', 'edge-1', 'site=north');
    await apply('one', '--nodes', 'site=north');
  });
  after(() => play.close());

  test('gets a bundle by a label, and loses it only when somebody says yes', async () => {
    assert.equal(word('edge-2'), null);
    await play.ok('label', 'node', 'edge-2', 'site=north');
    await becomes('edge-2', 'one');
    const unasked = await play.flotilla('label', 'node', 'edge-2', 'site-');
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /Let bundle default\/shop leave edge-2\?.*--yes/s);
    assert.equal(word('edge-2'), 'one');
    const { stderr } = await play.flotilla('label', 'node', 'edge-2', 'site-', '--yes');
    assert.match(stderr, /by these labels edge-2 loses bundle default\/shop/);
    await becomes('edge-2', null);
    await play.ok('label', 'node', 'edge-2', 'site=north');
    await becomes('edge-2', 'one');
  });

  test('that is cordoned stays as it is, and nobody waits for it', async () => {
    const { stdout, stderr } = await play.flotilla('cordon', 'edge-2');
    assert.match(stdout, /^node\/edge-2 cordoned$/m);
    assert.match(stderr, /edge-2 begins nothing new until it is uncordoned/);
    assert.match(await apply('two'), /1 of 2 nodes healthy, 1 updated, 1 cordoned/);
    assert.deepEqual([word('edge-1'), word('edge-2')], ['two', 'one']);
    assert.match(await play.ok('describe', 'bundle', 'shop'), /edge-2: cordoned: begins nothing/);
  });

  test('passes by in waves too, one of its own among them', async () => {
    const done = await apply('three', '--wave', '1', '--wave', '100%');
    assert.match(done, /revision 3 successfully rolled out/);
    const why = await play.ok('rollout', 'status', 'bundle/shop', '--why', 'edge-2');
    assert.match(why, /cordoned: begins nothing new until `flotilla uncordon edge-2`/);
    assert.equal(word('edge-2'), 'one');
  });

  test('gets what the others have when it is uncordoned', async () => {
    await play.ok('uncordon', 'edge-2');
    await becomes('edge-2', 'three');
    const audit = await play.ok('audit');
    assert.match(audit, /update +node\/edge-2 .*uncordoned/);
    assert.match(audit, /update +node\/edge-2 .*labels: site=north/);
  });

  test('that is cordoned loses what is deleted', async () => {
    await play.ok('cordon', 'edge-2');
    await play.ok('delete', 'bundle', 'shop', '--yes');
    await becomes('edge-2', null);
    await becomes('edge-1', null);
  });
});
