/** Sealed Secrets: what a node opens, and what it refuses (S87, S88, S90, S91). Files of the `age` program and of typage. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bech32 } from '@scure/base';
import { ageRecipient, sealFor, SecretTooLarge } from '../../../hub/secrets/seal.js';
import { openAge } from '../../../protocol/age.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { seal } from '../../../protocol/envelope.js';
import { openSealed, openSecret } from '../../../protocol/verify-secret.js';
import { HUB, idOf, NODE_NAME, rootDocument, signer, trustedRoot } from '../../support/fleet.js';
import {
  CONTEXT,
  sealedSecret,
  SEALING,
  sealingKey,
  secretContent,
  type Sealing,
} from '../../support/sealed.js';

const root = trustedRoot();
const reader = { node: NODE_NAME, sealingKeys: [SEALING.key] };

async function codeOf(options: Sealing, listed: object = {}, of = root): Promise<string> {
  const { envelope, assigned } = await sealedSecret(options);
  const result = openSecret(envelope, {
    root: of,
    assigned: { ...assigned, ...listed },
    ...reader,
  });
  return result.ok ? 'accepted' : result.refusal.code;
}

describe('a sealed secret', () => {
  test('that is listed and sealed for this node is accepted, and opens to its values', async () => {
    const { document } = await sealedSecret({ data: { a: 'one', 'b.txt': 'two\n' } });
    const opened = openSealed(document, reader);
    assert.ok(opened.ok);
    const texts = [...opened.value.data].map(([key, bytes]) => [key, String(bytes)]);
    assert.deepEqual(texts, [
      ['a', 'one'],
      ['b.txt', 'two\n'],
    ]);
    assert.equal(opened.value.type, 'Opaque');
    opened.value.wipe();
    assert.ok([...opened.value.data.values()].every(bytes => bytes.every(byte => byte === 0)));
    assert.equal(await codeOf({}), 'accepted');
  });

  const rows: Record<string, [Sealing, string, object?]> = {
    'S87 for another node is refused': [{ context: { node: 'edge-2' } }, 'WrongNode'],
    'S87 for another key than this node has is not opened': [
      { to: sealingKey('edge-2') },
      'SecretNotSealed',
    ],
    'S87 that names this node’s key and is sealed for another is refused': [
      {
        to: sealingKey('edge-2'),
        change: { recipient: sha256Hex(Buffer.from(SEALING.publicKey, 'hex')) },
      },
      'Malformed',
    ],
    'S88 of bundle a under the name of bundle b is refused': [
      { context: { bundle: 'b' }, inside: { bundle: 'a' } },
      'MixMatch',
    ],
    'S88 with an older version inside is refused': [
      { context: { version: 3 }, inside: { version: 2 } },
      'MixMatch',
    ],
    'S88 sealed for another namespace is refused': [{ inside: { namespace: 'other' } }, 'MixMatch'],
    'S88 sealed under another name is refused': [{ inside: { name: 'other' } }, 'MixMatch'],
    'S88 sealed for another fleet is refused': [{ inside: { fleet: 'f'.repeat(32) } }, 'MixMatch'],
    'of another version than the assignment lists is refused': [{}, 'MixMatch', { version: 2 }],
    'that is not the listed document is refused': [{}, 'MixMatch', { digest: 'a'.repeat(64) }],
    'S90 signed by somebody else is refused': [{ signer: signer('thief') }, 'BadSignature'],
    'of another fleet is refused': [{ context: { fleet: 'f'.repeat(32) } }, 'WrongFleet'],
    'S91 with a name that has a slash is refused': [{ context: { name: 'a/b' } }, 'Malformed'],
    'S91 with the name .. is refused': [{ context: { name: '..' } }, 'Malformed'],
    'S91 with an empty name is refused': [{ context: { name: '' } }, 'Malformed'],
    'S91 with a name of 300 characters is refused': [
      { context: { name: 'a'.repeat(300) } },
      'Malformed',
    ],
    'S91 with a key that is no file name is refused': [{ data: { '../x': 'y' } }, 'Malformed'],
    'version 0 is refused': [{ context: { version: 0 } }, 'Malformed'],
    'that is no age file is refused': [{ change: { sealed: 'AAAA' } }, 'Malformed'],
    'with loose base64 is refused': [{ change: { sealed: 'YQ==\n' } }, 'Malformed'],
    'with more than the limit is refused': [
      { change: { sealed: 'A'.repeat(43_696) } },
      'Malformed',
    ],
  };
  for (const [sentence, [options, code, listed]] of Object.entries(rows)) {
    test(sentence, async () => assert.equal(await codeOf(options, listed), code));
  }

  test('S90 that the hub signed is refused where the root has a role for secrets', async () => {
    const keeper = signer('keeper of secrets');
    const document = rootDocument();
    const withRole = trustedRoot({
      ...document,
      keys: { ...document.keys, [idOf(keeper)]: keeper.publicKey },
      roles: { ...document.roles, secrets: { threshold: 1, keys: [idOf(keeper)] } },
    });
    assert.equal(await codeOf({ signer: HUB }, {}, withRole), 'BadSignature');
    assert.equal(await codeOf({ signer: keeper }, {}, withRole), 'accepted');
  });

  test('with one bit of its file changed is refused, wherever it is', async () => {
    const { document } = await sealedSecret();
    const file = Buffer.from(document.sealed, 'base64');
    for (let at = 0; at < file.length; at += 3) {
      const spoilt = Buffer.from(file);
      spoilt[at] = (spoilt[at] ?? 0) ^ 1;
      assert.equal(openAge(spoilt, [SEALING.key]), null, `byte ${at}`);
    }
    for (const length of [0, 1, 21, 22, 100, file.length - 1]) {
      assert.equal(openAge(file.subarray(0, length), [SEALING.key]), null, `${length} bytes`);
    }
  });

  test('values that do not fit are refused at the sealer', async () => {
    const large = secretContent({ a: 'x'.repeat(32 * 1024) });
    await assert.rejects(sealFor(SEALING.publicKey, CONTEXT, large), SecretTooLarge);
    const most = secretContent({ a: 'x'.repeat(32 * 1024 - 600) });
    const file = await sealFor(SEALING.publicKey, CONTEXT, most);
    assert.ok(openAge(file, [SEALING.key]));
  });

  test('refused or accepted, no value is in what is said', async () => {
    for (const inside of [{}, { bundle: 'other' }]) {
      const { envelope, assigned } = await sealedSecret({ inside });
      const result = openSecret(envelope, { root, assigned, ...reader });
      assert.doesNotMatch(JSON.stringify(result), /hunter2/);
    }
  });
});

const hasAge = (() => {
  try {
    execFileSync('age', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

describe('the age program', { skip: hasAge ? false : 'age is not installed' }, () => {
  test('opens what is sealed here, and what it seals opens here', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'fl-age-'));
    try {
      const seed = SEALING.key.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
      const identity = bech32.encodeFromBytes('AGE-SECRET-KEY-', seed).toUpperCase();
      writeFileSync(join(dir, 'key'), identity, { mode: 0o600 });
      const file = await sealFor(SEALING.publicKey, CONTEXT, secretContent({ a: 'hunter2' }));
      const args = ['-d', '-i', join(dir, 'key')];
      const shown = execFileSync('age', args, { input: file }).toString();
      assert.match(shown, /^\{"bundle":"shop",.*\}\nhunter2$/);
      const recipients = [
        '-r',
        ageRecipient(SEALING.publicKey),
        '-r',
        ageRecipient(sealingKey('b').publicKey),
      ];
      const made = execFileSync('age', recipients, { input: 'by the program' });
      assert.equal(openAge(made, [SEALING.key])?.toString(), 'by the program');
      assert.equal(openAge(made, [sealingKey('c').key]), null);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

test('a document is known by the digest of its payload', async () => {
  const { document, assigned } = await sealedSecret();
  assert.equal(assigned.digest, sha256Hex(canonicalJson(document)));
  const other = seal('secret', document, [signer('second')]);
  const result = openSecret(other, { root, assigned, ...reader });
  assert.equal(!result.ok && result.refusal.code, 'BadSignature');
});
