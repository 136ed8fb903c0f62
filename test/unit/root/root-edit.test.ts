/** Roots that are made and edited offline: what comes out, and what is refused with the field (S06–S08, S18). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { openPinnedRoot, openNextRoot } from '../../../protocol/verify-root.js';
import { describeChange, describeRoot, describeVerdict } from '../../../hub/root/describe.js';
import {
  firstRootOf,
  nextRootOf,
  RootEditError,
  type RootChanges,
} from '../../../hub/root/edit.js';
import { keysNamedIn, parseRootPlan, plannedRoles, RootPlanError } from '../../../hub/root/plan.js';
import {
  draftOf,
  envelopeText,
  judgeRoot,
  readRootFile,
  rootFileText,
  signersIn,
  withSignature,
  type RootFile,
} from '../../../hub/root/root-file.js';
import { keyId, type Signer } from '../../../protocol/keys.js';
import { payloadType, preAuthEncoding } from '../../../protocol/envelope.js';
import { FLEET, HUB, idOf, RELEASE, ROOT, rootDocument, signer } from '../../support/fleet.js';

const [ALICE, BOB, CAROL, RITA] = ['alice', 'bob', 'carol', 'rita'].map(signer) as [
  Signer,
  Signer,
  Signer,
  Signer,
];
const TIMES = { issued: '2026-06-01T00:00:00.000Z', expires: '2029-06-01T00:00:00.000Z' };
const PLAN = `
root: { threshold: 2, keys: [alice, bob, carol] }
release:
- bundles: ["plant/*"]
  keys: [rita]
  scopes:
  - { podSecurity: privileged }
- bundles: ["*/*"]
  keys: [rita]
`;
const NAMES = new Map([
  ['alice', ALICE.publicKey],
  ['bob', BOB.publicKey],
  ['carol', CAROL.publicKey],
  ['rita', RITA.publicKey],
]);
const ROLES = plannedRoles(parseRootPlan(PLAN, 'root.yaml'), NAMES);
const PIN = 'ab'.repeat(32);

function fileOf(document: RootDocument): RootFile {
  const drafted = draftOf(document);
  if (!drafted.ok) throw new Error(`${drafted.refusal.code}: ${drafted.refusal.detail}`);
  return drafted.value;
}

function signed(file: RootFile, ...signers: readonly Signer[]): RootFile {
  return signers.reduce((before, by) => {
    const sig = by.sign(preAuthEncoding(payloadType('root'), before.payload));
    const more = withSignature(before, {
      keyid: keyId(by.publicKey),
      sig: Buffer.from(sig).toString('base64'),
    });
    if (!more.ok) throw new Error(more.refusal.detail);
    return more.value;
  }, file);
}

const FIRST = firstRootOf({
  ...TIMES,
  request: { fleet: FLEET, hubKey: HUB.publicKey, tls: [PIN] },
  roles: ROLES,
  limits: { podsPerBundle: 100 },
  minAgent: null,
});

describe('the first root of a fleet with offline keys', () => {
  test('names the keys of the plan and of the request, and no development', () => {
    assert.deepEqual(FIRST.roles.root, { threshold: 2, keys: [ALICE, BOB, CAROL].map(idOf) });
    assert.deepEqual(FIRST.roles.hub, { threshold: 1, keys: [idOf(HUB)] });
    assert.equal(FIRST.development, false);
    assert.deepEqual(
      Object.keys(FIRST.keys).sort(),
      [ALICE, BOB, CAROL, RITA, HUB].map(idOf).sort(),
    );
  });

  test('gives a scope that is left out what `hub init` grants, and the rest as the plan says', () => {
    const [plant, rest] = FIRST.roles.release;
    assert.equal(plant?.scopes[0]?.podSecurity, 'privileged');
    assert.deepEqual(
      [rest?.scopes[0]?.podSecurity, rest?.scopes[0]?.minHostPort],
      ['baseline', 1024],
    );
    assert.deepEqual(rest?.scopes[0]?.keys, [idOf(RITA)]);
  });

  test('gathers signatures in a file, in any order, and is what a node pins', () => {
    const file = signed(fileOf(FIRST), CAROL);
    assert.deepEqual(judgeRoot(file, null).own, { have: 1, need: 2 });
    assert.equal(judgeRoot(file, null).complete, false);
    const again = readRootFile(rootFileText(signed(file, ALICE, ALICE)));
    assert.ok(again.ok);
    assert.equal(again.value.signatures.length, 2);
    assert.equal(judgeRoot(again.value, null).complete, true);
    assert.deepEqual(
      signersIn(again.value, FIRST, FIRST.roles.root.keys),
      [ALICE, CAROL].map(idOf),
    );
    assert.ok(openPinnedRoot(Buffer.from(envelopeText(again.value)), again.value.digest).ok);
  });

  test('a file without a signature reads back as it was', () => {
    const read = readRootFile(rootFileText(fileOf(FIRST)));
    assert.ok(read.ok);
    assert.deepEqual(read.value.document, FIRST);
    assert.deepEqual(read.value.signatures, []);
  });

  const SPOILT: Record<string, [(text: string) => string, string]> = {
    'that is cut off is refused': [text => text.slice(0, 200), 'Malformed'],
    'with another payload type is refused': [
      text => text.replace('flotilla.root', 'flotilla.hub'),
      'WrongType',
    ],
    'with a field more is refused': [text => text.replace('{', '{"a":1,'), 'Malformed'],
    'that is no envelope is refused': [() => '[]', 'Malformed'],
    'that says null is refused': [() => 'null', 'Malformed'],
  };
  for (const [sentence, [spoil, code]] of Object.entries(SPOILT)) {
    test(`a file ${sentence}`, () => {
      const read = readRootFile(spoil(rootFileText(fileOf(FIRST))));
      assert.equal(read.ok ? 'accepted' : read.refusal.code, code);
    });
  }
});

describe('the next root', () => {
  const next = (changes: Omit<RootChanges, 'issued' | 'expires'>, from = FIRST) =>
    nextRootOf(from, { ...TIMES, ...changes });

  const CHANGES: Record<
    string,
    [Omit<RootChanges, 'issued' | 'expires'>, (root: RootDocument) => unknown, unknown]
  > = {
    'one key replaced in every role and scope': [
      { replaceKeys: [{ old: idOf(RITA), by: BOB.publicKey.replace(/./, 'b') }] },
      root =>
        root.roles.release
          .flatMap(({ scopes }) => scopes.flatMap(({ keys }) => keys))
          .includes(idOf(RITA)),
      false,
    ],
    'a hub key listed behind the former': [
      { addHubKeys: [signer('hub 2').publicKey] },
      root => root.roles.hub.keys,
      [idOf(HUB), idOf(signer('hub 2'))],
    ],
    'a key taken away leaves the list of keys': [
      { removeKeys: [idOf(CAROL)] },
      root => Object.hasOwn(root.keys, idOf(CAROL)),
      false,
    ],
    'a higher epoch': [{ raiseEpoch: true }, root => root.epoch, 2],
    'floors and denials': [
      { floors: { 'plant/a': 3 }, deny: [PIN] },
      root => [root.floors, root.denied],
      [{ 'plant/a': 3 }, [PIN]],
    ],
    'another pin beside the first': [
      { addTlsPins: ['cd'.repeat(32)] },
      root => root.tls,
      [PIN, 'cd'.repeat(32)],
    ],
    'the hub of a new request in the place of the former': [
      { request: { fleet: FLEET, hubKey: signer('hub 2').publicKey, tls: ['ef'.repeat(32)] } },
      root => [root.roles.hub.keys, root.tls],
      [[idOf(signer('hub 2'))], ['ef'.repeat(32)]],
    ],
  };
  for (const [sentence, [changes, look, expected]] of Object.entries(CHANGES)) {
    test(`has ${sentence}`, () => {
      const root = next(changes);
      assert.equal(root.version, 2);
      assert.deepEqual(look(root), expected);
      assert.notDeepEqual(describeChange(FIRST, root), describeChange(FIRST, next({})), 'is shown');
    });
  }

  const REFUSED: Record<string, [() => unknown, RegExp]> = {
    'S18: a floor that falls': [
      () => next({ floors: { 'a/b': 2 } }, next({ floors: { 'a/b': 3 } })),
      /^floors\.a\/b: 2 is below 3/,
    ],
    'S07: a threshold above the keys': [() => next({ rootThreshold: 4 }), /^roles\.root: 3 keys/],
    'the last key of a role': [() => next({ removeKeys: [idOf(HUB)] }), /^roles\.hub: 0 keys/],
    'a key that no role names': [() => next({ removeKeys: [PIN] }), /^roles: no role names/],
    'a denial that is not there': [() => next({ allowAgain: [PIN] }), /^denied/],
    'no pin': [() => next({ removeTlsPins: [PIN] }), /^tls/],
    'a request of another fleet': [
      () => next({ request: { fleet: '0'.repeat(32), hubKey: HUB.publicKey, tls: [PIN] } }),
      /^fleet/,
    ],
  };
  for (const [sentence, [make, message]] of Object.entries(REFUSED)) {
    test(`is refused with its field: ${sentence}`, () => {
      assert.throws(
        make,
        (error: unknown) => error instanceof RootEditError && message.test(error.message),
      );
    });
  }

  test('S08: a key in two roles is refused as a node would refuse it', () => {
    const drafted = draftOf(next({ addRootKeys: [RITA.publicKey] }));
    assert.equal(drafted.ok ? 'accepted' : drafted.refusal.code, 'BadRoot');
  });

  test('S12: needs signatures of both versions, counted apart, and is then what a node takes', () => {
    const root = next({
      replaceKeys: [
        { old: idOf(ALICE), by: signer('dave').publicKey },
        { old: idOf(BOB), by: signer('erin').publicKey },
      ],
    });
    const former = signed(fileOf(FIRST), ALICE, BOB);
    const half = signed(fileOf(root), signer('dave'), signer('erin'), ALICE);
    const verdict = judgeRoot(half, FIRST);
    assert.deepEqual(
      [verdict.own, verdict.former],
      [
        { have: 2, need: 2 },
        { have: 1, need: 2 },
      ],
    );
    assert.match(describeVerdict(verdict).join('\n'), /1 of the 2 .*version before.*1 missing/);
    const whole = signed(half, CAROL);
    assert.equal(judgeRoot(whole, FIRST).complete, true);
    const trusted = openPinnedRoot(Buffer.from(envelopeText(former)), former.digest);
    assert.ok(trusted.ok);
    assert.ok(openNextRoot(Buffer.from(envelopeText(whole)), trusted.value).ok);
  });

  test('a root that nodes would refuse is said so whatever its signatures', () => {
    const skipped = { ...next({}), version: 3 };
    assert.match(
      judgeRoot(signed(fileOf(skipped), ALICE, BOB), FIRST).refusal ?? '',
      /RootRequired/,
    );
  });

  test('a fleet stops to be a development one with root keys that the hub does not hold', () => {
    const from = rootDocument();
    assert.equal(next({ roles: ROLES }, from).development, false);
    assert.equal(next({ floors: { 'a/b': 1 } }, from).development, true);
    assert.equal(
      next({ addRootKeys: [ALICE.publicKey], rootThreshold: 2 }, from).development,
      false,
    );
    assert.ok(from.keys[idOf(ROOT)] !== undefined && from.keys[idOf(RELEASE)] !== undefined);
  });

  test('all of a root is shown before it is signed', () => {
    const text = describeRoot(next({ deny: [PIN], floors: { 'a/b': 4 } }), 'd').join('\n');
    for (const part of [PIN, 'a/b from revision 4', '2 of 3 must sign', 'privileged', FLEET])
      assert.ok(text.includes(part), part);
  });
});

describe('a plan of roles', () => {
  test('names its keys', () => {
    assert.deepEqual(keysNamedIn(parseRootPlan(PLAN, 'p')), ['alice', 'bob', 'carol', 'rita']);
  });

  const WRONG: Record<string, [string, RegExp]> = {
    'an unknown field': ['rot: {}', /^p:1: rot is not a field here; there are expires, root/],
    'no root': ['release: [{bundles: ["*/*"], keys: [a]}]', /^p: root is missing/],
    'a threshold of secrets above one': [
      'root: {keys: [a]}\nrelease: [{bundles: ["*/*"], keys: [a]}]\nsecrets: {threshold: 2, keys: [a, b]}',
      /^p:3: secrets\.threshold must be 1/,
    ],
    'a threshold that is a text': [
      'root: {keys: [a], threshold: "2"}\nrelease: [{bundles: ["*/*"], keys: [a]}]',
      /^p:1: root\.threshold must be a whole number/,
    ],
    'a release role without bundles': [
      'root: {keys: [a]}\nrelease:\n- keys: [a]',
      /^p: release\[0\]\.bundles is missing/,
    ],
    'a field twice': ['root: {keys: [a]}\nroot: {keys: [b]}', /^p:2:1: "root" stands twice/],
    'no mapping': ['- a', /^p(:1)?: the plan must be a mapping/],
  };
  for (const [sentence, [text, message]] of Object.entries(WRONG)) {
    test(`with ${sentence} is refused with file, line and field`, () => {
      assert.throws(
        () => parseRootPlan(text, 'p'),
        (error: unknown) => error instanceof RootPlanError && message.test(error.message),
      );
    });
  }
});
