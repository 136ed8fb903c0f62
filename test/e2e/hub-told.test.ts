/** What a person at the hub is told: of what the root withdrew, of names, tokens and selectors, of pods whose node is silent. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const POD = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: c, image: x:1}]}
`;

describe('at the hub a person is told', () => {
  const play = new Playground();
  const refused = async (pattern: RegExp, ...args: string[]) => {
    const { code, stdout, stderr } = await play.flotilla(...args);
    assert.equal(code, 2, stdout);
    assert.match(stderr, pattern);
  };

  before(async () => {
    const listen = ['--listen', `127.0.0.1:${await freePort()}`];
    const broker = ['--mqtt-listen', `127.0.0.1:${await freePort()}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen, ...broker);
    play.startHub();
    await play.hubAnswers();
    play.write('web.yaml', POD);
  });
  after(() => play.close());

  test('how many devices a token let in, of how many, and that others may have read it', async () => {
    const made = await play.ok('token', 'create', '--uses', '2', '--ttl', '90d', '--label', 'a=b');
    const join = async (node: string, mode: number) => {
      const file = play.write(`${node}.token`, made);
      chmodSync(file, mode);
      const dir = ['--node-name', node, '--data-dir', play.path(node)];
      return play.agent('join', '--token-file', file, ...dir);
    };
    const first = await join('n1', 0o644);
    assert.match(first.stdout, /lets in 1 more \(1 of 2 devices joined with it\)/);
    assert.match(first.stderr, /n1\.token has mode 0644: others .* may have read the token/);
    const second = await join('n2', 0o600);
    assert.match(second.stdout, /is used up \(2 of 2 devices joined with it\)/);
    assert.equal(second.stderr, '');
    assert.match((await join('n3', 0o600)).stderr, /it let in 2 of 2 devices/);
    await refused(
      /"90 days" is not a duration such as 30m, 24h or 90d/,
      'token',
      'create',
      '--ttl',
      '90 days',
    );
    await refused(/from a minute to 90 days/, 'token', 'create', '--ttl', '91d');
  });

  test('that a selector matches no node, at apply and by rollout status, which end well', async () => {
    const apply = ['apply', '-f', play.path('web.yaml'), '--bundle', 'web'];
    const { code, stderr } = await play.flotilla(...apply, '--nodes', 'a=c');
    assert.equal(code, 0);
    assert.match(
      stderr,
      /warning: bundle\/web runs nowhere: no node matches "a=c" \(labels: flotilla get nodes/,
    );
    const status = await play.flotilla('rollout', 'status', 'bundle/web');
    assert.equal(status.code, 0);
    assert.match(status.stderr, /runs nowhere/);
    assert.equal((await play.flotilla(...apply, '--nodes', 'a=b')).stderr, '');
  });

  test('which revision the root withdrew, wherever one looks, and how to go on', async () => {
    const bundle = await play.json<{ status: { digest: string } }>('get', 'bundle', 'web');
    const file = (n: number) => play.path(`root-${n}.json`);
    await play.ok('root', 'fetch', '--out', file(1));
    const { digest } = bundle.status;
    await play.ok('root', 'edit', '--from', file(1), '--deny', digest, '--out', file(2));
    await play.ok('root', 'sign', file(2), '--key', play.path('hub/keys/root.key'), '--yes');
    await play.ok(
      'root',
      'edit',
      '--from',
      file(2),
      '--floor',
      'default/other=2',
      '--out',
      file(3),
    );

    await refused(
      /is root 3, and the hub has root 1: root 2 comes first\n.*publish root-2/,
      'root',
      'publish',
      file(3),
      '--yes',
    );
    const told =
      /bundle default\/web: revision 1 is withdrawn \(root 2 denies its digest\): no node runs it.*flotilla apply/;
    assert.match((await play.flotilla('root', 'publish', file(2), '--dry-run')).stderr, told);
    assert.match((await play.flotilla('root', 'publish', file(2), '--yes')).stderr, told);
    await eventually('get bundles shows it', async () =>
      / Withdrawn +\w+$/m.test(await play.ok('get', 'bundles')),
    );
    assert.match(
      await play.ok('root', 'show'),
      /warning: bundle default\/web: revision 1 is withdrawn/,
    );
    assert.match(
      await play.ok('describe', 'bundle', 'web'),
      /Withdrawn +True +\S+ +Denied +root 2 denies/,
    );
    const status = await play.flotilla('rollout', 'status', 'bundle/web');
    assert.equal(status.code, 4);
    assert.match(status.stderr, /bundle\/web is withdrawn by the root\n.*apply another revision/);
    const again = await play.ok('apply', '-f', play.path('web.yaml'), '--bundle', 'web');
    assert.match(again, /bundle\/web configured \(revision 2\)/);
    assert.match(await play.ok('get', 'bundles'), / (Active|Progressing|NoNodes) +\w+$/m);
  });

  test('that only signatures were new', async () => {
    await play.ok('key', 'generate', play.path('anna.key'), '--no-passphrase');
    const file = play.path('shop.bundle');
    const release = ['--key', play.path('hub/keys/release.key')];
    const shop = play.write('shop.yaml', POD.replace('name: web', 'name: shop'));
    const build = ['bundle', 'build', '-f', shop, '--bundle', 'shop', '-o', file];
    await refused(
      /--arch x86_64: no node calls itself so; say amd64/,
      ...build,
      '--arch',
      'x86_64',
    );
    await refused(/--arch foo: .* one of amd64, arm64, arm,/, ...build, '--arch', 'foo');
    assert.match(
      await play.ok(...build),
      /flotilla apply -f \S+ --nodes SELECTOR +# or --all-nodes\n$/,
    );
    await play.ok('bundle', 'sign', file, ...release, '--yes');
    const apply = () => play.ok('apply', '-f', file, '--nodes', 'a=b');
    assert.match(await apply(), /bundle\/shop created \(revision 1\)/);
    assert.match(await apply(), /bundle\/shop unchanged \(revision 1\)/);
    assert.match(await play.ok('describe', 'bundle', 'shop'), /Signed by: +[0-9a-f]{64}\n/);
  });

  test('the names that can be typed', async () => {
    play.write(
      'db.yaml',
      'apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {p: x}\n',
    );
    await play.ok('secret', 'seal', '-f', play.path('db.yaml'), '--bundle', 'web');
    const [name = ''] =
      /^\S+/m.exec((await play.ok('get', 'secrets', '--no-headers')).trim()) ?? [];
    assert.equal(name, 'web.db');
    await play.ok('get', 'secret', name);
    await refused(/did you mean \(named BUNDLE\.SECRET\): web\.db/, 'get', 'secret', 'db');
    await refused(/did you mean .*: web\.db/, 'delete', 'secret', 'db', '--yes');
    await play.ok('delete', 'secret', name, '--yes');
    await refused(/another namespace\): web -n default/, 'describe', 'bundle', 'web', '-n', 'shop');
    await refused(/a name needs one namespace/, 'logs', '-A', 'web');
  });

  test('which file holds nothing, and which file is there already', async () => {
    const empty = play.write('empty.yaml', '# nothing\n');
    await refused(
      /empty\.yaml: no Pod in the input: it is empty/,
      'apply',
      '-f',
      empty,
      '--all-nodes',
    );
    await refused(/choose another -o, or say --force/, 'bundle', 'export', '--all', '-o', empty);
  });

  test('of several kinds at once', async () => {
    const all = await play.ok('get', 'all');
    assert.match(all, /^NAME +REVISION.*\n(bundle\.flotilla\.dev\/\w+ .*\n)+$/);
    const two = await play.ok('get', 'nodes,bundles', '-o', 'name');
    assert.match(two, /^node\/n1\nnode\/n2\nbundle\.flotilla\.dev\/shop\n/);
    const list = await play.json<{ kind: string; items: object[] }>('get', 'no,bundles');
    assert.deepEqual([list.kind, list.items.length], ['List', 4]);
    await refused(/go with one kind/, 'get', 'pods,nodes', 'n1');
  });

  test('what to type for a bundle that lost its signatures; typed as printed it is good again', async () => {
    const file = (n: number) => play.path(`next-${n}.json`);
    await play.ok('root', 'fetch', '--out', file(2));
    assert.match(await play.ok('root', 'fetch', '--out', file(2)), /is version 2 already\n$/);
    const by = play.path('anna.key');
    await play.ok('key', 'generate', play.path('bea.key'), '--no-passphrase');
    const plan =
      'root: {keys: [bea.key.pub]}\nrelease: [{bundles: ["*/*"], keys: [anna.key.pub]}]\n';
    const people = ['--plan', play.write('roles.yaml', plan), '--out', file(3)];
    await play.ok('root', 'edit', '--from', file(2), ...people);
    for (const key of [play.path('bea.key'), play.path('hub/keys/root.key')])
      await play.ok('root', 'sign', file(3), '--former', file(2), '--key', key, '--yes');
    const { stderr } = await play.flotilla('root', 'publish', file(3), '--yes');
    const line = stderr.split('\n').find(told => told.includes('bundle default/web:')) ?? '';
    assert.match(line, /is not signed by enough .*\(0 of the 1 signatures .* root 3 wants\)/);
    const typed = line.match(/(?<=flotilla )(bundle build|bundle sign|apply) [^;]*/g) ?? [];
    assert.equal(typed.length, 4, line);
    for (const command of typed.slice(0, 3)) {
      const filled = command
        .replace('MANIFESTS', play.path('web.yaml'))
        .replace('KEY', `${by} --yes`)
        .replaceAll('web.bundle', play.path('web.bundle'));
      await play.ok(...filled.split(' '));
    }
    const bundle = await play.json<{ status: { conditions: object[]; revision: number } }>(
      ...['get', 'bundle', 'web'],
    );
    assert.deepEqual([bundle.status.revision, bundle.status.conditions], [3, []]);
    // The hub holds no release key any more: the last of them is refused, with the same commands.
    const other = play.write('other.yaml', POD.replace('x:1', 'x:2'));
    const last = (typed[3] ?? '').replace('MANIFESTS', other).split(' ');
    await refused(/cannot be signed here[^]*flotilla bundle build/, ...last);
  });
});
