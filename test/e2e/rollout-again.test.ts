/**
 * What was once a revision becomes the next one, on real parts: a hub, an agent, containers. Undo brings the former content back in waves,
 * restart begins the pods anew, diff and history tell what was.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';

const NODE = 'edge-1';
const BUNDLE = 'bundle/shop';
const runs = (word: string) => `: ${word}; trap "exit 0" TERM; while :; do sleep 3600 & wait; done`;

function pod(name: string, script: string): string {
  const container = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', script] };
  const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

describe('what was a revision', { skip: noEngine() }, () => {
  const play = new Playground();
  const running = (name: string) =>
    docker(
      ...['ps', '-q', '--filter', `label=flotilla.dev/owner=${play.path(NODE)}`],
      ...['--filter', 'label=io.kubernetes.container.name=app'],
      ...['--filter', `label=io.kubernetes.pod.name=${name}-${NODE}`],
    );
  const scriptOf = (id: string) => docker('inspect', '-f', '{{json .Config}}', id);
  const apply = (...args: string[]) =>
    play.ok('apply', '-f', play.path('shop'), '--wait', '--timeout', '3m', ...args);
  const rollout = (...args: string[]) => play.flotilla('rollout', ...args);

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    play.write('shop/web.json', pod('web', runs('one')));
    await apply('--all-nodes', '--wave', '1', '--min-ready', '1s', '--change-cause', 'first');
    play.write('shop/web.json', pod('web', runs('two')));
    play.write('shop/more.json', pod('more', runs('more')));
    await apply();
  });
  after(() => play.close());

  test('is undone, in waves: what the earlier revision lacks leaves only with consent', async () => {
    const dry = await play.ok('rollout', 'undo', BUNDLE, '--dry-run');
    assert.match(dry, /pod\/more is not in revision 1 and would leave the nodes/);
    assert.match(dry, /^\+.*: one;/m);
    assert.match(dry, /rolled out: waves 1 node, 100%/);
    assert.match(dry, /bundle\/shop rolled back to revision 1 \(revision 3\) \(server dry run\)/);
    const unasked = await rollout('undo', BUNDLE);
    assert.equal(unasked.code, 2, unasked.stdout);
    assert.match(unasked.stderr, /nothing was done.*--prune/s);
    const undone = await play.ok('rollout', 'undo', BUNDLE, '--prune', '--wait', '--timeout', '3m');
    assert.match(undone, /bundle\/shop rolled back to revision 1 \(revision 3\)/);
    assert.match(scriptOf(running('web')), /: one;/);
    assert.equal(running('more'), '');
    const again = await rollout('undo', BUNDLE, '--to-revision', '1');
    assert.equal(again.code, 2);
    assert.match(again.stderr, /revision 3, the newest, has the pods and images of revision 1/);
  });

  test('is begun anew: another container, and the same input changes nothing after it', async () => {
    const before = running('web');
    play.write('shop/web.json', pod('web', runs('one')));
    const { code, stdout, stderr } = await rollout(
      ...['restart', BUNDLE, '--reason', 'leak', '--wait', '--timeout', '3m'],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /bundle\/shop restarted \(revision 4\)/);
    const now = running('web');
    assert.ok(now !== '' && now !== before, `${before} became ${now}`);
    const path = play.path('shop/web.json');
    const same = await play.ok('apply', '-f', path, '--bundle', 'shop', '--wait');
    assert.match(same, /unchanged \(revision 4\)/);
    assert.equal(running('web'), now);
  });

  test('is in the history, and any two are compared; so is what a node runs', async () => {
    const history = await play.ok('rollout', 'history', BUNDLE);
    assert.match(history, /^REVISION +MADE +BY +SIGNATURES +ROLLOUT +CHANGE-CAUSE$/m);
    assert.match(history, /^1 +\S+Z +\S+ +1 +complete \S+Z +first$/m);
    assert.match(history, /^3 +\S+Z +\S+ +1 +complete \S+Z +undo to revision 1: first$/m);
    assert.match(history, /^4 .* +leak$/m);
    const one = await play.ok('rollout', 'history', BUNDLE, '--revision', '2');
    assert.match(one, /^bundle\/shop with revision #2\n/);
    assert.match(one, /^ {2}wave 2 of 2 \(100%\): began \S+Z, passed \S+Z$/m);
    const listed = await play.json<{ items: unknown[] }>(
      'rollout',
      'history',
      BUNDLE,
      '-o',
      'json',
    );
    assert.equal(listed.items.length, 4);
    const manifests = await play.ok(
      ...['rollout', 'history', BUNDLE, '--revision', '2', '-o', 'manifests'],
    );
    play.write('again.yaml', manifests);
    const back = ['diff', '-f', play.path('again.yaml'), '--bundle', 'shop'];
    assert.equal((await play.flotilla(...back)).code, 1);

    const audit = await play.ok('audit', BUNDLE);
    assert.match(
      audit,
      / 127\.0\.0\.1 +update +bundle\/default\/shop +[0-9a-f]{12} +[0-9a-f]{12} +revision \d+(: .*)?$/m,
    );
    assert.match(
      audit,
      / hub:controller +- +decide +rollout\/default\/shop +- +- +revision 3: wave 2 of 2 \(100%\) passed$/m,
    );

    const diff = (...args: string[]) => play.flotilla('diff', BUNDLE, ...args);
    const changed = await diff('--revision', '1', '--to-revision', '2');
    assert.equal(changed.code, 1, changed.stderr);
    assert.match(changed.stdout, /^\+\+\+ new\/pod\/more$/m);
    assert.equal((await diff('--revision', '1', '--to-revision', '3')).code, 0);
    assert.equal((await diff('--node', NODE)).code, 0);
    assert.equal((await diff('--node', NODE, '--to-revision', '2')).code, 1);
    assert.equal((await diff('--to-revision', '9')).code, 2);
    assert.equal((await play.flotilla('diff')).code, 2);
  });
});
