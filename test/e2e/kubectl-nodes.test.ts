/** What unmodified kubectls change of a Node: labels, annotations, cordon, drain; what they are refused, and told beside it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bundle, HUB, MANIFEST, node, pod, put } from '../support/api-objects.js';
import { startFixture, type Fixture } from '../support/api-server.js';
import { KUBECTLS, kubeconfig, kubectlOf, type KubectlResult } from '../support/kubectls.js';

describe('real kubectl', { skip: KUBECTLS.length === 0 ? 'no kubectl here' : false }, () => {
  let fixture: Fixture;
  let config: string;

  before(async () => {
    fixture = await startFixture();
    config = join(fixture.folder, 'kubeconfig');
    await writeFile(config, JSON.stringify(kubeconfig(fixture)));
  });
  after(() => fixture.close());

  for (const [minor, kubectl] of KUBECTLS) {
    const name = `edge-${minor}`;
    const run = (...args: string[]): Promise<KubectlResult> =>
      kubectlOf(kubectl, { config, cache: join(fixture.folder, `cache-${minor}`) })(...args);
    const ok = async (...args: string[]): Promise<KubectlResult> => {
      const result = await run(...args);
      assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.err}`);
      return result;
    };
    const refused = async (pattern: RegExp, ...args: string[]) => {
      const { code, err } = await run(...args);
      assert.equal(code, 1, err);
      assert.match(err, pattern);
    };

    describe(`1.${minor}`, () => {
      before(() =>
        fixture.store.commit(HUB, [
          put(node(name, { labels: { zone: `north-${minor}` } })),
          put(pod(`web-${name}`, { node: name })),
          put(
            bundle(
              `shop-${minor}`,
              { nodeSelector: `zone=north-${minor}`, manifests: [MANIFEST] },
              1,
            ),
          ),
        ]),
      );

      test('label says which bundles come and go, and asks for --overwrite', async () => {
        assert.match((await ok('label', 'node', name, 'tier=2')).out, /labeled/);
        await refused(/--overwrite is false/, 'label', 'node', name, 'zone=south');
        const moved = await ok('label', 'node', name, 'zone=south', '--overwrite');
        assert.match(
          moved.err,
          new RegExp(`Warning: .*${name} loses bundle default/shop-${minor}`),
        );
        const back = await ok('label', 'node', name, `zone=north-${minor}`, 'tier-', '--overwrite');
        assert.match(back.err, new RegExp(`Warning: .*${name} gets bundle default/shop-${minor}`));
        const { out } = await ok('get', 'node', name, '-o', 'jsonpath={.metadata.labels}');
        assert.deepEqual(JSON.parse(out), { zone: `north-${minor}` });
      });

      test('what a node is by itself cannot be relabelled, nor what is no label be one', async () => {
        const os = ['label', 'node', name, '--overwrite', 'kubernetes.io/os=windows'];
        await refused(/kubernetes.io\/os.*says what the node is by itself/, ...os);
        const key = ['annotate', 'node', name, '--overwrite', 'flotilla.dev/node-key=sha256:00'];
        await refused(/flotilla.dev\/node-key.*is kept by the hub/, ...key);
      });

      test('annotate, and again with nothing', async () => {
        await ok('annotate', 'node', name, 'rack=third from the left');
        const path = ['get', 'node', name, '-o', 'jsonpath={.metadata.annotations.rack}'];
        assert.equal((await ok(...path)).out, 'third from the left');
        await ok('annotate', 'node', name, 'rack-');
        assert.equal((await ok(...path)).out, '');
      });

      test('cordon, drain and uncordon say what they do', async () => {
        const cordoned = await ok('cordon', name);
        assert.match(cordoned.out, /cordoned/);
        assert.match(
          cordoned.err,
          /begins nothing new until it is uncordoned; what runs there goes on/,
        );
        assert.match((await ok('get', 'node', name)).out, /Ready,SchedulingDisabled/);
        const drained = await ok('drain', name, '--ignore-daemonsets', '--force');
        assert.match(drained.out, /drained/);
        await ok('get', 'pod', `web-${name}`);
        await ok('uncordon', name);
        assert.doesNotMatch((await ok('get', 'node', name)).out, /SchedulingDisabled/);
      });

      test('taints are refused, with what there is instead', () =>
        refused(/nodes have no taints here.*selector/, 'taint', 'node', name, 'a=b:NoSchedule'));

      test('patch and replace change the same fields, and no others', async () => {
        const patch = (text: string) => ['patch', 'node', name, '--type=merge', '-p', text];
        await ok(...patch('{"metadata":{"labels":{"patched":"yes"}}}'));
        await refused(/spec.podCIDR: is not kept/, ...patch('{"spec":{"podCIDR":"10.0.0.0/8"}}'));
        const json = '[{"op":"remove","path":"/metadata/labels/patched"}]';
        await refused(/merge-patch/, 'patch', 'node', name, '--type=json', '-p', json);
        const { out } = await ok('get', 'node', name, '-o', 'json');
        const file = join(fixture.folder, `node-${minor}.json`);
        const object = JSON.parse(out) as { metadata: { labels: Record<string, string> } };
        delete object.metadata.labels['patched'];
        await writeFile(file, JSON.stringify(object));
        await ok('replace', '-f', file);
        await refused(/resourceVersion/, 'replace', '-f', file);
        const labels = ['get', 'node', name, '-o', 'jsonpath={.metadata.labels}'];
        assert.deepEqual(JSON.parse((await ok(...labels)).out), { zone: `north-${minor}` });
      });
    });
  }
});
