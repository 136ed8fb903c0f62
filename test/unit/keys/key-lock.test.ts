/** Keys encrypted at rest: what lies on disk, what opens it, how it is changed, what a cut-off change leaves. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { generateX25519Identity } from 'age-encryption';
import { readSigner } from '../../../hub/signing/signer.js';
import { CliError } from '../../../protocol/cli-error.js';
import { initHub } from '../../../hub/setup/init.js';
import {
  changeKeyLock,
  isLocked,
  openKeyLock,
  removeKeyLock,
  type KeyLock,
} from '../../../hub/setup/key-lock.js';
import { useKeySecret } from '../../../hub/setup/keys.js';
import { loadHub } from '../../../hub/setup/load.js';
import { SetupError, type SetupErrorCode } from '../../../hub/setup/setup-error.js';
import { MovableClock, QUIET_HOST } from '../../support/hub-fixture.js';

const clock = new MovableClock();
const lock: KeyLock = { kind: 'passphrase', passphrase: 'correct horse' };
let directory: string;
let dataDir: string;

const init = (of?: KeyLock) =>
  initHub({ dataDir, host: QUIET_HOST, clock, random: randomBytes, lock: of });
/** As another program that knows nothing yet. */
const forget = () => useKeySecret(dataDir, null);
const pems = () =>
  readdirSync(join(dataDir, 'keys'))
    .filter(name => name.endsWith('.key'))
    .map(name => readFileSync(join(dataDir, 'keys', name), 'utf8'));
const areEncrypted = () =>
  pems().map(pem => pem.startsWith('-----BEGIN ENCRYPTED PRIVATE KEY-----'));

function withCode(code: SetupErrorCode, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SetupError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-lock-'));
  dataDir = join(directory, 'hub');
});
afterEach(() => {
  forget();
  rmSync(directory, { recursive: true });
});

/** Somebody signs with one of the hub's keys, and is asked for the passphrase; null: nobody is there to be asked. */
const signerOf = (name: string, secret: string | null, identityFile?: string) =>
  readSigner(join(dataDir, 'keys', name), {
    passphrase: async what => {
      assert.equal(what, `the keys in ${dataDir}`);
      if (secret === null) throw new Error('nobody is asked');
      return secret;
    },
    ...{ identityFile, agentSocket: undefined },
  });
const refused = (text: RegExp) => (error: unknown) =>
  error instanceof CliError && text.test(`${error.message}\n${error.hint ?? ''}`);

/** An age key of its own: where it is not the passphrase that is told of, it saves the second that each look at one costs. */
const ageKey = async () =>
  ({ kind: 'identity', identity: await generateX25519Identity() }) as const;

describe('keys of a hub', () => {
  test('made with a passphrase are all encrypted, TLS keys included, and open with it alone', async () => {
    await init(lock);
    assert.equal(areEncrypted().length, 7);
    assert.ok(areEncrypted().every(Boolean));
    assert.equal(statSync(join(dataDir, 'keys/unlock.age')).mode & 0o777, 0o600);
    const { hubSigner, rootSigner } = loadHub(dataDir);
    forget();
    assert.throws(() => loadHub(dataDir), withCode('Locked', /--passphrase-file/));
    const wrong: KeyLock = { kind: 'passphrase', passphrase: 'wrong' };
    await assert.rejects(
      openKeyLock(dataDir, wrong),
      withCode('WrongPassphrase', /wrong passphrase/),
    );
    await openKeyLock(dataDir, lock);
    assert.equal(loadHub(dataDir).hubSigner.publicKey, hubSigner.publicKey);
    forget();
    const signer = await signerOf('root.key', 'correct horse');
    assert.equal(signer.publicKey, rootSigner?.publicKey, 'and whoever signs is asked for it');
    await assert.rejects(signerOf('root.key', 'wrong'), refused(/wrong passphrase/));
  });

  test('open with a key file that lies elsewhere, and with no other', async () => {
    const own = await ageKey();
    await init(own);
    const { rootSigner } = loadHub(dataDir);
    forget();
    await assert.rejects(
      openKeyLock(dataDir, await ageKey()),
      withCode('WrongPassphrase', /wrong key file/),
    );
    await openKeyLock(dataDir, own);
    loadHub(dataDir);
    forget();
    await assert.rejects(signerOf('root.key', null), refused(/for an age key\n.*--key-file FILE/));
    const file = join(directory, 'age.key');
    writeFileSync(file, `${own.identity}\n`, { mode: 0o600 });
    assert.equal((await signerOf('root.key', null, file)).publicKey, rootSigner?.publicKey);
    await assert.rejects(signerOf('mqtt.key', null, file), refused(/only Ed25519 signs/));
  });

  test('that were plain become encrypted; what opens them changes; they become plain again', async () => {
    await init();
    const { hubSigner } = loadHub(dataDir);
    await changeKeyLock(dataDir, { from: null, to: lock });
    assert.ok(areEncrypted().every(Boolean));
    const next = await ageKey();
    await assert.rejects(
      changeKeyLock(dataDir, { from: null, to: next }),
      withCode('Locked', /former passphrase/),
    );
    await changeKeyLock(dataDir, { from: lock, to: next });
    forget();
    await assert.rejects(openKeyLock(dataDir, lock), withCode('WrongPassphrase', /wrong/));
    await openKeyLock(dataDir, next);
    assert.equal(loadHub(dataDir).hubSigner.publicKey, hubSigner.publicKey);
    await removeKeyLock(dataDir, next);
    assert.ok(!isLocked(dataDir));
    assert.ok(!areEncrypted().some(Boolean));
    loadHub(dataDir);
    await assert.rejects(openKeyLock(dataDir, lock), withCode('BadSetting', /not encrypted/));
  });

  test('half encrypted by a change that was cut off read well, and the change can be begun again', async () => {
    await init();
    const plain = readFileSync(join(dataDir, 'keys/hub.key'));
    const own = await ageKey();
    await changeKeyLock(dataDir, { from: null, to: own });
    writeFileSync(join(dataDir, 'keys/hub.key'), plain);
    forget();
    await openKeyLock(dataDir, own);
    loadHub(dataDir);
    await changeKeyLock(dataDir, { from: own, to: own });
    assert.ok(areEncrypted().every(Boolean));
  });

  test('with a damaged lock say so', async () => {
    const own = await ageKey();
    await init(own);
    writeFileSync(join(dataDir, 'keys/unlock.age'), 'nonsense');
    await assert.rejects(openKeyLock(dataDir, own), withCode('Corrupt', /damaged age file/));
  });
});
