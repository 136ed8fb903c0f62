/** Last words sealed to the hub: small age files, which everybody's age opens, and what they are bound to. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bech32 } from '@scure/base';
import { Decrypter } from 'age-encryption';
import { openAge } from '../../../protocol/age.js';
import { SEALED_TEXT_BYTES_MAX, sealAge } from '../../../protocol/age-seal.js';
import { canonicalJson } from '../../../protocol/canonical.js';
import {
  encodeLastWords,
  openLastWords,
  quotedLines,
  readLastWords,
  sealLastWords,
} from '../../../protocol/last-words.js';
import { FLEET, NODE_NAME } from '../../support/fleet.js';
import { sealingKey } from '../../support/sealed.js';

const HUB = sealingKey('hub');
const CONTEXT = { fleet: FLEET, node: NODE_NAME, namespace: 'default', name: 'shop' };
const WORDS = {
  digest: 'd'.repeat(64),
  pod: 'default/shop-edge-1',
  container: 'app',
  text: 'no such table: users\n',
};

function identity(): string {
  const seed = HUB.key.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  return bech32.encodeFromBytes('AGE-SECRET-KEY-', seed).toUpperCase();
}

describe('a small age file', () => {
  for (const size of [0, 1, 2048, SEALED_TEXT_BYTES_MAX]) {
    test(`of ${size} bytes is opened here and by the library`, async () => {
      const plain = Buffer.alloc(size, 'x');
      const file = sealAge(plain, HUB.publicKey);
      assert.ok(file);
      assert.deepEqual(openAge(file, [HUB.key]), plain);
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity());
      assert.deepEqual(Buffer.from(await decrypter.decrypt(file)), plain);
    });
  }

  test(
    'is opened by the program age',
    { skip: spawnSync('age', ['--version']).status !== 0 },
    () => {
      const dir = mkdtempSync(join(tmpdir(), 'flotilla-words-'));
      try {
        writeFileSync(join(dir, 'key'), identity(), { mode: 0o600 });
        const input = sealAge(Buffer.from('hunter2'), HUB.publicKey) ?? '';
        const shown = execFileSync('age', ['-d', '-i', join(dir, 'key')], { input });
        assert.equal(shown.toString(), 'hunter2');
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
  );

  test('is another each time, and is opened by no other key and with no bit changed', () => {
    const [one, two] = [1, 2].map(() => sealAge(Buffer.from('hunter2'), HUB.publicKey));
    assert.ok(one && two);
    assert.notDeepEqual(one, two);
    assert.equal(openAge(one, [sealingKey('another').key]), null);
    for (const at of [30, one.length - 30, one.length - 1]) {
      const spoilt: Buffer = Buffer.from(one);
      spoilt[at] = (spoilt[at] ?? 0) ^ 1;
      assert.equal(openAge(spoilt, [HUB.key]), null, `byte ${at}`);
    }
  });

  test('is not made of too much, nor for a key of small order', () => {
    const large = Buffer.alloc(SEALED_TEXT_BYTES_MAX + 1);
    assert.throws(() => sealAge(large, HUB.publicKey), /8193 bytes to seal, the limit is 8192/);
    assert.equal(sealAge(Buffer.from('x'), '00'.repeat(32)), null);
    assert.equal(sealAge(Buffer.from('x'), 'no key'), null);
  });
});

describe('last words', () => {
  const sealed = (text = WORDS.text, context = CONTEXT) => {
    const output = sealLastWords(context, { ...WORDS, text }, HUB.publicKey);
    assert.ok(output);
    assert.ok(output.sealed.length <= 12_288);
    return output;
  };
  const opened = (output: ReturnType<typeof sealed>, context = CONTEXT, key = HUB.key) => {
    const result = openLastWords(output, context, key);
    return result.ok ? result.value : result.refusal.detail;
  };

  test('come back as they were said', () => {
    assert.deepEqual(opened(sealed()), WORDS);
  });

  for (const [what, text] of [
    ['many characters', 'a'.repeat(5000)],
    ['three bytes each', '語'.repeat(2048)],
    ['control characters', '\u0001'.repeat(2048)],
    ['surrogates', '😀'.repeat(1500)],
  ] as const) {
    test(`that are too long are cut to their end: ${what}`, () => {
      const words = opened(sealed(`${text}END`));
      assert.ok(typeof words === 'object' && words.text.endsWith('END'));
      assert.ok(words.text.length > 1000 && words.text.length <= 2048, `${words.text.length}`);
    });
  }

  for (const field of ['fleet', 'node', 'namespace', 'name'] as const) {
    test(`of another ${field} are refused`, () => {
      const foreign = sealed('hunter2', { ...CONTEXT, [field]: 'other' });
      assert.equal(opened(foreign), `they were sealed for another ${field} than the event says`);
    });
  }

  test('sealed to a former key say so, and what is garbage does', () => {
    const { key } = sealingKey('made by hub recover');
    assert.equal(opened(sealed(), CONTEXT, key), 'sealed to a former key of the hub');
    const garbage = { ...sealed(), sealed: 'AAAA' };
    assert.equal(opened(garbage), 'what was sealed cannot be opened');
  });

  for (const [what, value] of [
    ['no object', []],
    ['a field more', { ...CONTEXT, ...WORDS, more: 1 }],
    ['a field less', { ...CONTEXT, ...WORDS, pod: undefined }],
    ['no text', { ...CONTEXT, ...WORDS, text: 1 }],
    ['a text too long', { ...CONTEXT, ...WORDS, text: 'a'.repeat(2049) }],
  ] as const) {
    test(`in another form are refused: ${what}`, () => {
      const plain = Buffer.from(canonicalJson(JSON.parse(JSON.stringify(value))));
      const result = readLastWords(plain, CONTEXT);
      assert.equal(!result.ok && result.refusal.code, 'Malformed');
      assert.equal(readLastWords(encodeLastWords(CONTEXT, WORDS), CONTEXT).ok, true);
    });
  }

  test('are shown line by line, without what moves a cursor', () => {
    assert.deepEqual(quotedLines('a\n\n\u001b[2Jb\r\n', '  '), ['  | a', '  | [2Jb']);
  });
});
