/**
 * Everything that comes over the broker as an envelope: the envelope itself as anybody may send it, and each kind of document signed
 * anew by the key that it takes, as somebody with that key may send it.
 */
import { canonicalJson, parseCanonical, sha256Hex } from '../../../protocol/canonical.js';
import type { StandingDocument } from '../../../protocol/documents/node.js';
import {
  DOCUMENT_KINDS,
  envelopeOf,
  openEnvelope,
  packed,
  sealBytes,
  type DocumentKind,
} from '../../../protocol/envelope.js';
import { PAYLOAD_BYTES_MAX } from '../../../protocol/limits.js';
import type { Result } from '../../../protocol/refusal.js';
import { parseStanding, PieceGatherer, piecesOf, type Piece } from '../../../protocol/reply.js';
import type { Verified } from '../../../protocol/verified.js';
import { claimedIdentity, claimedNode } from '../../../protocol/verify-messages.js';
import { claimedRootVersion } from '../../../protocol/verify-root.js';
import { assignmentIn } from '../../../hub/recovery/lessons.js';
import { FLEET, NODE_NAME } from '../../support/fleet.js';
import { kindNamed, openAs, openAsNextRoot, signerOfKind } from '../open-document.js';
import { ACCEPTED, BrokenPromise, parsed, refused, type Outcome, type Target } from '../target.js';
import { wireVectors } from '../vectors.js';

const BYTES_MAX = 4 * PAYLOAD_BYTES_MAX;

function outcomeOf(result: Result<unknown>, isParsed: boolean): Outcome {
  if (result.ok) return ACCEPTED;
  const { code, detail } = result.refusal;
  return isParsed ? parsed(`${code} ${detail}`) : refused(`${code} ${detail}`);
}

function isCanonical(payload: Buffer): boolean {
  return parseCanonical(payload, { bytesMax: BYTES_MAX, what: 'payload' }).ok;
}

/** What is accepted is these bytes and no others, and is the same when it is read once more. */
function holds({ document, digest, size, envelope }: Verified<object>, payload: Buffer): void {
  if (canonicalJson(document) !== payload.toString()) {
    throw new BrokenPromise('the accepted document is not what its payload says');
  }
  if (digest !== sha256Hex(payload) || size !== payload.length) {
    throw new BrokenPromise('the digest or size is not that of the payload');
  }
  if (!isCanonical(envelope)) throw new BrokenPromise('the envelope is kept in another form');
}

function payloadOf(envelope: string): Buffer {
  return Buffer.from((JSON.parse(envelope) as { payload: string }).payload, 'base64');
}

/** The readers that look before a signature can be checked agree with the one that accepts. */
function claimsHold(kind: DocumentKind, bytes: Buffer, payload: Buffer): void {
  if (kind !== 'join' && kind !== 'renew' && kind !== 'rotate') return;
  const claimed = kind === 'join' ? claimedIdentity(bytes) : claimedNode(kind, bytes);
  // They have a smaller limit.
  if (!claimed.ok && payload.length < 4096) {
    throw new BrokenPromise(`accepted, but its claim is refused: ${claimed.refusal.detail}`);
  }
}

function documentTarget(kind: DocumentKind): Target {
  const seeds = wireVectors()
    .filter(vector => vector.kind === kind)
    .map(vector => payloadOf(vector.envelope));
  return {
    name: `document/${kind}`,
    form: 'canonical',
    seeds,
    run: payload => {
      const bytes = sealBytes(kind, payload, [signerOfKind(kind)]);
      const result = openAs(kind, bytes, payload);
      if (result.ok) {
        holds(result.value, payload);
        claimsHold(kind, bytes, payload);
      }
      if (kind === 'root') {
        claimedRootVersion(bytes);
        const next = openAsNextRoot(bytes);
        if (next.ok) holds(next.value, payload);
      }
      return outcomeOf(result, result.ok || isCanonical(payload));
    },
  };
}

function openedEnvelope(bytes: Buffer): Outcome {
  const [, name = ''] = /flotilla\.([a-z]+)\.v1/.exec(bytes.toString('latin1')) ?? [];
  const kind = kindNamed(name) ?? 'assignment';
  const form = openEnvelope(bytes, { kind, bytesMax: BYTES_MAX });
  if (!form.ok) return outcomeOf(form, false);
  const { payload, signatures } = form.value;
  const again = envelopeOf(
    kind,
    payload,
    signatures.map(({ keyid, sig }) => ({ keyid, sig: sig.toString('base64') })),
  );
  if (!again.equals(bytes)) throw new BrokenPromise('an envelope of a second form is opened');
  const result = openAs(kind, bytes, payload);
  if (result.ok) holds(result.value, payload);
  return outcomeOf(result, true);
}

/** As it travels: unpacked it is an envelope of the one form, which packs into what reads the same. */
function openedPacked(bytes: Buffer): Outcome {
  const name = bytes.toString('latin1', 2, 2 + (bytes[1] ?? 0));
  const kind = kindNamed(name) ?? 'assignment';
  const form = openEnvelope(bytes, { kind, bytesMax: BYTES_MAX });
  if (!form.ok) return outcomeOf(form, false);
  const { envelope, payload } = form.value;
  const again = openEnvelope(packed(kind, envelope), { kind, bytesMax: BYTES_MAX });
  if (!again.ok || !again.value.envelope.equals(envelope) || !isCanonical(envelope)) {
    throw new BrokenPromise('what was unpacked is packed into something else');
  }
  const result = openAs(kind, bytes, payload);
  if (result.ok) holds(result.value, payload);
  return outcomeOf(result, true);
}

const standing: StandingDocument = {
  ...{ epoch: 1, generation: 7, rootVersion: 1 },
  assignment: wireVectors().find(({ kind }) => kind === 'assignment')?.envelope ?? '',
  revisions: [{ namespace: 'default', name: 'shop', revision: 1, digest: 'a'.repeat(64) }],
  secrets: [
    { namespace: 'default', bundle: 'shop', name: 'db', version: 2, digest: 'b'.repeat(64) },
  ],
  sealingKey: 'c'.repeat(64),
};

function readStanding(input: Buffer): Outcome {
  const result = parseStanding(input);
  if (!result.ok) return outcomeOf(result, isCanonical(input));
  if (canonicalJson(result.value) !== input.toString()) {
    throw new BrokenPromise('a standing that is not what its bytes say');
  }
  const found = assignmentIn(result.value, { fleet: FLEET, node: NODE_NAME });
  if (found !== null && found.document.node !== NODE_NAME) {
    throw new BrokenPromise('the assignment of another node is believed');
  }
  return ACCEPTED;
}

/** One byte per piece: which comes next, and what is wrong with it. */
function gatherPieces(input: Buffer): Outcome {
  const whole = Buffer.concat([input, Buffer.alloc(60 * 1024, 7)]);
  const pieces = piecesOf(whole);
  const gatherer = new PieceGatherer(whole.length);
  let isHonest = true;
  for (const byte of input) {
    const piece = pieces[byte % pieces.length] as Piece;
    const spoilt = spoil(piece, byte >> 2);
    isHonest &&= spoilt === piece;
    const got = gatherer.add(spoilt);
    if (got === 'bad' || got === 'absent') {
      if (isHonest) throw new BrokenPromise(`honest pieces are ${got}`);
      return parsed(got);
    }
    if (got === 'more') continue;
    if (isHonest && !got.equals(whole)) throw new BrokenPromise('the pieces give other bytes');
    if (got.length > whole.length) throw new BrokenPromise('more than the limit was gathered');
    return ACCEPTED;
  }
  return refused('more');
}

function spoil(piece: Piece, how: number): Piece {
  switch (how) {
    case 1:
      return { ...piece, n: piece.n + 1 };
    case 2:
      return { ...piece, last: !piece.last };
    case 3:
      return { ...piece, found: false };
    case 4:
      return { ...piece, data: piece.data.slice(1) };
    case 5:
      return { ...piece, data: '' };
    case 6:
      return { ...piece, n: Number.MAX_SAFE_INTEGER, last: true };
    default:
      return piece;
  }
}

export function targets(): Target[] {
  return [
    {
      name: 'envelope',
      form: 'json',
      seeds: wireVectors().map(({ envelope }) => Buffer.from(envelope)),
      share: 2,
      run: openedEnvelope,
    },
    {
      name: 'envelope/packed',
      form: 'bytes',
      seeds: wireVectors().flatMap(({ kind, envelope }) => {
        const known = kindNamed(kind);
        return known ? [packed(known, Buffer.from(envelope))] : [];
      }),
      share: 1,
      run: openedPacked,
    },
    ...DOCUMENT_KINDS.map(documentTarget),
    {
      name: 'reply/standing',
      form: 'canonical',
      seeds: [Buffer.from(canonicalJson(standing))],
      run: readStanding,
    },
    {
      name: 'reply/pieces',
      form: 'bytes',
      seeds: [Buffer.from([0, 1, 2]), Buffer.from([1, 0])],
      share: 0.1,
      run: gatherPieces,
    },
  ];
}
