/** docs/commands.md against a running hub: without a terminal nothing happens unless the option is there; on one, `n` leaves all as it is. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../support/ports.js';
import { HUB_PROGRAM, Playground } from '../support/programs.js';
import { onTerminal } from '../support/terminal.js';

const pod = (name: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: c, image: x:1}]}\n`;
const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: p}\n';

describe('what cannot be taken back', () => {
  const play = new Playground();
  const file = (name: string) => play.path(name);
  let token = '';

  before(async () => {
    const listen = ['--listen', `127.0.0.1:${await freePort()}`];
    const mqtt = ['--mqtt-listen', `127.0.0.1:${await freePort()}`];
    await play.ok('hub', 'init', '--data-dir', file('hub'), ...listen, ...mqtt);
    play.startHub();
    await play.hubAnswers();
    play.write('n1.token', await play.ok('token', 'create', '--label', 'a=b'));
    const join = ['--token-file', file('n1.token'), '--node-name', 'n1', '--data-dir', file('n1')];
    assert.equal((await play.agent('join', ...join)).code, 0);
    token = (await play.ok('get', 'tokens', '-o', 'name'))
      .trim()
      .replace('token.flotilla.dev/', '');
    play.write('web/one.yaml', pod('one'));
    play.write('web/two.yaml', pod('two'));
    const web = ['-f', file('web'), '--bundle', 'web'];
    await play.ok('apply', ...web, '--nodes', 'a=b');
    await play.ok('secret', 'seal', '--bundle', 'web', '-f', play.write('db.yaml', SECRET));
    await play.ok('root', 'fetch', '--out', file('root-1.json'));
    const edit = ['root', 'edit', '--from', file('root-1.json'), '--raise-epoch', '--out'];
    await play.ok(...edit, file('root-2.json'));
    await play.ok(...edit, file('signed.json'));
    await play.ok('root', 'sign', file('signed.json'), ...key('root'), '--yes');
    await play.ok('bundle', 'build', ...web, '-o', file('web.bundle'));
    play.write('db-2.yaml', SECRET.replace('password: p', 'password: q'));
    rememberAnotherKey();
  });
  after(() => play.close());

  const key = (role: string) => ['--key', file(`hub/keys/${role}.key`)];
  /** As if the node had had another sealing key when it was last sealed for from here. */
  const rememberAnotherKey = () => {
    const path = file('hub/admin.kubeconfig.known-nodes');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/[0-9a-f]{64}$/m, 'f'.repeat(64)));
  };

  const state = async () => ({
    objects: await play.ok('get', 'nodes,bundles,secrets,tokens', '-o', 'name'),
    bundle: (await play.json<{ metadata: { generation: number } }>('get', 'bundle', 'web')).metadata
      .generation,
    root: (await play.json<{ spec: { version: number } }>('root', 'show')).spec.version,
    secret: (await play.json<{ spec: { version: number } }>('get', 'secret', 'web.db')).spec,
    files: ['root-2.json', 'web.bundle'].map(name => readFileSync(file(name)).toString('base64')),
    nodes: (await play.json<{ status: { conditions: object[] } }>('get', 'node', 'n1')).status
      .conditions,
  });

  const rows = (): readonly (readonly [words: string[], told: RegExp, option: RegExp])[] => {
    const web = ['apply', '--bundle', 'web', '-f'];
    return [
      [[...web, file('web/one.yaml')], /Let go 1 pod from the nodes\?/, /--prune/],
      [[...web, file('web'), '--nodes', 'a=c'], /Let go the bundle from 1 node\?/, /--prune/],
      [['delete', 'bundle', 'web'], /web \(its pods leave 1 node\)\?/, /--yes/],
      [['delete', 'node', 'n1'], /forgotten and has to join again/, /--yes/],
      [['delete', `token.flotilla.dev/${token}`], /nobody can join with it/, /--yes/],
      [['delete', 'secret', 'web.db'], /nodes of bundle web forget it/, /--yes/],
      [['secret', 'delete', 'db', '--bundle', 'web'], /Delete secret db/, /--yes/],
      [
        ['secret', 'seal', '-f', file('db-2.yaml'), '--bundle', 'web'],
        /for these keys/,
        /--accept-new-/,
      ],
      [['node', 'revoke', 'n1'], /its session is cut, and it can only join anew/, /--yes/],
      [['node', 'approve', 'n1'], /Let in node "n1" with the key sha256:/, /--key sha256:.*--yes/],
      [['root', 'sign', file('root-2.json'), ...key('root')], /Sign .*root-2/, /--yes/],
      [['root', 'publish', file('signed.json')], /Publish root 2\?/, /--yes/],
      [['bundle', 'sign', file('web.bundle'), ...key('release')], /Sign .*web\.bundle\?/, /--yes/],
      [['key', 'rotate', 'hub'], /Replace the hub key/, /--yes/],
      [['key', 'rotate', 'tls'], /Replace the TLS authority/, /--yes/],
    ];
  };

  test('does not happen where nobody can be asked, and the refusal says what it would be', async () => {
    const before = await state();
    for (const [words, told, option] of rows()) {
      const { code, stderr } = await play.flotilla(...words);
      assert.equal(code, 2, `${words.join(' ')}: ${stderr}`);
      assert.match(stderr, told);
      assert.match(stderr, /^error: nothing was done, for nobody is here to be asked/m);
      assert.match(stderr, new RegExp(`^hint: pass ${option.source}`, 'm'));
    }
    assert.deepEqual(await state(), before);
  });

  test('does not happen on a terminal after n, which was asked with the same words', async () => {
    const before = await state();
    const at = ['--kubeconfig', file('hub/admin.kubeconfig')];
    const offline = (words: string[]) =>
      ['root sign', 'bundle sign'].includes(words.slice(0, 2).join(' '));
    // A terminal for each takes long: some of them.
    for (const [words, told] of rows().filter((_, index) => index % 4 === 0)) {
      const all = [process.execPath, HUB_PROGRAM, ...words, ...(offline(words) ? [] : at)];
      const shown = await onTerminal(all, [[/\[y\/N\] $/, 'n']]);
      assert.match(shown, told);
      assert.match(shown, /given up; nothing was done/);
    }
    assert.deepEqual(await state(), before);
  });

  test('happens with the option', async () => {
    await play.ok('node', 'revoke', 'n1', '--yes');
    await play.ok('delete', 'node/n1', '-y');
    await play.ok('delete', 'bundle', 'web', '--yes');
    assert.equal(await play.ok('get', 'nodes,bundles', '-o', 'name'), '');
  });
});
