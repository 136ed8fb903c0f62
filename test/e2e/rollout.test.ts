/**
 * Rollouts in waves on real parts: a hub, three agents, containers. A bad canary stops the rest, or takes itself back; a hub that is
 * killed in mid-wave goes on where it was, and only when a person says so.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODES = ['edge-1', 'edge-2', 'edge-3'] as const;
const CANARY = 'edge-1';
const RUNS = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';
const BUNDLE = 'bundle/shop';

const READY_WHEN_TOLD = {
  readinessProbe: { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1 },
};

function pod(script: string, more = {}): string {
  const container = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', script], ...more };
  const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec });
}

interface Event {
  readonly verdict: string;
  readonly rollout?: { readonly phase: string; readonly waves: readonly { healthy: number }[] };
}

describe('a rollout in waves', { skip: noEngine() }, () => {
  const play = new Playground();
  const runningOn = (node: string) => runningOf(play.path(node), { container: 'app' });
  const running = () => NODES.map(runningOn);
  const web = (script: string) => play.write('shop/web.json', pod(script));
  const apply = (...args: string[]) => play.flotilla('apply', '-f', play.path('shop'), ...args);
  const rollout = (...args: string[]) => play.flotilla('rollout', ...args);
  const why = (node: string) => play.ok('rollout', 'status', BUNDLE, '--why', node);
  const matches = (what: string, text: () => Promise<string>, pattern: RegExp) =>
    eventually(what, async () => {
      const said = await text();
      if (pattern.test(said)) return true;
      throw new Error(said);
    });

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    for (const node of NODES) {
      await play.join(node, ...(node === CANARY ? ['--label', 'canary=yes'] : []));
    }
    web(RUNS);
    const gate = ['--progress-deadline', '60s', '--min-ready', '1s'];
    const { code, stderr } = await apply('--all-nodes', ...gate, '--wait');
    assert.equal(code, 0, stderr);
  });
  after(() => play.close());

  test('pauses when its canary fails: exit code 4, the reason, and no other node is touched', async () => {
    const before = running();
    web('exit 7');
    const plan = ['--wave', 'canary=yes', '--max-unavailable', '2'];
    const applied = await apply(...plan, '--progress-deadline', '5s', '--wait');
    assert.equal(applied.code, 4, applied.stdout + applied.stderr);
    assert.match(applied.stderr, /revision 2 paused \(1 failed, 0 may: first of them edge-1\)/);
    assert.match(applied.stderr, /wave 1 of 2 \(canary=yes\): under way; 0 of 1 healthy, 1 failed/);
    assert.match(applied.stderr, /wave 2 of 2 \(100%\): has not begun/);
    assert.match(applied.stderr, /failed on edge-1: .*exit code 7/);
    assert.match(applied.stderr, /hint: go on with `flotilla rollout resume bundle\/shop/);
    assert.deepEqual(running().slice(1), before.slice(1));
    assert.match(
      await why('edge-1'),
      /^edge-1: wave 1 of 2 \(canary=yes\): revision 2 failed there/,
    );
    assert.match(await why('edge-2'), /^edge-2: the rollout is paused/);
    const bundles = () => play.ok('get', 'bundles');
    await matches('the list says so', bundles, /Paused \(wave 1\/2\), failed on 1 node/);
    assert.match(await play.ok('describe', 'bundle', 'shop'), /^Phase: +paused \(1 failed, 0 may/m);
    assert.equal((await rollout('status', BUNDLE, '--no-watch')).code, 4);
  });

  test('is aborted by a person: the canary has the former revision again, and nothing goes on', async () => {
    const before = running().slice(1);
    const aborted = await play.ok('rollout', 'abort', BUNDLE, '--reason', 'exits at once');
    assert.match(
      aborted,
      /revision 2 is aborted: revision 1 is put back on the nodes that have it/,
    );
    await matches('the canary is back', () => why('edge-1'), /was aborted: gets revision 1/);
    await eventually('revision 1 runs on the canary', () => runningOn(CANARY) !== '');
    await matches('the list says so', () => play.ok('get', 'bundles'), / Aborted +\w+$/m);
    const resumed = await rollout('resume', BUNDLE);
    assert.equal(resumed.code, 2);
    assert.match(resumed.stderr, /was aborted, and never goes on; apply another revision/);
    const status = await rollout('status', BUNDLE);
    assert.equal(status.code, 4);
    assert.match(status.stderr, /aborted by .* \(exits at once\)/);
    assert.deepEqual(running().slice(1), before);
    // The same again is not rolled out anew.
    const again = await apply('--wait');
    assert.equal(again.code, 4, again.stdout);
    assert.match(again.stdout, /unchanged \(revision 2\)/);
    assert.match(again.stderr, /warning: bundle\/shop revision 2 was aborted/);
  });

  test('takes itself back where the plan says so, within the command that waits', async () => {
    const before = running().slice(1);
    web('exit 8');
    const { code, stderr, stdout } = await apply('--on-max-failures', 'rollback', '--wait');
    assert.equal(code, 4, stdout + stderr);
    assert.match(stderr, /revision 3 aborted \(1 failed, 0 may: first of them edge-1\)/);
    await matches('the canary is back', () => why('edge-1'), /was aborted: gets revision 1/);
    await eventually('revision 1 runs on the canary', () => runningOn(CANARY) !== '');
    assert.deepEqual(running().slice(1), before);
  });

  test('paused in mid-wave, hub killed: it stays so, and goes on to the end when resumed', async () => {
    const before = running();
    play.write('shop/web.json', pod(`: four; ${RUNS}`, READY_WHEN_TOLD));
    /** Only then the node's pod becomes ready. */
    const letBeReady = (node: (typeof NODES)[number]) =>
      eventually(`${node} runs revision 4`, () => {
        const id = runningOn(node);
        if (id === '' || id === before[NODES.indexOf(node)]) return false;
        return docker('exec', id, 'touch', '/tmp/ready') === '';
      });
    const plan = ['--max-unavailable', '1', '--progress-deadline', '10m', '--min-ready', '1s'];
    assert.equal((await apply(...plan)).code, 0);
    await letBeReady(CANARY);
    const onItsWay = /^edge-2: wave 2 of 2 \(100%\): on the way to revision 4/;
    await matches('the second wave has begun', () => why('edge-2'), onItsWay);
    await play.ok('rollout', 'pause', BUNDLE, '--reason', 'lunch');
    await play.kill('hub', 'SIGKILL');
    play.startHub();
    await play.hubAnswers();
    const paused = await rollout('status', BUNDLE, '--no-watch');
    assert.equal(paused.code, 4);
    assert.match(paused.stderr, /revision 4 paused by /);
    assert.match(paused.stderr, /^ {2}\S+Z pause by \S+ \(lunch\)$/m);
    assert.match(await play.ok('get', 'rollouts'), /^shop +4 +2\/2 +paused +Person /m);
    // Who was told goes on, and nobody else is told though there is room again.
    await letBeReady('edge-2');
    await matches('the one that was told is there', () => why('edge-2'), /healthy there/);
    assert.match(await why('edge-3'), /wave 2 of 2 \(100%\): the rollout is paused/);
    assert.equal(runningOn('edge-3'), before[2]);
    assert.match(await play.ok('rollout', 'resume', BUNDLE), /revision 4 goes on/);
    await letBeReady('edge-3');
    const { code, stdout, stderr } = await rollout('status', BUNDLE, '-o', 'json');
    assert.equal(code, 0, stderr);
    const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Event;
    assert.equal(last.verdict, 'healthy');
    assert.equal(last.rollout?.phase, 'completed');
    assert.deepEqual(
      last.rollout?.waves.map(wave => wave.healthy),
      [1, 2],
    );
  });

  test('that is asked for what it does not know says what is allowed', async () => {
    const wrong: readonly [readonly string[], RegExp][] = [
      [['--wave', '5%', '--wave', '1%'], /--wave \(number 2\): "1%" must be more than/],
      [['--max-unavailable', '0'], /--max-unavailable: 0 must be a whole number from 1/],
      [['--bake', 'long'], /--bake long: whole seconds, such as/],
      [['--at-once', '--pace', '3'], /either --at-once, which is no plan, or --pace/],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await apply(...args);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  });
});
