/**
 * Images pinned at apply (S95), on real parts: a registry whose tag moves on, one that needs a login, one that answers other
 * content for a digest. What was pinned runs, and nothing else.
 */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, randomHex, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import {
  noRegistry,
  PASSWORD,
  startRegistry,
  USER,
  type TestRegistry,
} from '../support/registry.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const DIGEST = /sha256:[0-9a-f]{64}/;

interface PodObject {
  readonly status: { containerStatuses?: { image: string; imageID: string }[] };
}

/** A registry's front that gives for one digest the content of another. */
async function liar(behind: string, lies: ReadonlyMap<string, string>): Promise<[Server, string]> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(DIGEST, digest => lies.get(digest) ?? digest);
    const headers = { accept: request.headers.accept ?? '*/*' };
    const method = request.method ?? 'GET';
    void fetch(`http://${behind}${path}`, { method, headers }).then(async answer => {
      const asked = DIGEST.exec(request.url ?? '')?.[0];
      const kept = [...answer.headers].filter(([name]) => name !== 'docker-content-digest');
      const said = asked ?? answer.headers.get('docker-content-digest');
      if (said) kept.push(['docker-content-digest', said]);
      response.writeHead(answer.status, Object.fromEntries(kept));
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  return [server, `127.0.0.1:${(server.address() as AddressInfo).port}`];
}

describe('images pinned at apply', { skip: noEngine() || noRegistry() }, () => {
  const play = new Playground();
  const lies = new Map<string, string>();
  const word = randomHex(4);
  const ids = new Map<string, string>();
  let open: TestRegistry;
  let closed: TestRegistry;
  let front: Server;
  let image = '';
  let lying = '';
  /** What the tag means after it moved on. */
  let second = '';

  /** Content of its own under the tag, and gone from the engine again. */
  const publish = (registry: TestRegistry, content: string): string => {
    const local = `flotilla.dev/pin-${word}:${content}`;
    const container = docker('create', ensureTestImage(), 'true');
    const label = `LABEL word=${word}-${content}`;
    ids.set(content, docker('commit', '--change', label, container, local));
    docker('rm', container);
    const reference = registry.push(local, 'team/web:1');
    docker('image', 'rm', local);
    return reference;
  };
  const manifest = (name: string, of: string) => {
    const command = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'];
    const app = { name: 'app', image: of, imagePullPolicy: 'Always', command };
    const spec = { terminationGracePeriodSeconds: 1, containers: [app] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec };
    return play.write(`${name}/pod.json`, JSON.stringify(pod));
  };
  const flotilla = (verb: string, name: string, of: string, ...more: string[]) =>
    play.flotilla(verb, '-f', manifest(name, of), '--bundle', name, ...more);
  const apply = (name: string, of: string, ...more: string[]) =>
    flotilla('apply', name, of, '--all-nodes', ...more);
  const runs = (name: string) => {
    const id = runningOf(play.path(NODE), { pod: `${name}-${NODE}`, container: 'app' });
    return id === '' ? '' : docker('inspect', '--format', '{{.Image}}', id);
  };
  const said = async (pattern: RegExp) =>
    eventually(`the node says ${String(pattern)}`, async () =>
      pattern.test((await play.flotilla('describe', 'node', NODE)).stdout),
    );
  const agent = () => {
    const config = JSON.stringify({ admission: { bundle: { requireDigests: true } } });
    play.startAgent(NODE, '--config', play.write('agent.yaml', config));
  };

  before(async () => {
    [open, closed] = await Promise.all([
      startRegistry({ password: false }),
      startRegistry({ password: true }),
    ]);
    const [server, host] = await liar(open.host, lies);
    front = server;
    image = publish(open, 'one');
    lying = `${host}/team/web:1`;
    process.env['DOCKER_CONFIG'] = play.path('docker');
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    await play.kill(NODE, 'SIGTERM');
  });
  after(async () => {
    await play.close();
    front.close();
    open.close();
    closed.close();
    for (const id of ids.values()) {
      try {
        docker('image', 'rm', '-f', id);
      } catch {
        // Never came here again.
      }
    }
  });

  test('what cannot be resolved is named with its reason, and nothing is applied', async () => {
    const locked = publish(closed, 'locked');
    const dark = `127.0.0.1:${await freePort()}/team/web:1`;
    for (const [of, reason] of [
      [`${open.host}/team/web:2`, /image \S+:2: \S+ has no such image/],
      [dark, /does not answer: ECONNREFUSED/],
      [locked, /does not show it without credentials[^]*docker login/],
    ] as const) {
      const { code, stderr } = await apply('lost', of, '--pin');
      assert.equal(code, 1, stderr);
      assert.match(stderr, reason);
    }
    assert.match((await play.flotilla('get', 'bundle', 'lost')).stderr, /not found/i);
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    play.write('docker/config.json', JSON.stringify({ auths: { [closed.host]: { auth } } }));
    const { code, stdout } = await flotilla('diff', 'lost', locked, '--pin');
    assert.equal(code, 1);
    assert.match(stdout, /image \S+ pinned to sha256:/);
  });

  test('S95: a tag that moves on after the apply runs what it was pinned to', async () => {
    const dry = await apply('web', image, '--pin', '--dry-run=server');
    assert.match(dry.stdout, /image \S+ pinned to sha256:[^]*created .*server dry run/);
    const { code, stdout, stderr } = await apply('web', image, '--pin');
    assert.equal(code, 0, stderr);
    const [digest = ''] = DIGEST.exec(stdout) ?? [];
    publish(open, 'two');
    agent();
    await eventually('the pinned content runs', () => runs('web') === ids.get('one'));
    await eventually('the status says both names of it', async () => {
      const pod = await play.json<PodObject>('get', 'pod', `web-${NODE}`);
      const [status] = pod.status.containerStatuses ?? [];
      return status?.image === image && status.imageID.endsWith(`@${digest}`);
    });
  });

  test('applied anew with --pin, the same manifest brings the new content', async () => {
    const shown = await flotilla('diff', 'web', image, '--pin');
    assert.equal(shown.code, 1);
    assert.match(shown.stdout, /^image \S+ pinned to sha256:\w+ \(was sha256:\w+\)\n$/);
    const { stdout } = await apply('web', image, '--pin');
    second = DIGEST.exec(stdout)?.[0] ?? '';
    assert.match((await apply('web', image, '--pin')).stdout, /unchanged \(revision 2\)/);
    await eventually('the new content runs', () => runs('web') === ids.get('two'));
  });

  test('a bundle that is built to be signed elsewhere says what its images are pinned to', async () => {
    const file = play.path('web.bundle');
    const build = ['bundle', 'build', '-f', play.path('web'), '--pin', '-o', file];
    assert.match(await play.ok(...build), new RegExp(`^image ${image} pinned to ${second}`));
    assert.match(await play.ok('bundle', 'show', file), new RegExp(`pinned to ${second}`));
    const again = await play.flotilla('apply', '-f', file, '--pin');
    assert.equal(again.code, 2);
    assert.match(again.stderr, /is a bundle already[^]*bundle build --pin/);
  });

  test('requireDigests takes the word of the bundle, and refuses a tag without it', async () => {
    assert.equal((await apply('loose', image)).code, 0);
    await said(/Policy[^]*DigestRequired: \S+: \S+ has no digest/);
    assert.equal(runs('loose'), '');
  });

  test('S95: a registry that answers other content for the digest is refused', async () => {
    publish(open, 'three');
    const { stdout } = await flotilla('diff', 'liar', lying, '--pin');
    const [digest = ''] = DIGEST.exec(stdout) ?? [];
    assert.notEqual(digest, second);
    lies.set(digest, second);
    assert.equal((await apply('liar', lying, '--pin')).code, 0);
    await said(/default\/liar[^\n]*ImageDigestMismatch/);
    assert.equal(runs('liar'), '');
  });
});
