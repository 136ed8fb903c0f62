/** Acceptance of assignments and bundles: one healthy case, then one thing spoilt at a time. Row numbers name the attack list. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { Envelope } from '../../../protocol/documents/envelope.js';
import type { ReleaseScope, RootDocument } from '../../../protocol/documents/root.js';
import { payloadType, preAuthEncoding, seal, sealBytes } from '../../../protocol/envelope.js';
import type { Result } from '../../../protocol/refusal.js';
import { openAssignment, type AssignmentContext } from '../../../protocol/verify-assignment.js';
import type { Signer } from '../../../protocol/keys.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';
import { openBundle, scopesOf, type BundleContext } from '../../../protocol/verify-bundle.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  podManifest,
  RELEASE,
  rootDocument,
  signer,
  trustedRoot,
  releaseRole,
} from '../../support/fleet.js';
import { codeOf } from '../../support/verdict.js';

const STRANGER = signer('stranger');

function envelope(bytes: Uint8Array): Envelope {
  return JSON.parse(Buffer.from(bytes).toString()) as Envelope;
}

function spoilt(bytes: Uint8Array, change: (e: Envelope) => void): Buffer {
  const copy = envelope(bytes);
  change(copy);
  return Buffer.from(canonicalJson(copy));
}

const context = (change: Partial<AssignmentContext> = {}): AssignmentContext => ({
  root: trustedRoot(),
  node: NODE_NAME,
  nodeKey: idOf(NODE),
  accepted: { epoch: 1, generation: 6, digest: 'd'.repeat(64) },
  nonce: null,
  freshOnly: false,
  now: NOW,
  ...change,
});

const assignment = (change: Parameters<typeof assignmentDocument>[0] = {}, signers = [HUB]) =>
  seal('assignment', assignmentDocument(change), signers);

const SECRET = {
  namespace: 'default',
  bundle: 'shop',
  name: 's',
  version: 2,
  digest: 'a'.repeat(64),
};

describe('an assignment', () => {
  const good = assignment();
  const own = { epoch: 1, generation: 7, digest: sha256Hex(canonicalJson(assignmentDocument())) };
  const rows: Record<string, [Uint8Array, Partial<AssignmentContext>, string]> = {
    'is accepted when all is right': [good, {}, 'accepted'],
    'is accepted as the first of a node': [good, { accepted: null }, 'accepted'],
    'is accepted again when it is the accepted one': [good, { accepted: own }, 'accepted'],
    'S01 with one bit of the payload flipped is refused': [
      spoilt(good, e => (e.payload = e.payload.replace(/^..../, 'eyJh'))),
      {},
      'BadSignature',
    ],
    'S01 without signatures is refused': [spoilt(good, e => (e.signatures = [])), {}, 'Malformed'],
    'S02 signed by a stranger under the real key id is refused': [
      spoilt(assignment({}, [STRANGER]), e => (e.signatures[0]!.keyid = idOf(HUB))),
      {},
      'BadSignature',
    ],
    'signed by the release key is refused': [assignment({}, [RELEASE]), {}, 'BadSignature'],
    'with a good signature beside a broken one is accepted': [
      spoilt(good, e =>
        e.signatures.unshift({ keyid: idOf(HUB), sig: Buffer.alloc(64).toString('base64') }),
      ),
      {},
      'accepted',
    ],
    'S11 under another payload type is refused': [
      sealBytes('bundle', Buffer.from(canonicalJson(assignmentDocument())), [HUB]),
      {},
      'WrongType',
    ],
    'S20 of a lower generation is refused': [
      good,
      { accepted: { epoch: 1, generation: 8, digest: 'e'.repeat(64) } },
      'Rollback',
    ],
    'S24 of the same generation with other content is refused': [
      good,
      { accepted: { epoch: 1, generation: 7, digest: 'e'.repeat(64) } },
      'Equivocation',
    ],
    'S27 past its notAfter is refused': [
      good,
      { now: Date.parse('2026-09-01T00:00:00Z') },
      'Expired',
    ],
    'S28 is accepted by a clock of 1970': [good, { now: 0 }, 'accepted'],
    'S34 for another node is refused': [assignment({ node: 'edge-2' }), {}, 'WrongNode'],
    'S35 for the former device of this name is refused': [
      assignment({ nodeKey: idOf(STRANGER) }),
      {},
      'WrongNode',
    ],
    'S36 of another fleet is refused': [assignment({ fleet: 'a'.repeat(32) }), {}, 'WrongFleet'],
    'of a former epoch is refused': [
      good,
      { root: trustedRoot(rootDocument({ epoch: 2 })) },
      'Rollback',
    ],
    'of a new epoch drops the counters of the former': [
      assignment({ epoch: 2, generation: 0 }),
      { root: trustedRoot(rootDocument({ epoch: 2 })) },
      'accepted',
    ],
    'that needs a newer root is held back': [assignment({ rootVersion: 2 }), {}, 'RootRequired'],
    'S33 without the nonce is refused when only a fresh one counts': [
      good,
      { freshOnly: true, nonce: 'a'.repeat(32), accepted: null },
      'NotFresh',
    ],
    'S33 with the nonce is accepted when only a fresh one counts': [
      assignment({ nonce: 'a'.repeat(32) }),
      { freshOnly: true, nonce: 'a'.repeat(32), accepted: null },
      'accepted',
    ],
    'that names a bundle twice is refused': [
      assignment({ bundles: [assigned(bundleDocument()), assigned(bundleDocument())] }),
      {},
      'Conflict',
    ],
    'that lists sealed secrets of its bundles is accepted': [
      assignment({ secrets: [SECRET] }),
      {},
      'accepted',
    ],
    'that lists a secret twice is refused': [
      assignment({ secrets: [SECRET, { ...SECRET, version: 3 }] }),
      {},
      'Conflict',
    ],
    'that lists a secret of a bundle that it does not list is refused': [
      assignment({ secrets: [{ ...SECRET, bundle: 'other' }] }),
      {},
      'Malformed',
    ],
    'S91 that lists a secret whose name leads elsewhere is refused': [
      assignment({ secrets: [{ ...SECRET, name: '../x' }] }),
      {},
      'Malformed',
    ],
    'S43 with the node named twice is refused': [
      sealBytes(
        'assignment',
        Buffer.from(
          canonicalJson(assignmentDocument()).replace('"node":', '"node":"edge-1","node":'),
        ),
        [HUB],
      ),
      {},
      'Malformed',
    ],
    'S45 with text for a counter is refused': [
      seal('assignment', { ...assignmentDocument(), generation: '7' }, [HUB]),
      {},
      'Malformed',
    ],
    'with an unknown field is refused': [
      seal('assignment', { ...assignmentDocument(), shell: 'sh' }, [HUB]),
      {},
      'Malformed',
    ],
    'S46 in the base64 URL alphabet is refused': [
      spoilt(good, e => (e.payload = e.payload.replace(/=*$/, '') + '-_')),
      {},
      'Malformed',
    ],
    'S40 one byte over the limit is refused before anything is decoded': [
      Buffer.alloc(100_000, 0x20),
      {},
      'TooLarge',
    ],
    'S42 with nested brackets for an envelope is refused': [
      Buffer.from('['.repeat(20_000)),
      {},
      'Malformed',
    ],
  };
  for (const [what, [bytes, change, code]] of Object.entries(rows)) {
    test(what, () => assert.equal(codeOf(openAssignment(bytes, context(change))), code));
  }

  test('says whether it changes anything', () => {
    const again = openAssignment(good, context({ accepted: own }));
    const first = openAssignment(good, context());
    assert.ok(again.ok && !again.value.changed && first.ok && first.value.changed);
  });
});

describe('a bundle', () => {
  const document = bundleDocument();
  const open = (
    bytes: Uint8Array,
    by: BundleContext['assigned'] = assigned(document),
    root = trustedRoot(),
  ) => openBundle(bytes, { root, assigned: by, arch: 'amd64', agentVersion: '1.2.3' });
  const sealed = (d = document, signers = [RELEASE]) => seal('bundle', d, signers);
  const changed = (change: Parameters<typeof bundleDocument>[1]) => {
    const other = bundleDocument([podManifest('web')], change);
    return open(sealed(other), assigned(other));
  };
  const rows: Record<string, [() => Result<unknown>, string]> = {
    'is accepted when all is right': [() => open(sealed()), 'accepted'],
    'S03 signed by the hub is refused': [() => open(sealed(document, [HUB])), 'BadSignature'],
    'S04 with other bytes for its digest is refused': [
      () => open(sealed(bundleDocument([podManifest('other')]))),
      'MixMatch',
    ],
    'is accepted by its digest alone where nobody told its size': [
      () => open(sealed(), { ...assigned(document), size: null }),
      'accepted',
    ],
    'S04 with other bytes for its digest is refused all the same': [
      () =>
        open(sealed(bundleDocument([podManifest('other')])), { ...assigned(document), size: null }),
      'MixMatch',
    ],
    'S03 signed by the hub is refused, known by its digest alone': [
      () => open(sealed(document, [HUB]), { ...assigned(document), size: null }),
      'BadSignature',
    ],
    'S25 of another revision than assigned is refused': [
      () => open(sealed(), assigned(document, { revision: 2 })),
      'MixMatch',
    ],
    'of another fleet is refused': [() => changed({ fleet: 'a'.repeat(32) }), 'WrongFleet'],
    'S37 for other hardware is refused': [
      () => changed({ requires: { arch: ['arm64'], hardware: [], minAgent: null } }),
      'Unsupported',
    ],
    'for a newer agent is refused': [
      () => changed({ requires: { arch: [], hardware: [], minAgent: '1.10.0' } }),
      'Unsupported',
    ],
    'for this agent and architecture is accepted': [
      () => changed({ requires: { arch: ['amd64'], hardware: [], minAgent: '1.2.3' } }),
      'accepted',
    ],
    'with a floor above its own revision is refused': [
      () => changed({ rollbackFloor: 2 }),
      'Malformed',
    ],
    'S53 with two pods of one name is refused': [
      () => {
        const twice = bundleDocument([podManifest('web'), podManifest('web')]);
        return open(sealed(twice), assigned(twice));
      },
      'Conflict',
    ],
    'S50 with more pods than the root allows is refused': [
      () =>
        open(
          sealed(),
          assigned(document),
          trustedRoot(rootDocument({ limits: { podsPerBundle: 1 } })),
        ),
      'accepted',
    ],
    'S51 with a pod named ../x is refused': [
      () => {
        const bad = bundleDocument([podManifest('../x')]);
        return open(sealed(bad), assigned(bad));
      },
      'Malformed',
    ],
    'outside the patterns of every release role is refused': [
      () => {
        const root = rootDocument();
        root.roles.release[0]!.bundles = ['prod/*'];
        return open(sealed(), assigned(document), trustedRoot(root));
      },
      'BadSignature',
    ],
  };
  for (const [what, [run, code]] of Object.entries(rows))
    test(what, () => assert.equal(codeOf(run()), code));

  test('S50 with one pod more than the root allows is refused', () => {
    const two = bundleDocument([podManifest('a'), podManifest('b')]);
    const root = trustedRoot(rootDocument({ limits: { podsPerBundle: 1 } }));
    assert.equal(codeOf(open(sealed(two), assigned(two), root)), 'TooLarge');
  });

  test('S05 that needs two signatures is refused with one, however often it is listed', () => {
    const second = signer('release 2');
    const root = rootDocument();
    root.keys[idOf(second)] = second.publicKey;
    root.roles.release = [releaseRole([RELEASE, second], { threshold: 2 })];
    const trusted = trustedRoot(root);
    const once = sealed();
    assert.equal(codeOf(open(once, assigned(document), trusted)), 'BadSignature');
    const twice = spoilt(once, e => e.signatures.push(e.signatures[0]!));
    assert.equal(codeOf(open(twice, assigned(document), trusted)), 'BadSignature');
    const renamed = spoilt(once, e =>
      e.signatures.push({ ...e.signatures[0]!, keyid: idOf(second) }),
    );
    assert.equal(codeOf(open(renamed, assigned(document), trusted)), 'BadSignature');
    assert.equal(
      codeOf(open(sealed(document, [RELEASE, second]), assigned(document), trusted)),
      'accepted',
    );
  });
});

describe('the scopes of a bundle that is kept', () => {
  const second = signer('release 2');
  const [one, two] = [idOf(RELEASE), idOf(second)];
  const wide = {
    threshold: 2,
    keys: [one, two],
    ...DEFAULT_GRANT,
    podSecurity: 'privileged' as const,
  };
  const narrow = { threshold: 1, keys: [one], ...DEFAULT_GRANT };
  const other = { threshold: 1, keys: [two], ...DEFAULT_GRANT, podSecurity: 'restricted' as const };
  const withScopes = (scopes: ReleaseScope[], keys = [RELEASE, second]) => {
    const root = rootDocument();
    root.keys[two] = second.publicKey;
    root.roles.release = [releaseRole(keys, { scopes })];
    return root;
  };
  const rows: [string, Signer[], RootDocument, string][] = [
    [
      'are those that its one key is enough for',
      [RELEASE],
      withScopes([wide, narrow, other]),
      'baseline',
    ],
    [
      'are all when everybody signed',
      [RELEASE, second],
      withScopes([wide, narrow, other]),
      'privileged baseline restricted',
    ],
    ['may be another key’s', [second], withScopes([wide, narrow, other]), 'restricted'],
    ['may be none', [second], withScopes([wide, narrow]), ''],
    [
      'need the signature of a key that the root still names',
      [second],
      withScopes([narrow], [RELEASE]),
      'BadSignature',
    ],
  ];
  for (const [sentence, signers, root, expected] of rows) {
    test(sentence, () => {
      const document = bundleDocument();
      const scopes = scopesOf(seal('bundle', document, signers), root, document);
      const levels = scopes.ok
        ? scopes.value.map(scope => scope.podSecurity)
        : [scopes.refusal.code];
      assert.equal(levels.join(' '), expected);
    });
  }
});

test('the pre-authentication encoding is that of DSSE', () => {
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  assert.equal(encoded.toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  assert.equal(payloadType('root'), 'application/vnd.flotilla.root.v1+json');
});

test('no spoilt byte of a good assignment is accepted, and none makes the verifier throw', () => {
  const good = assignment();
  const accepted = codeOf(openAssignment(good, context()));
  assert.equal(accepted, 'accepted');
  for (let at = 0; at < good.length; at += 3) {
    const copy = Buffer.from(good);
    copy[at] = (copy[at] ?? 0) ^ (1 << (at % 8));
    assert.notEqual(codeOf(openAssignment(copy, context())), 'accepted', `byte ${at}`);
  }
});
