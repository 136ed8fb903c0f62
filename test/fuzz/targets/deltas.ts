/** What is made of what a reader has, before anything of it is signed or believed: deltas, and the patches behind an assignment. */
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { applyDelta, deltaOf } from '../../../protocol/delta.js';
import { openEnvelope, seal, sealPacked } from '../../../protocol/envelope.js';
import {
  patchedContent,
  patchedEnvelope,
  unwrapped,
  withPatches,
} from '../../../protocol/patches.js';
import { madeWhole, rebased } from '../../../protocol/rebased-envelope.js';
import {
  assignmentDocument,
  bundleDocument,
  HUB,
  podManifest,
  RELEASE,
} from '../../support/fleet.js';
import { patchFrom } from '../../support/patched.js';
import { ACCEPTED, BrokenPromise, parsed, refused, type Outcome, type Target } from '../target.js';

const LIMIT = 16 * 1024;

function revision(number: number) {
  const pods = [podManifest('one', `web:${number}`), podManifest('two')];
  return { pods, document: bundleDocument(pods, { revision: number }) };
}

const [FORMER, NEXT] = [revision(1), revision(2)];
const payloadOf = ({ document }: ReturnType<typeof revision>) =>
  Buffer.from(canonicalJson(document));
const BASE = payloadOf(FORMER);
const NAMED = { digest: sha256Hex(payloadOf(NEXT)), size: payloadOf(NEXT).byteLength };
const ENVELOPE = seal('bundle', NEXT.document, [RELEASE]);

function delta(input: Buffer): Outcome {
  const made = applyDelta(BASE, input, LIMIT);
  if (made === null) return refused('');
  if (made.byteLength > LIMIT) throw new BrokenPromise('more was made than the limit allows');
  const again = applyDelta(BASE, deltaOf(BASE, made), made.byteLength);
  if (!again?.equals(made)) throw new BrokenPromise('its own delta makes something else');
  return ACCEPTED;
}

/** The envelope is a part of what came; what is made has the digest that was named, or is not made. */
function patches(input: Buffer): Outcome {
  const { envelope, patches: found } = unwrapped(input);
  if (!input.includes(Buffer.from(envelope)))
    throw new BrokenPromise('an envelope that did not come');
  if (found.length * 3 > input.byteLength) throw new BrokenPromise('more patches than bytes');
  for (const patch of found) {
    const made = patchedEnvelope(patch, BASE, NAMED);
    const { payload = '' } = made ? (JSON.parse(made.toString()) as { payload: string }) : {};
    if (made && sha256Hex(Buffer.from(payload, 'base64')) !== NAMED.digest) {
      throw new BrokenPromise('an envelope of other content than was named');
    }
    for (const blob of patch.blobs) {
      const content = patchedContent(BASE, blob.delta, NAMED);
      if (content && sha256Hex(content) !== NAMED.digest) {
        throw new BrokenPromise('other content than was named');
      }
    }
    if (made) return ACCEPTED;
  }
  return found.length > 0 ? parsed('') : refused('');
}

/** Made whole it is an envelope of the one form, told again by what the former one said. */
function onFormer(input: Buffer): Outcome {
  const whole = madeWhole('bundle', input, { base: () => BASE, payloadMax: LIMIT });
  if (whole === null) return refused('');
  const opened = openEnvelope(whole, { kind: 'bundle', bytesMax: 4 * LIMIT });
  if (!opened.ok) return parsed(`${opened.refusal.code} ${opened.refusal.detail}`);
  if (opened.value.payload.byteLength > LIMIT) {
    throw new BrokenPromise('more was made than the limit allows');
  }
  const again = rebased('bundle', whole, BASE);
  const made = again && madeWhole('bundle', again, { base: () => BASE, payloadMax: LIMIT });
  if (!made?.equals(whole)) throw new BrokenPromise('told again it is something else');
  return ACCEPTED;
}

export function targets(): Target[] {
  const body = patchFrom(FORMER, NEXT);
  const assignment = sealPacked('assignment', assignmentDocument(), [HUB]);
  const small = { name: 'wire/delta', form: 'bytes', share: 2 } as const;
  return [
    {
      ...small,
      seeds: [
        deltaOf(BASE, payloadOf(NEXT)),
        deltaOf(BASE, Buffer.concat([BASE.subarray(300), BASE])),
        deltaOf(Buffer.alloc(0), ENVELOPE),
      ],
      run: delta,
    },
    {
      ...{ name: 'wire/rebased', form: 'bytes' },
      seeds: [ENVELOPE, seal('bundle', FORMER.document, [RELEASE, HUB])].flatMap(
        envelope => rebased('bundle', envelope, BASE) ?? [],
      ),
      run: onFormer,
    },
    {
      ...{ name: 'wire/patches', form: 'bytes' },
      seeds: [
        withPatches(assignment, [{ bundle: 0, body }]),
        withPatches(assignment, [
          { bundle: 1, body },
          { bundle: 0, body: patchFrom(NEXT, FORMER) },
        ]),
        assignment,
      ],
      run: patches,
    },
  ];
}
