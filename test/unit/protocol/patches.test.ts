/** What travels with an assignment: read as it was written, and of what is damaged nothing but the envelope. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { openEnvelope, sealPacked } from '../../../protocol/envelope.js';
import {
  namedBlobs,
  patchedContent,
  patchedEnvelope,
  unwrapped,
  withPatches,
} from '../../../protocol/patches.js';
import {
  assignmentDocument,
  bundleDocument,
  HUB,
  podManifest,
  signer,
} from '../../support/fleet.js';
import { patchFrom, type MadeRevision } from '../../support/patched.js';

function revision(number: number, count = 3): MadeRevision {
  const pods = Array.from({ length: count }, (_, n) =>
    podManifest(`app-${n}`, n === 1 ? `web:${number}` : 'web:1'),
  );
  return { pods, document: bundleDocument(pods, { revision: number }) };
}

const ENVELOPE = sealPacked('assignment', assignmentDocument(), [HUB]);
const [ONE, TWO] = [revision(1), revision(2)];
const payloadOf = ({ document }: MadeRevision) => Buffer.from(canonicalJson(document));
const named = (payload: Buffer) => ({ digest: sha256Hex(payload), size: payload.byteLength });

describe('patches behind an envelope', () => {
  test('come out as they went in, and make envelope and blobs', () => {
    const signers = [signer('one'), signer('two')];
    const body = patchFrom(ONE, TWO, { signers });
    const { envelope, patches } = unwrapped(withPatches(ENVELOPE, [{ bundle: 3, body }]));
    assert.deepEqual(Buffer.from(envelope), ENVELOPE);
    const [patch] = patches;
    assert.ok(patch);
    assert.equal(patch.bundle, 3);
    assert.equal(patch.base, sha256Hex(payloadOf(ONE)).slice(0, 16));
    const made = patchedEnvelope(patch, payloadOf(ONE), named(payloadOf(TWO)));
    const opened = made && openEnvelope(made, { kind: 'bundle', bytesMax: 1 << 20 });
    assert.ok(opened?.ok);
    assert.deepEqual(opened.value.payload, payloadOf(TWO));
    assert.equal(opened.value.signatures.length, 2);
    const [blob] = patch.blobs;
    assert.ok(blob && patch.blobs.length === 1);
    const target = namedBlobs(TWO.document)[blob.index];
    assert.ok(target);
    const former = Buffer.from(canonicalJson(ONE.pods[1]));
    const content = patchedContent(former, blob.delta, target);
    assert.equal(content?.toString(), canonicalJson(TWO.pods[1]));
  });

  test('none leave the envelope as it is', () => {
    assert.deepEqual(withPatches(ENVELOPE, []), ENVELOPE);
    assert.deepEqual(unwrapped(ENVELOPE), { envelope: ENVELOPE, patches: [] });
  });

  test('that do not fit are left out, blobs before the document', () => {
    const whole = patchFrom(ONE, TWO);
    const less = patchFrom(ONE, TWO, { bytesMax: whole.byteLength - 1 });
    const [patch] = unwrapped(withPatches(ENVELOPE, [{ bundle: 0, body: less }])).patches;
    assert.equal(patch?.blobs.length, 0);
    assert.throws(() => patchFrom(ONE, TWO, { bytesMax: 64 }), /no patch/);
  });

  test('cut anywhere leave the envelope, and no patch that is not whole', () => {
    const bodies = [patchFrom(ONE, TWO), patchFrom(TWO, ONE)];
    const whole = withPatches(
      ENVELOPE,
      bodies.map((body, bundle) => ({ bundle, body })),
    );
    for (let end = ENVELOPE.byteLength + 3; end < whole.byteLength; end++) {
      const { envelope, patches } = unwrapped(whole.subarray(0, end));
      assert.deepEqual(Buffer.from(envelope), ENVELOPE);
      const isFirstWhole = end >= whole.byteLength - (bodies[1]?.byteLength ?? 0) - 3;
      assert.ok(patches.length <= Number(isFirstWhole), `${patches.length} of ${end} bytes`);
    }
  });

  test('with an envelope that is longer than all of it are no envelope', () => {
    const short = Buffer.from([0xa1, 0xff, 0x01, 1, 2, 3]);
    assert.deepEqual(unwrapped(short), { envelope: short, patches: [] });
  });

  test('on another base make nothing', () => {
    const [patch] = unwrapped(
      withPatches(ENVELOPE, [{ bundle: 0, body: patchFrom(ONE, TWO) }]),
    ).patches;
    assert.ok(patch);
    const base = payloadOf(revision(1, 4));
    assert.equal(patchedEnvelope(patch, base, named(payloadOf(TWO))), null);
    assert.equal(
      patchedEnvelope(patch, payloadOf(ONE), { ...named(payloadOf(TWO)), size: 10 }),
      null,
    );
  });
});
