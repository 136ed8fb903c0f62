/** Signatures and keys: S01–S11. */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { canonicalJson } from '../../../protocol/canonical.js';
import { seal } from '../../../protocol/envelope.js';
import { keyId } from '../../../protocol/keys.js';
import type { RefusalCode } from '../../../protocol/refusal.js';
import { bundle, publishBundle, sealText, spoilt } from '../../support/attacks/make.js';
import { refuses, refusesBundle } from '../../support/attacks/refusal.js';
import { attacks } from '../../support/attacks/row.js';
import { NODE, PEOPLE, STRANGER } from '../../support/attacks/cast.js';
import { podText } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';

/** In place of the next assignment. */
function instead(victim: Victim, code: RefusalCode | readonly RefusalCode[], bytes: Buffer) {
  const topic = victim.topics.node(NODE, 'assignment');
  return refuses(victim, { code, send: () => victim.publish(topic, bytes) });
}

function flipped(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  return bytes.toString('base64');
}

const nextEnvelope = (victim: Victim) => seal('assignment', victim.next(), [victim.keys.hub]);

async function flipsBits(victim: Victim): Promise<void> {
  const spoil = (change: Parameters<typeof spoilt>[1]) => spoilt(nextEnvelope(victim), change);
  await instead(
    victim,
    'BadSignature',
    spoil(e => ({ ...e, payload: flipped(e.payload) })),
  );
  await instead(
    victim,
    'WrongType',
    spoil(e => ({ ...e, payloadType: e.payloadType.replace('v1', 'v0') })),
  );
  await instead(
    victim,
    'BadSignature',
    spoil(e => ({
      ...e,
      signatures: e.signatures.map(s => ({ ...s, sig: flipped(s.sig) })),
    })),
  );
  await instead(
    victim,
    'Malformed',
    spoil(({ payload, payloadType }) => ({ payload, payloadType })),
  );
  await instead(
    victim,
    'Malformed',
    spoil(e => ({ ...e, signatures: [] })),
  );
}

/** The attacker's signatures under the real keys' ids. */
function underTheirNames(envelope: Buffer, publicKey: string): Buffer {
  return spoilt(envelope, e => ({
    ...e,
    signatures: e.signatures.map(s => ({ ...s, keyid: keyId(publicKey) })),
  }));
}

async function forgesTheWholeSet(victim: Victim): Promise<void> {
  const made = bundle(victim);
  const release = underTheirNames(made.envelope(STRANGER), victim.keys.release.publicKey);
  if (!victim.isGuarded) await publishBundle(victim, made, release);
  const bundles = [...victim.current.bundles, made.assigned];
  const assignment = seal('assignment', victim.next({ bundles }), [STRANGER]);
  await instead(victim, 'BadSignature', underTheirNames(assignment, victim.keys.hub.publicKey));
  await refusesBundle(victim, made.assigned, {
    code: 'BadSignature',
    send: () => publishBundle(victim, made, release),
  });
}

async function oneOfTwo(victim: Victim): Promise<void> {
  const [ann, ben] = PEOPLE as [(typeof PEOPLE)[0], (typeof PEOPLE)[0]];
  const pods = [{ ...podText('pair'), metadata: { name: 'pair', namespace: 'two' } }];
  const made = (revision: number) =>
    bundle(victim, { namespace: 'two', name: 'pair', revision }, pods);
  const tries: readonly [RefusalCode, (of: ReturnType<typeof made>) => Buffer][] = [
    ['BadSignature', of => of.envelope(ann)],
    [
      'BadSignature',
      of =>
        spoilt(of.envelope(ann), e => ({ ...e, signatures: [...e.signatures, ...e.signatures] })),
    ],
    [
      'BadSignature',
      of =>
        spoilt(of.envelope(ann), e => ({
          ...e,
          signatures: [
            ...e.signatures,
            ...e.signatures.map(s => ({ ...s, keyid: keyId(STRANGER.publicKey) })),
          ],
        })),
    ],
    [
      'Malformed',
      of =>
        spoilt(of.envelope(ann), e => ({
          ...e,
          signatures: [
            ...e.signatures,
            ...e.signatures.map(s => ({ ...s, sig: s.sig.replace(/=+$/, '') })),
          ],
        })),
    ],
  ];
  for (const [index, [code, spoil]] of tries.entries()) {
    const of = made(index + 1);
    const send = () => publishBundle(victim, of, spoil(of));
    await refusesBundle(victim, of.assigned, { code, send });
  }
  const good = made(tries.length + 1);
  const broken = spoilt(good.envelope(ann, STRANGER, ben), e => ({
    ...e,
    signatures: e.signatures.map((s, i) => (i === 1 ? { ...s, keyid: e.signatures[0]!.keyid } : s)),
  }));
  await publishBundle(victim, good, broken);
  await victim.runs(good.assigned);
}

async function wrongAlgorithms(victim: Victim): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsa = createSign('sha256')
    .update('x')
    .sign({ key: privateKey, dsaEncoding: 'ieee-p1363' });
  const hub = [victim.keys.hub];
  await instead(
    victim,
    'BadSignature',
    spoilt(nextEnvelope(victim), e => ({
      ...e,
      signatures: e.signatures.map(s => ({ ...s, sig: ecdsa.toString('base64') })),
    })),
  );
  for (const alg of ['none', 'HS256', 'RS256']) {
    await instead(
      victim,
      'Malformed',
      spoilt(seal('assignment', victim.next(), hub), e => ({
        ...e,
        signatures: e.signatures.map(s => ({ ...s, alg })),
      })),
    );
  }
}

async function confusesTypes(victim: Victim): Promise<void> {
  const made = bundle(victim, { revision: 11 });
  await instead(victim, 'WrongType', made.envelope());
  const text = canonicalJson(victim.next());
  await refusesBundle(victim, made.assigned, {
    code: ['WrongType', 'MixMatch'],
    send: () => publishBundle(victim, made, sealText('assignment', text, [victim.keys.hub])),
  });
  // The length in front of the type says what belongs to it: a longer type cannot borrow from the payload.
  for (const payloadType of [
    'application/vnd.flotilla.assignment.v1+json ',
    'application/vnd.flotilla.assignment.v1+json 2 {}',
  ]) {
    await instead(
      victim,
      'WrongType',
      spoilt(nextEnvelope(victim), e => ({ ...e, payloadType })),
    );
  }
}

attacks('signatures and keys', [
  {
    id: 'S01',
    title: 'a bit is flipped, signatures are stripped',
    isBroker: true,
    run: async stage => flipsBits(await stage.open()),
  },
  {
    id: 'S02',
    title: 'a whole set signed by strangers under the real key ids',
    isBroker: true,
    run: async stage => forgesTheWholeSet(await stage.open()),
  },
  {
    id: 'S03',
    title: 'the hub key signs a release too',
    run: async stage => {
      const victim = await stage.open();
      const made = bundle(victim, { revision: 3 });
      await refusesBundle(victim, made.assigned, {
        code: 'BadSignature',
        send: () => publishBundle(victim, made, made.envelope(victim.keys.hub)),
      });
    },
  },
  {
    id: 'S04',
    title: 'other bytes under the right digest',
    run: async stage => {
      const victim = await stage.open();
      const made = bundle(victim, { revision: 4 });
      const other = bundle(victim, { revision: 4, issued: '2026-01-01T00:00:00.000Z' });
      await refusesBundle(victim, made.assigned, {
        code: 'MixMatch',
        send: () => publishBundle(victim, made, other.envelope()),
      });
    },
  },
  {
    id: 'S05',
    title: 'one signature of two in many dresses; good, broken and good again suffice',
    run: async stage => oneOfTwo(await stage.open()),
  },
  {
    id: 'S10',
    title: 'other algorithms',
    isBroker: true,
    run: async stage => wrongAlgorithms(await stage.open()),
  },
  {
    id: 'S11',
    title: 'one type of document offered as another',
    isBroker: true,
    run: async stage => confusesTypes(await stage.open()),
  },
]);
