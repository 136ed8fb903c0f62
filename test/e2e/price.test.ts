/**
 * What a change costs is said before it is made, on real parts: a hub, an agent, containers. What was said is then compared with what
 * happened: which containers are others, what crossed the link, how long it took.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { AgentStatus } from '../../agent/agent-status.js';
import type { Rehearsal } from '../../hub/foresight/rehearse.js';
import type { NodePrice } from '../../hub/foresight/price.js';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const PODS = ['side', 'web'];
/** Of what was said: a revision before the last may be kept there, of which this hub does not know. */
const MARGIN = 0.1;

const script = (word: string) =>
  `: ${word}; trap "exit 0" TERM; while :; do sleep 3600 & wait; done`;
function pod(name: string, word: string, image = TEST_IMAGE): string {
  const command = ['sh', '-c', script(word)];
  const volumeMounts = [{ name: 'conf', mountPath: '/conf' }];
  const volumes = [{ name: 'conf', configMap: { name: 'settings' } }];
  const containers = [{ name: 'app', image, command, volumeMounts }];
  const spec = { terminationGracePeriodSeconds: 1, containers, volumes };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}
const settings = (value: string) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' } },
    data: { value },
  });

describe('what a change costs', { skip: noEngine() }, () => {
  const play = new Playground();
  const shop = () => ['-f', play.path('shop')];
  const containers = () =>
    new Map(
      PODS.map(name => [
        name,
        docker(
          ...['ps', '-q', '--filter', `label=flotilla.dev/owner=${play.path(NODE)}`],
          ...['--filter', 'label=io.kubernetes.container.name=app'],
          ...['--filter', `label=io.kubernetes.pod.name=${name}-${NODE}`],
        ),
      ]),
    );
  /** Bytes of the link that assignments and content took so far. */
  const carried = async (): Promise<number> => {
    const { stdout } = await play.agent('status', '--data-dir', play.path(NODE), '-o', 'json');
    const { usage } = JSON.parse(stdout) as AgentStatus;
    return (usage?.bytes.assignments?.[2] ?? 0) + (usage?.bytes.content?.[2] ?? 0);
  };
  const priced = async (...args: string[]): Promise<NodePrice> => {
    const { stdout } = await play.flotilla(...args, ...shop(), '-o', 'json');
    const { nodes } = JSON.parse(stdout) as { readonly nodes: readonly NodePrice[] };
    assert.deepEqual(
      nodes.map(({ node }) => node),
      [NODE],
    );
    return nodes[0] as NodePrice;
  };

  /** Applies what was priced, and compares. */
  const comesTrue = async (price: NodePrice) => {
    const [was, before] = [containers(), await carried()];
    await play.ok('apply', ...shop(), '--wait', '--timeout', '3m');
    const is = containers();
    const changed = PODS.filter(name => was.get(name) !== is.get(name));
    const said = price.pods?.filter(one => one.is !== 'stays').map(one => one.pod);
    assert.deepEqual(changed, said, 'exactly the pods that were named');
    const bytes = (await carried()) - before;
    const priceBytes = price.mqttBytes ?? 0;
    assert.ok(
      Math.abs(bytes - priceBytes) <= priceBytes * MARGIN,
      `${priceBytes} bytes were said, ${bytes} came`,
    );
  };

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    await eventually('the node is connected', async () => {
      const { stdout } = await play.flotilla('get', 'nodes');
      return /^edge-1 +Ready /m.test(stdout);
    });
    for (const name of PODS) play.write(`shop/${name}.json`, pod(name, 'one'));
    play.write('shop/settings.json', settings('one'));
  });
  after(() => play.close());

  test('a first installation starts everything, and is down for nothing', async () => {
    const dry = await play.ok('apply', ...shop(), '--all-nodes', '--dry-run');
    assert.match(dry, /^edge-1: side, web start, [\d.]+ KiB over MQTT, /m);
    await play.ok(
      'apply',
      ...shop(),
      '--all-nodes',
      '--min-ready',
      '1s',
      '--wait',
      '--timeout',
      '3m',
    );
  });

  test('an edit of one container: that pod restarts, for as long as it took last; its image is there', async () => {
    play.write('shop/web.json', pod('web', 'two'));
    const price = await eventually('the node said how long its pods took', async () => {
      const now = await priced('diff');
      return now.downSeconds !== null && now.registryBytes !== null && now;
    });
    assert.deepEqual(
      price.pods?.map(({ pod, is, containers }) => [pod, is, containers]),
      [
        ['side', 'stays', null],
        ['web', 'restarts', ['app']],
      ],
    );
    assert.equal(price.registryBytes, 0);
    assert.ok((price.freeBytes ?? 0) > 0, 'the node said what is free');
    const { code, stdout, stderr } = await play.flotilla('diff', ...shop());
    assert.equal(code, 1);
    assert.match(stdout, /^--- now\/pod\/web$/m);
    assert.doesNotMatch(stdout, /MQTT/, 'stdout is a diff and nothing else');
    assert.match(
      stderr,
      /^edge-1: web\/app restarts \(about \d+s\), [\d.]+ (B|KiB) over MQTT, 0 B from registries, .* free after$/m,
    );
    await comesTrue(price);
  });

  test('a ConfigMap alone restarts nothing, and the time of the last restart stays what it was', async () => {
    play.write('shop/settings.json', settings('two'));
    const price = await priced('diff');
    assert.equal(price.downSeconds, 0);
    await comesTrue(price);
    play.write('shop/web.json', pod('web', 'three'));
    assert.ok(((await priced('diff')).downSeconds ?? 0) > 0);
  });

  test('an image that nobody has: what it weighs is unknown', async () => {
    play.write('shop/web.json', pod('web', 'three', 'flotilla.dev/nowhere:1'));
    const price = await priced('apply', '--dry-run');
    assert.equal(price.registryBytes, null);
    assert.deepEqual(
      price.images.map(({ image }) => image),
      ['flotilla.dev/nowhere:1'],
    );
    const one = await play.ok('apply', ...shop(), '--dry-run', '--node', NODE);
    assert.match(one, /^ {2}image flotilla\.dev\/nowhere:1: unknown$/m);
  });

  test('the price is no signing of anything: where nothing was applied nothing is recorded', async () => {
    const revisions = await play.ok('rollout', 'history', 'bundle/shop');
    assert.match(revisions, /^3 /m);
    assert.doesNotMatch(revisions, /^4 /m);
  });

  test('a rehearsal stands on what the hub lived through with it', async () => {
    const text = await play.ok('rollout', 'simulate', 'bundle/shop', '--wave', '1', '--runs', '10');
    assert.match(
      text,
      /^bundle\/shop revision 4, a next one, rehearsed 10 times with seed 1, 7d ahead$/m,
    );
    assert.match(text, /^from \d+[sm]\d*s? of 1 node and 3 passages \(0 failed\)$/m);
    assert.match(text, /^complete in 10 of 10 runs after \d+s/m);
    const json = async (...more: string[]) =>
      play.ok('rollout', 'simulate', 'bundle/shop', '--runs', '10', '-o', 'json', ...more);
    const { history } = JSON.parse(await json()) as Pick<Rehearsal, 'history'>;
    assert.deepEqual([history.nodes, history.passages, history.seconds], [1, 3, 3]);
    const all = ['--failure-rate', '100%', '--wave', '1'];
    const failed = JSON.parse(await json(...all)) as Pick<Rehearsal, 'ends'>;
    assert.equal(failed.ends.paused, 10);
    const wrong = await play.flotilla('rollout', 'simulate', 'bundle/nowhere');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /there is no bundle nowhere/);
  });
});
