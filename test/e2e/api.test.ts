/**
 * Unmodified kubectls of this machine (the oldest and the newest; every version with ALL_KUBECTLS=1; KUBECTL_DIR adds
 * a folder to look in) against the real API on a real store. Where there is none the suite is skipped.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bundle, event, HUB, MANIFEST, node, pod, put, RUNNING } from '../support/api-objects.js';
import { startFixture, type Fixture } from '../support/api-server.js';
import { KUBECTLS, kubeconfig, kubectlOf, type KubectlResult } from '../support/kubectls.js';

async function fill(fixture: Fixture): Promise<void> {
  await fixture.store.commit(HUB, [
    put(node('edge-1', { labels: { zone: 'north', 'node-role.kubernetes.io/edge': '' } })),
    put(node('edge-2', { ready: false })),
    put(pod('web-edge-1', { labels: { app: 'web' } })),
    put(pod('db-edge-2', { labels: { app: 'db' }, node: 'edge-2', namespace: 'data' })),
    put(event(1)),
    put(
      event(2, {
        involved: { kind: 'Node', namespace: '', name: 'edge-1', uid: 'edge-1', fieldPath: '' },
        reason: 'NodeReady',
      }),
    ),
    put(bundle('shop', { nodeSelector: 'zone=north', manifests: [MANIFEST] }, 4)),
  ]);
}

describe('real kubectl', { skip: KUBECTLS.length === 0 ? 'no kubectl here' : false }, () => {
  let fixture: Fixture;
  let config: string;

  before(async () => {
    fixture = await startFixture();
    config = join(fixture.folder, 'kubeconfig');
    await writeFile(config, JSON.stringify(kubeconfig(fixture)));
    await fill(fixture);
  });
  after(() => fixture.close());

  for (const [minor, kubectl] of KUBECTLS) {
    const flags = () => [
      `--kubeconfig=${config}`,
      `--cache-dir=${join(fixture.folder, `cache-${minor}`)}`,
    ];
    const run = (...args: string[]): Promise<KubectlResult> =>
      kubectlOf(kubectl, { config, cache: join(fixture.folder, `cache-${minor}`) })(...args);
    const ok = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await run(...args);
      assert.equal(code, 0, `kubectl ${args.join(' ')}: ${err}${out}`);
      return out;
    };

    describe(`${kubectl} (1.${minor})`, () => {
      test('api-resources lists what is served', async () => {
        const out = await ok('api-resources', '--no-headers');
        for (const name of [
          'nodes',
          'pods',
          'events',
          'namespaces',
          'bundles',
          'rollouts',
          'tokens',
        ]) {
          assert.match(out, new RegExp(`^${name}\\s`, 'm'));
        }
        assert.match(await ok('api-versions'), /^flotilla\.dev\/v1$/m);
      });

      test('version is read', async () => {
        assert.match(await ok('version'), /v1\.30\.0\+flotilla-0\.1\.0/);
      });

      const tables: readonly (readonly [string, readonly RegExp[]])[] = [
        [
          'get nodes',
          [/^NAME\s+STATUS\s+ROLES\s+AGE\s+VERSION/, /^edge-1\s+Ready\s+edge\s/m, /NotReady/],
        ],
        ['get nodes -o wide', [/CONTAINER-RUNTIME/, /docker:\/\/28\.2\.2/, /10\.0\.0\.5/]],
        ['get no -l zone=north', [/edge-1/]],
        ['get nodes -o name', [/^node\/edge-1$/m]],
        ['get nodes -o json', [/"kind": "(List|NodeList)"/, /"kubeletVersion": "v0\.1\.0"/]],
        ['get node edge-1 -o yaml', [/^kind: Node$/m, /^\s+zone: north$/m]],
        ['get pods', [/^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE/, /^web-edge-1\s+1\/1\s+Running/m]],
        ['get pods -A', [/^NAMESPACE/, /^data\s+db-edge-2/m, /^default\s+web-edge-1/m]],
        ['get pods -A -o wide', [/NOMINATED NODE/, /172\.17\.0\.2\s+edge-2/]],
        ['get po -A -l app=db', [/db-edge-2/]],
        ['get pods -A --field-selector spec.nodeName=edge-2', [/db-edge-2/]],
        ['get pods -A --sort-by=.metadata.name', [/db-edge-2[^]*web-edge-1/]],
        ['get pod web-edge-1 -o jsonpath={.status.phase}', [/^Running$/]],
        ['get events', [/^LAST SEEN\s+TYPE\s+REASON\s+OBJECT\s+MESSAGE/, /pod\/web-edge-1/]],
        ['get namespaces', [/^default\s+Active/m, /^data\s+Active/m]],
        [
          'get bundles',
          [/^NAME\s+REVISION\s+DESIRED\s+UPDATED\s+HEALTHY/, /^shop\s+4\s+3\s+2\s+1/m],
        ],
        ['get bundles -o wide', [/SELECTOR\s+DIGEST/, /zone=north/]],
        ['get all', [/^pod\/web-edge-1/m, /^bundle\.flotilla\.dev\/shop/m]],
        ['describe pod web-edge-1', [/^Node:\s+edge-1/m, /Started container web/]],
        ['describe node edge-1', [/RenewTime:\s+\w/, /docker:\/\/28/, /web-edge-1/, /NodeReady/]],
        ['describe bundle shop', [/^Kind:\s+Bundle$/m, /zone=north/]],
        ['wait --for=condition=Ready pod/web-edge-1 --timeout=20s', [/condition met/]],
      ];
      for (const [line, expected] of tables) {
        test(line, async () => {
          const out = await ok(...line.split(' '));
          for (const pattern of expected) assert.match(out, pattern);
        });
      }

      test('a selector hides what it does not match', async () => {
        assert.doesNotMatch(await ok('get', 'pods', '-A', '-l', 'app!=web'), /web-edge-1/);
      });

      test('what is not there, and what cannot be selected by, is told as by Kubernetes', async () => {
        const missing = await run('get', 'pod', 'nope');
        assert.equal(missing.code, 1);
        assert.match(missing.err, /Error from server \(NotFound\): pods "nope" not found/);
        const field = await run('get', 'pods', '--field-selector', 'spec.color=red');
        assert.match(field.err, /field label not supported/);
      });

      test('get -w prints what happens', async () => {
        const name = `late-${minor}-edge-1`;
        const watcher = spawn(kubectl, [...flags(), 'get', 'pods', '-w', '-l', `run=r${minor}`]);
        const printed = waitFor(watcher.stdout, new RegExp(`${name}[^]*CrashLoopBackOff`));
        try {
          const labels = { run: `r${minor}` };
          await fixture.store.commit(HUB, [put(pod(name, { labels }))]);
          const [container] = RUNNING.containerStatuses ?? [];
          assert.ok(container);
          const waiting = { waiting: { reason: 'CrashLoopBackOff' } };
          const status = { ...RUNNING, containerStatuses: [{ ...container, state: waiting }] };
          await fixture.store.commit(HUB, [put(pod(name, { labels, status }))]);
          await printed;
        } finally {
          watcher.kill();
        }
      });

      test('delete pod ends, because the mirror comes back under another uid', async () => {
        const uid = () => ok('get', 'pod', 'web-edge-1', '-o', 'jsonpath={.metadata.uid}');
        const first = await uid();
        assert.match(await ok('delete', 'pod', 'web-edge-1'), /deleted/);
        assert.notEqual(await uid(), first);
      });

      test('create, replace, delete of a bundle', async () => {
        const name = `made-${minor}`;
        const file = join(fixture.folder, `${name}.yaml`);
        const write = (selector: string) =>
          writeFile(
            file,
            [
              'apiVersion: flotilla.dev/v1',
              'kind: Bundle',
              `metadata: {name: ${name}}`,
              `spec: {nodeSelector: "${selector}", manifests: [${JSON.stringify(MANIFEST)}]}`,
            ].join('\n'),
          );
        await write('zone=north');
        assert.match(await ok('create', '-f', file), /created/);
        assert.match((await run('create', '-f', file)).err, /AlreadyExists/);
        await write('zone=south');
        assert.match(await ok('replace', '-f', file), /replaced/);
        assert.match(await ok('get', 'bundle', name, '-o', 'wide'), /zone=south/);
        assert.match(await ok('delete', 'bundle', name), /deleted/);
        assert.equal((await run('get', 'bundle', name)).code, 1);
      });

      test('delete node', async () => {
        const name = `old-${minor}`;
        await fixture.store.commit(HUB, [put(node(name))]);
        assert.match(await ok('delete', 'node', name), /deleted/);
        assert.equal((await run('get', 'node', name)).code, 1);
      });
    });
  }
});

/** Resolves when the output matches; rejects when it ends without. */
async function waitFor(output: AsyncIterable<unknown>, pattern: RegExp): Promise<void> {
  let text = '';
  for await (const piece of output) {
    text += String(piece);
    if (pattern.test(text)) return;
  }
  throw new Error(`the output ended without ${String(pattern)}: ${text}`);
}
