import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  isEncryptedKey,
  readKeyFile,
  writeKeyFile,
  type AskPassphrase,
} from '../../../hub/signing/key-file.js';
import {
  newPassphrase,
  passphraseFor,
  readPassphraseFile,
} from '../../../hub/signing/passphrase.js';
import { publicKeyLine } from '../../../hub/signing/public-key.js';
import { readPublicKey, readSigner, sealWith } from '../../../hub/signing/signer.js';
import { CliError } from '../../../protocol/cli-error.js';
import { canonicalJson } from '../../../protocol/canonical.js';
import { countSignatures, openEnvelope } from '../../../protocol/envelope.js';
import { keyId, rawPublicKey } from '../../../protocol/keys.js';
import { onTerminal } from '../../support/terminal.js';

const dir = mkdtempSync(join(tmpdir(), 'fl-keys-'));
after(() => rmSync(dir, { recursive: true }));
const at = (name: string) => join(dir, name);
const nobody: AskPassphrase = async what => {
  throw new CliError('refused', `nobody types for ${what}`);
};
const saying =
  (passphrase: string): AskPassphrase =>
  async () =>
    passphrase;
const access = { passphrase: nobody, agentSocket: undefined };
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
const refusedWith = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CliError, String(error));
  assert.match(`${error.message} ${error.hint ?? ''}`, pattern);
  return true;
};
const PHRASE = 'correct horse battery';
const key = generateKeyPairSync('ed25519').privateKey;
const publicKey = rawPublicKey(key);

function hasAge(): boolean {
  return spawnSync('age', ['--version']).status === 0;
}

function sshKey(name: string, options: readonly string[] = ['-t', 'ed25519', '-N', '']): string {
  execFileSync('ssh-keygen', ['-q', '-C', 'anna@desk', '-f', at(name), ...options]);
  return at(name);
}

describe('key files', () => {
  before(async () => {
    const old = process.umask(0);
    try {
      await writeKeyFile(at('plain'), { key, passphrase: null, comment: 'anna' });
      await writeKeyFile(at('locked'), { key, passphrase: PHRASE, comment: 'anna' });
    } finally {
      process.umask(old);
    }
  });

  test('are for their owner alone, and public beside it as OpenSSH writes it', () => {
    assert.deepEqual(['plain', 'locked', 'plain.pub'].map(at).map(modeOf), ['600', '600', '644']);
    const told = execFileSync('ssh-keygen', ['-l', '-f', at('plain.pub')], { encoding: 'utf8' });
    assert.match(told, /^256 SHA256:\S+ anna \(ED25519\)/);
    assert.equal(readFileSync(at('locked.pub'), 'utf8'), readFileSync(at('plain.pub'), 'utf8'));
  });

  test('without a passphrase are what hub init writes: PKCS#8 PEM', () => {
    const pem = readFileSync(at('plain'), 'utf8');
    assert.equal(rawPublicKey(createPrivateKey(pem)), publicKey);
    assert.equal(isEncryptedKey(at('plain')), false);
  });

  test('with a passphrase are age files around that PEM, and say nothing of it', async () => {
    const text = readFileSync(at('locked'), 'utf8');
    assert.match(text, /^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    assert.equal(isEncryptedKey(at('locked')), true);
    assert.equal(rawPublicKey(await readKeyFile(at('locked'), saying(PHRASE))), publicKey);
    await assert.rejects(
      readKeyFile(at('locked'), saying('wrong')),
      refusedWith(/wrong passphrase/),
    );
  });

  test('with a passphrase are opened by the stock age', { skip: !hasAge() }, async () => {
    const pem = at('opened.pem');
    await onTerminal(['age', '-d', '-o', pem, at('locked')], [[/passphrase: ?$/i, PHRASE]]);
    assert.equal(rawPublicKey(createPrivateKey(readFileSync(pem))), publicKey);
  });

  test('are never written over, neither of the two', async () => {
    const before = readFileSync(at('plain'), 'utf8');
    const options = {
      key: generateKeyPairSync('ed25519').privateKey,
      passphrase: null,
      comment: '',
    };
    await assert.rejects(writeKeyFile(at('plain'), options), refusedWith(/exists and is never/));
    assert.equal(readFileSync(at('plain'), 'utf8'), before);
    writeFileSync(at('half.pub'), 'mine');
    await assert.rejects(writeKeyFile(at('half'), options), refusedWith(/half\.pub exists/));
    assert.throws(() => statSync(at('half')), /ENOENT/);
    assert.equal(readFileSync(at('half.pub'), 'utf8'), 'mine');
  });

  const MODES = [0o640, 0o604, 0o660, 0o644];
  for (const mode of MODES) {
    test(`of mode ${mode.toString(8)} are refused, encrypted ones too`, async () => {
      for (const name of ['plain', 'locked']) {
        chmodSync(at(name), mode);
        await assert.rejects(readKeyFile(at(name), nobody), refusedWith(/mode 0.*chmod 600/));
        chmodSync(at(name), 0o600);
      }
    });
  }

  test('of OpenSSH are read, with a passphrase and without', async () => {
    const open = sshKey('ssh-open');
    const locked = sshKey('ssh-locked', ['-t', 'ed25519', '-N', PHRASE]);
    const line = (of: string) => readFileSync(`${of}.pub`, 'utf8').trim();
    const read = async (of: string, ask: AskPassphrase) =>
      publicKeyLine(rawPublicKey(await readKeyFile(of, ask)), 'anna@desk');
    assert.equal(await read(open, nobody), line(open));
    assert.equal(await read(locked, saying(PHRASE)), line(locked));
    assert.deepEqual([isEncryptedKey(open), isEncryptedKey(locked)], [false, true]);
    await assert.rejects(readKeyFile(locked, saying('wrong')), refusedWith(/wrong passphrase/));
  });

  /** Its header says that it holds none. */
  const noKeyOfOpenSsh =
    '-----BEGIN OPENSSH PRIVATE KEY-----\n' +
    'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAA\n' +
    '-----END OPENSSH PRIVATE KEY-----\n';
  const BAD: readonly [string, () => string, RegExp][] = [
    ['there is none', () => at('absent'), /no such file/],
    ['a folder', () => dir, /is not a file/],
    ['text', () => write('text', 'hello'), /not a private key/],
    ['an OpenSSH file without a key', () => write('none', noKeyOfOpenSsh), /not a private key/],
    [
      'a public key',
      () => write('pub-copy', readFileSync(at('plain.pub'))),
      /: a public key; what/,
    ],
    ['more than any key has', () => write('big', 'x'.repeat(70_000)), /not a private key/],
    ['P-256', () => write('ec', ecPem()), /type ec; only Ed25519/],
    ['RSA of OpenSSH', () => sshKey('rsa', ['-t', 'rsa', '-b', '2048', '-N', '']), /type ssh-rsa/],
    [
      'an age file cut off',
      () => write('cut', readFileSync(at('locked'), 'utf8').slice(0, 200)),
      /damaged age file/,
    ],
    [
      'an age file for somebody’s key',
      () => write('recipient', ageToKey()),
      /encrypted to a key, not with a passphrase/,
    ],
    [
      'an age file with another content',
      () => write('other', ageOf('not a key at all')),
      /not a private key/,
    ],
  ];
  for (const [sentence, path, pattern] of BAD) {
    test(`refused: ${sentence}`, async () => {
      await assert.rejects(readKeyFile(path(), saying(PHRASE)), refusedWith(pattern));
    });
  }

  function write(name: string, content: string | Buffer): string {
    writeFileSync(at(name), content, { mode: 0o600 });
    return at(name);
  }
  const ecPem = () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
  function ageToKey(): string {
    const script =
      "import { armor, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';" +
      'const e = new Encrypter(); e.addRecipient(await identityToRecipient(await generateIdentity()));' +
      "process.stdout.write(armor.encode(await e.encrypt('x')));";
    const args = ['--input-type=module', '-e', script];
    return execFileSync(process.execPath, args, { encoding: 'utf8', cwd: process.cwd() });
  }
  function ageOf(text: string): string {
    const script =
      "import { armor, Encrypter } from 'age-encryption'; const e = new Encrypter();" +
      `e.setPassphrase('${PHRASE}'); e.setScryptWorkFactor(10);` +
      `process.stdout.write(armor.encode(await e.encrypt('${text}')));`;
    const args = ['--input-type=module', '-e', script];
    return execFileSync(process.execPath, args, { encoding: 'utf8', cwd: process.cwd() });
  }
});

describe('public keys', () => {
  const rows: readonly [string, () => string][] = [
    ['hex', () => publicKey],
    ['a line', () => publicKeyLine(publicKey, 'x')],
    ['a .pub file', () => at('plain.pub')],
    ['the private key file', () => at('plain')],
    ['the private key file with a passphrase, by the .pub beside it', () => at('locked')],
    ['a PUBLIC KEY PEM', () => pemFile()],
  ];
  for (const [sentence, spec] of rows) {
    test(`are read from ${sentence}`, async () => {
      assert.equal((await readPublicKey(spec(), access)).publicKey, publicKey);
    });
  }
  test('are refused when they are none, or of small order', async () => {
    const none = '0'.repeat(64);
    await assert.rejects(readPublicKey(none, access), refusedWith(/no such file/));
    await assert.rejects(readPublicKey(dir, access), refusedWith(/EISDIR/));
    const zero = publicKeyLine(none, 'x');
    await assert.rejects(readPublicKey(zero, access), refusedWith(/no such file/));
  });
  function pemFile(): string {
    const pem = execFileSync('openssl', ['pkey', '-in', at('plain'), '-pubout']);
    writeFileSync(at('public.pem'), pem);
    return at('public.pem');
  }
});

describe('ssh-agent', () => {
  let agent: { socket: string; pid: number };
  before(() => {
    const socket = at('agent.sock');
    const told = execFileSync('ssh-agent', ['-a', socket], { encoding: 'utf8' });
    agent = { socket, pid: Number(/SSH_AGENT_PID=(\d+)/.exec(told)?.[1]) };
    for (const [name, comment] of [
      ['one', 'anna'],
      ['two', 'ben'],
    ] as const) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', at(name)]);
      add(name);
    }
    add('rsa');
  });
  after(() => process.kill(agent.pid));
  const add = (name: string) =>
    execFileSync('ssh-add', ['-q', at(name)], { env: { SSH_AUTH_SOCK: agent.socket } });
  const signer = (spec: string) =>
    readSigner(spec, { passphrase: nobody, agentSocket: agent.socket });

  test('signs what a threshold of keys is counted over', async () => {
    const payload = Buffer.from(canonicalJson({ any: 'document' }));
    const signers = [await signer('ssh-agent:anna'), await signer('ssh-agent:ben')];
    const envelope = await sealWith('root', payload, signers);
    const opened = openEnvelope(envelope, { kind: 'root', bytesMax: 10_000 });
    assert.ok(opened.ok);
    const keys = signers.map(one => ({ id: keyId(one.publicKey), publicKey: one.publicKey }));
    assert.equal(countSignatures('root', opened.value, keys), 2);
    assert.equal(countSignatures('bundle', opened.value, keys), 0);
  });

  test('a key is meant by the beginning of its id, its comment or its fingerprint', async () => {
    const { publicKey: anna } = await readPublicKey(at('one.pub'), access);
    const listed = execFileSync('ssh-keygen', ['-l', '-f', at('one.pub')], { encoding: 'utf8' });
    const fingerprint = listed.split(' ')[1] ?? '';
    for (const selector of ['anna', keyId(anna).slice(0, 8), keyId(anna), fingerprint]) {
      assert.equal((await signer(`ssh-agent:${selector}`)).publicKey, anna, selector);
    }
  });

  test('what means none or several is refused, with the keys that there are', async () => {
    const several = refusedWith(/no selector means 2 .*\n.*SHA256:\S+ {2}anna\n.* ben/);
    await assert.rejects(signer('ssh-agent'), several);
    await assert.rejects(signer('ssh-agent:carl'), refusedWith(/"carl" means 0/));
  });

  test('no agent, or none at that socket, is said', async () => {
    await assert.rejects(readSigner('ssh-agent', access), refusedWith(/SSH_AUTH_SOCK is not set/));
    const dead = { ...access, agentSocket: at('nowhere') };
    await assert.rejects(readSigner('ssh-agent', dead), refusedWith(/does not answer/));
  });

  test('a locked agent is said', async () => {
    const one = await signer('ssh-agent:anna');
    execFileSync('ssh-add', ['-D'], { env: { SSH_AUTH_SOCK: agent.socket }, stdio: 'ignore' });
    await assert.rejects(
      one.sign(Buffer.from('x')),
      refusedWith(/does not hold that key any more/),
    );
    await assert.rejects(signer('ssh-agent:anna'), refusedWith(/holds no Ed25519 key/));
  });
});

describe('passphrases', () => {
  const asking = (...answers: (string | null)[]) => ({
    file: undefined,
    askSecret: async () => answers.shift() ?? null,
  });
  const file = (content: string, mode = 0o600) => {
    writeFileSync(at('phrase'), content);
    chmodSync(at('phrase'), mode);
    return at('phrase');
  };

  test('come from a file of one line that others cannot read', () => {
    assert.equal(readPassphraseFile(file(`${PHRASE}\n`)), PHRASE);
    assert.equal(readPassphraseFile(file(` ${PHRASE} \r\n`)), ` ${PHRASE} `);
    assert.throws(() => readPassphraseFile(file(PHRASE, 0o644)), refusedWith(/chmod 600/));
    assert.throws(() => readPassphraseFile(file('\n')), refusedWith(/no passphrase in it/));
    assert.throws(() => readPassphraseFile(file('a\nb')), refusedWith(/one line/));
    assert.throws(() => readPassphraseFile(at('absent')), refusedWith(/no such file/));
  });

  test('come from a person, twice when a key is made', async () => {
    assert.equal(await newPassphrase('k', asking(PHRASE, PHRASE)), PHRASE);
    await assert.rejects(newPassphrase('k', asking(PHRASE, 'other')), refusedWith(/differ/));
    await assert.rejects(newPassphrase('k', asking('short')), refusedWith(/shorter than 8/));
    await assert.rejects(newPassphrase('k', asking(null)), refusedWith(/--no-passphrase/));
    assert.equal(await passphraseFor(asking('x'))('k'), 'x');
    await assert.rejects(passphraseFor(asking(null))('k'), refusedWith(/--passphrase-file/));
  });
});
