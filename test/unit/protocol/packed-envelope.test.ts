/** Envelopes as they travel: the same envelope again, never more than the limit, and no other code than its JSON would get. */
import assert from 'node:assert/strict';
import { deflateRawSync } from 'node:zlib';
import { describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import {
  DOCUMENT_KINDS,
  openEnvelope,
  packed,
  seal,
  sealPacked,
  type DocumentKind,
} from '../../../protocol/envelope.js';
import { PACKED_DICTIONARY } from '../../../protocol/packed-dictionary.js';
import { signer } from '../../support/fleet.js';
import { fc } from '../../support/properties.js';

const SIGNERS = [signer('one'), signer('two')];
const LIMIT = 64 * 1024;

const status = {
  conditions: [{ status: 'True', type: 'Ready' }],
  node: 'edge-1',
  pods: { 'default/web-edge-1': { digest: 'a'.repeat(64), phase: 'Running', ready: true } },
};
const open = (bytes: Uint8Array, kind: DocumentKind = 'status', bytesMax = LIMIT) =>
  openEnvelope(bytes, { kind, bytesMax });
const codeOf = (bytes: Uint8Array, kind?: DocumentKind, bytesMax?: number) => {
  const opened = open(bytes, kind, bytesMax);
  return opened.ok ? 'accepted' : opened.refusal.code;
};
const bomb = (size: number) =>
  Buffer.concat([
    sealPacked('status', status, SIGNERS.slice(0, 1)).subarray(0, 2 + 'status'.length + 1 + 96),
    deflateRawSync(Buffer.alloc(size, 0x20), { level: 9 }),
  ]);

describe('a packed envelope', () => {
  test('is less than half of its JSON, and is the same JSON again', () => {
    const envelope = seal('status', status, SIGNERS);
    const short = packed('status', envelope);
    assert.ok(short.byteLength * 2 < envelope.byteLength, `${short.byteLength} bytes`);
    const opened = open(short);
    assert.ok(opened.ok);
    assert.deepEqual(opened.value.envelope, envelope);
    assert.deepEqual(opened, open(envelope));
  });

  test('packed twice it is packed once', () => {
    const short = sealPacked('status', status, SIGNERS);
    assert.deepEqual(packed('status', short), short);
  });

  test('any document of any kind comes out as it went in', () => {
    const documents = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    const kinds = fc.constantFrom(...DOCUMENT_KINDS);
    fc.assert(
      fc.property(kinds, documents, (kind, document) => {
        const envelope = seal(kind, document, SIGNERS);
        const opened = open(packed(kind, envelope), kind);
        assert.ok(opened.ok);
        assert.deepEqual(opened.value.envelope, envelope);
      }),
    );
  });

  test('what is no envelope travels as it is', () => {
    for (const text of ['', '{}', 'hello', canonicalJson(status)]) {
      assert.equal(packed('status', Buffer.from(text)).toString(), text);
    }
  });

  test('its dictionary is part of the form: these very letters', () => {
    assert.equal(
      sha256Hex(PACKED_DICTIONARY),
      '8bfafa5068252940e5b73cec96fd016aaa6a2013ec98f59d1f7549c6827a585f',
    );
  });
});

const good = sealPacked('status', status, SIGNERS.slice(0, 1));
const changed = (at: number, byte: number) => {
  const bytes = Buffer.from(good);
  bytes[at] = byte;
  return bytes;
};
const ROWS: readonly [string, Uint8Array, string][] = [
  ['as it was packed', good, 'accepted'],
  ['of another kind than the topic carries', sealPacked('event', status, SIGNERS), 'WrongType'],
  ['of a kind that nobody knows', changed(2, 0x7a), 'Malformed'],
  ['of a later version of the form', changed(0, 0xe2), 'Malformed'],
  ['without a signature', changed(2 + 'status'.length, 0), 'Malformed'],
  ['with more signatures than it has bytes', changed(2 + 'status'.length, 200), 'Malformed'],
  ['cut off within its signatures', good.subarray(0, 60), 'Malformed'],
  ['cut off within its payload', good.subarray(0, -5), 'Malformed'],
  ['with more behind it', Buffer.concat([good, Buffer.from('more')]), 'Malformed'],
  ['its first byte alone', good.subarray(0, 1), 'Malformed'],
  ['a bomb of 50 MiB', bomb(50 << 20), 'TooLarge'],
];
for (const [sentence, bytes, code] of ROWS) {
  test(`an envelope ${sentence}: ${code}`, () => assert.equal(codeOf(bytes), code));
}

test('any bytes after a good head are refused or are a payload, and nothing is thrown', () => {
  const head = good.subarray(0, 2 + 'status'.length + 1 + 96);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), tail => {
      const code = codeOf(Buffer.concat([head, tail]));
      assert.ok(['accepted', 'Malformed', 'TooLarge'].includes(code), code);
    }),
  );
});

test('an envelope that is larger than the limit before it is unpacked: TooLarge', () => {
  assert.equal(codeOf(good, 'status', good.byteLength - 1), 'TooLarge');
});

test('a payload to the limit is accepted in either form, one byte more in neither', () => {
  const envelopeMax = seal('status', { text: 'x'.repeat(3000) }, SIGNERS).byteLength;
  for (const [more, code] of [
    [0, 'accepted'],
    [4, 'TooLarge'],
  ] as const) {
    const document = { text: 'x'.repeat(3000 + more) };
    const envelope = seal('status', document, SIGNERS);
    assert.equal(codeOf(envelope, 'status', envelopeMax), code);
    assert.equal(codeOf(packed('status', envelope), 'status', envelopeMax), code);
  }
});
