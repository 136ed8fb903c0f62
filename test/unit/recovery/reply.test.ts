/** Answers in pieces: what is cut comes together again, and nothing else does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { ReplyDocument } from '../../../protocol/documents/node.js';
import { seal } from '../../../protocol/envelope.js';
import { MESSAGE_BYTES_MAX } from '../../../protocol/limits.js';
import { PIECE_BYTES, PieceGatherer, piecesOf, type Piece } from '../../../protocol/reply.js';
import { FLEET, NODE } from '../../support/fleet.js';

const MAX = 10 * PIECE_BYTES;

function gathered(pieces: readonly Piece[], max = MAX) {
  const gatherer = new PieceGatherer(max);
  return pieces.map(piece => gatherer.add(piece)).at(-1);
}

for (const size of [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7]) {
  test(`${size} bytes come together, in any order and twice`, () => {
    const bytes = randomBytes(size);
    const pieces = piecesOf(bytes);
    assert.deepEqual(gathered(pieces), bytes);
    const gatherer = new PieceGatherer(MAX);
    const twice = pieces.flatMap(piece => [piece, piece]).reverse();
    const whole = twice.map(piece => gatherer.add(piece)).filter(result => result !== 'more');
    assert.deepEqual(whole, [bytes]);
  });
}

test('the largest piece fits into a message', () => {
  const [piece] = piecesOf(randomBytes(2 * PIECE_BYTES));
  const document: ReplyDocument = {
    ...{
      fleet: FLEET,
      node: 'n'.repeat(63),
      journal: 'a'.repeat(32),
      boot: Number.MAX_SAFE_INTEGER,
    },
    ...{ counter: Number.MAX_SAFE_INTEGER, request: 'b'.repeat(32) },
    ...(piece as Piece),
  };
  assert.ok(seal('reply', document, [NODE]).byteLength <= MESSAGE_BYTES_MAX);
});

test('nothing of that name is one piece that says so', () => {
  assert.equal(gathered(piecesOf(null)), 'absent');
});

const base: Piece = { n: 0, last: false, found: true, data: 'AAAA' };
const bad: readonly [string, readonly Piece[]][] = [
  ['no base64', [{ ...base, data: 'A' }]],
  ['loose end bits', [{ ...base, data: 'YR==' }]],
  ['a number beyond the limit', [{ ...base, n: 11 }]],
  ['more bytes than the limit', piecesOf(randomBytes(MAX + 1))],
  ['"not found" with content', [{ ...base, found: false, last: true }]],
  [
    'a piece behind the last',
    [
      { ...base, n: 2 },
      { ...base, n: 3 },
      { ...base, n: 1, last: true },
    ],
  ],
];
for (const [what, pieces] of bad)
  test(`refused: ${what}`, () => assert.equal(gathered(pieces), 'bad'));
