/**
 * A fleet that keeps its release keys off the hub, on real parts: three people on three machines (folders), two of whom must
 * sign; the hub takes what they signed, refuses all else, and its node runs it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { packBundleFile, readBundleFile } from '../../hub/signing/bundle-file.js';
import { readSigner, signPayload } from '../../hub/signing/signer.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import { ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { onTerminal } from '../support/terminal.js';

const NODE = 'edge-1';
const FLOTILLA = [process.execPath, join(import.meta.dirname, '../../../hub/bin/flotilla.js')];

function manifest(name: string, word: string): string {
  const command = [
    'sh',
    '-c',
    `trap "exit 0" TERM; echo ${word}; while :; do sleep 3600 & wait; done`,
  ];
  const app = { name: 'app', image: TEST_IMAGE, imagePullPolicy: 'IfNotPresent', command };
  const spec = { terminationGracePeriodSeconds: 1, containers: [app] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

describe('signing without the hub', { skip: noEngine() }, () => {
  const play = new Playground();
  const root = play.path('root.json');
  let agentPid = 0;
  const carry = (file: string, from: string, to: string) =>
    copyFileSync(play.path(from, file), play.path(to, file));
  const refused = async (pattern: RegExp, ...args: string[]) => {
    const { code, stdout, stderr } = await play.flotilla(...args);
    assert.equal(code, 2, stdout + stderr);
    assert.match(stderr, pattern);
    return stderr;
  };
  const revision = async () => {
    const bundle = await play.json<{ status: { revision: number } }>('get', 'bundle', 'web');
    return bundle.status.revision;
  };

  before(async () => {
    ensureTestImage();
    for (const person of ['anna', 'ben', 'carl'])
      play.write(`${person}/phrase`, `key of ${person}\n`);
    for (const person of ['anna', 'carl']) {
      execFileSync('chmod', ['600', play.path(person, 'phrase')]);
    }
    play.write('anna/web/pod.json', manifest('web', 'one'));
    const phrase = ['--passphrase-file', play.path('anna/phrase')];
    await play.ok('key', 'generate', play.path('anna/release.key'), ...phrase);
    execFileSync('ssh-keygen', [
      ...['-q', '-t', 'ed25519', '-N', '', '-C', 'ben@desk', '-f', play.path('ben/id')],
    ]);
    const told = execFileSync('ssh-agent', ['-a', play.path('ben/agent')], { encoding: 'utf8' });
    agentPid = Number(/SSH_AGENT_PID=(\d+)/.exec(told)?.[1]);
    process.env['SSH_AUTH_SOCK'] = play.path('ben/agent');
    execFileSync('ssh-add', ['-q', play.path('ben/id')]);
    await play.ok('key', 'generate', play.path('carl/release.key'), '--no-passphrase');

    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    const init = ['hub', 'init', '--data-dir', play.path('hub')];
    await play.ok(...init, ...listen, '--offline-root');
    execFileSync('ssh-keygen', [
      ...['-q', '-t', 'ed25519', '-N', '', '-f', play.path('anna/root.key')],
    ]);
    const plan = {
      root: { threshold: 1, keys: ['anna/root.key.pub'] },
      release: [
        {
          ...{ bundles: ['*/*'], threshold: 2 },
          keys: ['anna/release.key.pub', 'ssh-agent:ben@desk', 'carl/release.key'],
        },
      ],
    };
    const request = ['--request', play.path('hub/root-request.json'), '--out', root];
    await play.ok(
      'root',
      'create',
      '--plan',
      play.write('plan.yaml', JSON.stringify(plan)),
      ...request,
    );
    await play.ok('root', 'sign', root, '--key', play.path('anna/root.key'), '--yes');
    await play.ok(...init, '--root', root);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
  });
  after(async () => {
    if (agentPid > 0) process.kill(agentPid);
    await play.close();
  });

  const annas = () => ['--key', play.path('anna/release.key')];
  const annasPhrase = () => ['--passphrase-file', play.path('anna/phrase')];

  test('apply says what to type, and what it says works up to the missing signatures', async () => {
    const folder = play.path('anna/web');
    const said = await refused(
      /needs 2 signatures by release keys, and this hub holds 0/,
      ...['apply', '-f', folder, '--bundle', 'web', '--all-nodes'],
    );
    const commands = [...said.matchAll(/^ {2}flotilla (.*)$/gm)].map(match => match[1] ?? '');
    assert.deepEqual(commands, [
      `bundle build -f ${folder} --bundle web -n default -o web.bundle`,
      'bundle sign web.bundle --key KEY',
      'apply -f web.bundle --all-nodes',
    ]);
    const typed = commands.map(line => line.replace('web.bundle', play.path('anna/web.bundle')));
    const built = await play.ok(...(typed[0] ?? '').split(' '));
    assert.match(built, /bundle default\/web revision 1, unsigned\n[^]*2 of the 3 release keys/);
    await refused(/nobody signed it yet \(BadSignature\)/, ...(typed[2] ?? '').split(' '));
  });

  test('who signs reads first what it is; where nobody can answer nothing is signed', async () => {
    const file = play.path('anna/web.bundle');
    const before = readFileSync(file);
    const { code, stdout, stderr } = await play.flotilla('bundle', 'sign', file, ...annas());
    assert.equal(code, 2);
    assert.match(stdout, /Revision: +1\n[^]*Pod web\n +image .*NOT PINNED/);
    assert.match(stderr, /pass --yes/);
    assert.deepEqual(readFileSync(file), before);
  });

  test('one of two is not enough, nor one key twice, nor a foreign key beside it', async () => {
    const file = play.path('anna/web.bundle');
    const sign = ['bundle', 'sign', file, '--yes', '--root', root];
    writeFileSync(play.path('anna/wrong'), 'not her phrase', { mode: 0o600 });
    const wrong = ['--passphrase-file', play.path('anna/wrong')];
    await refused(/release\.key: wrong passphrase/, ...sign, ...annas(), ...wrong);
    assert.match(await play.ok(...sign, ...annas(), ...annasPhrase()), /1 of 2 signatures/);
    const once = readFileSync(file);
    assert.match(await play.ok(...sign, ...annas()), /signed with [0-9a-f]{64} already/);
    assert.deepEqual(readFileSync(file), once);

    carry('web.bundle', 'anna', 'ben');
    const copy = play.path('ben/web.bundle');
    execFileSync('ssh-keygen', [
      ...['-q', '-t', 'ed25519', '-N', '', '-f', play.path('ben/foreign.key')],
    ]);
    const foreign = ['bundle', 'sign', copy, '--yes', '--key', play.path('ben/foreign.key')];
    await refused(
      /is not among the release keys for default\/web in root 1/,
      ...foreign,
      '--root',
      root,
    );
    await play.ok(...foreign);
    const verified = await play.flotilla('bundle', 'verify', copy, '--root', root);
    assert.equal(verified.code, 1);
    assert.match(
      verified.stdout,
      /signature foreign [^]*: 1 of 2 sig[^]*verdict +FAIL BadSignature/,
    );
    await refused(/1 of 2 signatures that root 1 wants/, 'apply', '-f', copy, '--all-nodes');
  });

  test('two of three are enough: the nodes run it, and applying it again changes nothing', async () => {
    const copy = play.path('ben/web.bundle');
    const sign = ['bundle', 'sign', copy, '--yes', '--root', root, '--key', 'ssh-agent:ben@desk'];
    assert.match(await play.ok(...sign), /2 of 2 signatures that the root wants: enough/);
    const pinned = /sha256:([0-9a-f]{64})/.exec(await play.ok('token', 'create'))?.[0] ?? '';
    for (const by of [root, pinned]) {
      const said = await play.ok('bundle', 'verify', copy, '--root', by);
      assert.match(said, /content +ok .*pod\/web\n[^]*verdict +ok/);
    }
    const apply = ['apply', '-f', copy, '--all-nodes'];
    assert.match(await play.ok(...apply, '--dry-run=server'), /created \(revision 1, server dry/);
    assert.match(await play.ok(...apply, '--wait', '--timeout', '3m'), /created \(revision 1\)/);
    assert.notEqual(runningOf(play.path(NODE)), '');
    assert.match(await play.ok(...apply), /bundle\/web unchanged \(revision 1\)/);
    assert.match(await play.ok('apply', '-f', copy), /unchanged/);
    assert.equal((await play.flotilla('diff', '-f', copy)).code, 0);
  });

  test('the next revision is built with no hub in sight, and shows what changed', async () => {
    play.write('carl/web/db.json', manifest('db', 'two'));
    const file = play.path('carl/web.bundle');
    const build = ['bundle', 'build', '-f', play.path('carl/web'), '--root', root, '-o', file];
    const blind = ['--revision', '2', '--min-ready', '3', '--kubeconfig', '/nowhere'];
    const { code, stderr } = await play.flotilla(...build, ...blind);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /no hub was asked: what the options do not say/);
    const since = ['--since', play.path('ben/web.bundle')];
    const key = ['--key', play.path('carl/release.key')];
    const seen = await play.ok('bundle', 'sign', file, '--yes', ...key, ...since);
    assert.match(seen, /Added: +pod\/db\nChanged: +nothing\nRemoved: +pod\/web\n--- now\/pod\/db/);
    assert.match(seen, /^--- now\/strategy\n[^]*^-minReadySeconds: 10\n\+minReadySeconds: 3$/m);
    copyFileSync(play.path('ben/web.bundle'), play.path('ben/one.bundle'));
    carry('web.bundle', 'carl', 'ben');
    const bens = play.path('ben/web.bundle');
    await play.ok('bundle', 'sign', bens, '--yes', '--key', 'ssh-agent:ben@desk');
    assert.equal((await play.flotilla('diff', '-f', bens)).code, 1);
    await refused(/Let go 1 pod from the nodes/, 'apply', '-f', bens);
    assert.equal(await revision(), 1);
    const applied = await play.ok('apply', '-f', bens, '--prune', '--wait', '--timeout', '3m');
    assert.match(applied, /configured \(revision 2\)/);
  });

  test('what the options do not say of deadline and windows stays as the hub has it', async () => {
    const kept = play.path('carl/kept.bundle');
    await play.ok('bundle', 'build', '-f', play.path('carl/web'), '-o', kept);
    assert.match(await play.ok('bundle', 'show', kept), /Judged by: .*min ready 3s/);
  });

  test('older revisions and other content for a known one are refused', async () => {
    await refused(
      /revision 1 is older than 2, the newest/,
      'apply',
      '-f',
      play.path('ben/one.bundle'),
      '--prune',
    );
    const other = play.path('carl/other.bundle');
    const build = ['bundle', 'build', '-f', play.path('anna/web'), '--root', root, '-o', other];
    await play.ok(...build, '--revision', '2');
    for (const key of [play.path('carl/release.key'), 'ssh-agent:ben@desk'])
      await play.ok('bundle', 'sign', other, '--yes', '--key', key);
    const known = /revision 2 is known with another content \(Equivocation\)/;
    await refused(known, 'apply', '-f', other, '--prune');
    await play.ok('delete', 'bundle', 'web', '--yes');
    const again = await play.ok('apply', '-f', play.path('ben/web.bundle'), '--all-nodes');
    assert.match(again, /created \(revision 2\)/);
  });

  test('a bundle of another fleet, a damaged one and another name are refused', async () => {
    const file = play.path('ben/web.bundle');
    await refused(/of bundle default\/web, -n says prod/, 'apply', '-f', file, '-n', 'prod');
    await refused(/--bundle says x/, 'diff', '-f', file, '--bundle', 'x');
    const bytes = readFileSync(file);
    writeFileSync(play.path('ben/cut.bundle'), bytes.subarray(0, bytes.length - 700));
    await refused(
      /cut off or damaged|cut off, damaged/,
      'apply',
      '-f',
      play.path('ben/cut.bundle'),
    );
    const verified = await play.flotilla(
      ...['bundle', 'verify', play.path('ben/cut.bundle'), '--root', root],
    );
    assert.equal(verified.code, 1);
    const away = play.path('ben/away.bundle');
    writeFileSync(
      away,
      await ofAnotherFleet(bytes, [play.path('carl/release.key'), play.path('ben/id')]),
    );
    await refused(/of another fleet \(WrongFleet\)/, 'apply', '-f', away, '--prune');
    assert.equal(await revision(), 2);
  });

  test('passphrases are typed unseen, twice for a new key; questions are asked on a terminal', async () => {
    const file = play.path('carl/typed.key');
    const typed = await onTerminal(
      [...FLOTILLA, 'key', 'generate', file],
      [
        [/Passphrase for .*: $/, 'carls secret phrase'],
        [/The same again: $/, 'carls secret phrase'],
      ],
    );
    assert.doesNotMatch(typed, /carls secret/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const bundle = play.path('carl/other.bundle');
    const signed = await onTerminal(
      [...FLOTILLA, 'bundle', 'sign', bundle, '--key', file],
      [
        [/Sign .*\? \[y\/N\] $/, 'y'],
        [/Passphrase of .*: $/, 'carls secret phrase'],
      ],
    );
    assert.match(signed, /Signed .*other\.bundle with/);
    const refusal = await onTerminal(
      [...FLOTILLA, 'bundle', 'sign', bundle, '--key', play.path('anna/release.key')],
      [[/Sign .*\? \[y\/N\] $/, 'n']],
    );
    assert.match(refusal, /nothing was done/);
    const interrupted = await onTerminal(
      [...FLOTILLA, 'key', 'generate', play.path('carl/none.key')],
      [[/Passphrase for .*: $/, '\u0003']],
    );
    assert.match(interrupted, /error: given up at a question\r\n$/);
  });
});

/** The same bundle, properly signed by the same people, for a fleet that is not this one. */
async function ofAnotherFleet(bytes: Buffer, keys: readonly string[]): Promise<Buffer> {
  const read = await readBundleFile(bytes);
  assert.ok(read.ok);
  const document = { ...read.value.document, fleet: '0'.repeat(32), revision: 9 };
  const payload = Buffer.from(canonicalJson(document));
  const signatures = [];
  for (const key of keys) {
    const passphrase = () => Promise.reject(new Error('in clear'));
    const signer = await readSigner(key, { passphrase, agentSocket: undefined });
    signatures.push(await signPayload('bundle', payload, signer));
  }
  const { blobs } = read.value;
  return packBundleFile({ payload, digest: sha256Hex(payload), signatures, blobs });
}
