/** Acceptance of roots: the pinned one, and the next of the chain. Row numbers name the attack list. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { seal } from '../../../protocol/envelope.js';
import type { Result } from '../../../protocol/refusal.js';
import { openNextRoot, openPinnedRoot } from '../../../protocol/verify-root.js';
import {
  HUB,
  idOf,
  RELEASE,
  ROOT,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';
import { codeOf } from '../../support/verdict.js';

describe('a root', () => {
  const scopeOf = (r: RootDocument) => r.roles.release[0]!.scopes[0]!;
  const pin = (document: RootDocument, signers = [ROOT]) =>
    openPinnedRoot(seal('root', document, signers), sha256Hex(canonicalJson(document)));
  const withRoles = (change: (r: RootDocument) => void) => {
    const root = rootDocument();
    change(root);
    return pin(root);
  };
  const rows: Record<string, [() => Result<unknown>, string]> = {
    'that the join line pins is accepted': [() => pin(rootDocument()), 'accepted'],
    'S86 that does not hash to the fingerprint is refused': [
      () => openPinnedRoot(seal('root', rootDocument(), [ROOT]), 'a'.repeat(64)),
      'BadRoot',
    ],
    'not signed by its own root keys is refused': [
      () => pin(rootDocument(), [HUB]),
      'BadSignature',
    ],
    'S06 that lists a key under a wrong id is refused': [
      () => withRoles(r => (r.keys['b'.repeat(64)] = r.keys[idOf(HUB)]!)),
      'BadRoot',
    ],
    'S07 with a threshold of 0 is refused': [
      () => withRoles(r => (r.roles.hub.threshold = 0)),
      'Malformed',
    ],
    'S07 with a threshold of 1.5 is refused': [
      () => withRoles(r => (r.roles.hub.threshold = 1.5)),
      'Malformed',
    ],
    'S07 with a threshold above its keys is refused': [
      () => withRoles(r => (r.roles.hub.threshold = 2)),
      'BadRoot',
    ],
    'S08 that gives one key two roles is refused': [
      () => withRoles(r => (r.roles.hub.keys = [idOf(RELEASE)])),
      'BadRoot',
    ],
    'S09 with a low-order key is refused': [
      () =>
        withRoles(r => {
          const point = '01' + '0'.repeat(62);
          r.keys[sha256Hex(Buffer.from(point, 'hex'))] = point;
        }),
      'BadKey',
    ],
    'that names a key it does not list is refused': [
      () => withRoles(r => (r.roles.hub.keys = ['c'.repeat(64)])),
      'BadRoot',
    ],
    'whose release scope wants more signatures than it has keys is refused': [
      () => withRoles(r => (scopeOf(r).threshold = 2)),
      'BadRoot',
    ],
    'whose release scope names a key of another role is refused': [
      () => withRoles(r => (scopeOf(r).keys = [idOf(HUB)])),
      'BadRoot',
    ],
    'whose release scope lists a key twice is refused': [
      () => withRoles(r => (scopeOf(r).keys = [idOf(RELEASE), idOf(RELEASE)])),
      'BadRoot',
    ],
    'whose release scope is no level is refused': [
      () => withRoles(r => (scopeOf(r).podSecurity = 'none' as 'privileged')),
      'Malformed',
    ],
    'whose release scope has a host path with .. in it is refused': [
      () => withRoles(r => (scopeOf(r).hostPaths = ['/dev/../etc'])),
      'Malformed',
    ],
    'whose release scope has a host path that ends in a slash is refused': [
      () => withRoles(r => (scopeOf(r).hostPaths = ['/dev/'])),
      'Malformed',
    ],
    'whose release scope has all host paths is accepted': [
      () => withRoles(r => (scopeOf(r).hostPaths = ['/', '/dev/..x'])),
      'accepted',
    ],
    'without a release scope is refused': [
      () => withRoles(r => (r.roles.release[0]!.scopes = [])),
      'Malformed',
    ],
  };
  for (const [what, [run, code]] of Object.entries(rows))
    test(what, () => assert.equal(codeOf(run()), code));
});

describe('the next root', () => {
  const newKey = signer('root 2');
  const next = (change: Partial<RootDocument> = {}) => rootDocument({ version: 2, ...change });
  const rotated = (): RootDocument => {
    const root = next();
    root.keys[idOf(newKey)] = newKey.publicKey;
    root.roles.root = { threshold: 1, keys: [idOf(newKey)] };
    return root;
  };
  const open = (document: RootDocument, signers = [ROOT]) =>
    codeOf(
      openNextRoot(
        seal('root', document, signers),
        trustedRoot(rootDocument({ floors: { 'default/shop': 3 } })),
      ),
    );
  const kept = { floors: { 'default/shop': 3 } };
  test('is accepted when old and new keys signed it', () => {
    assert.equal(open({ ...rotated(), ...kept }, [ROOT, newKey]), 'accepted');
  });
  test('S12 signed by the old keys only is refused', () => {
    assert.equal(open({ ...rotated(), ...kept }, [ROOT]), 'BadSignature');
  });
  test('S12 signed by the new keys only is refused', () => {
    assert.equal(open({ ...rotated(), ...kept }, [newKey]), 'BadSignature');
  });
  test('S12 signed by the hub is refused', () =>
    assert.equal(open(next(kept), [HUB]), 'BadSignature'));
  test('S13 that leaves one out asks for it', () =>
    assert.equal(open(next({ ...kept, version: 3 })), 'RootRequired'));
  test('S13 with other content for the version in force is refused', () => {
    assert.equal(open(next({ ...kept, version: 1, development: false })), 'Equivocation');
  });
  test('S18 that lowers the epoch is refused', () =>
    assert.equal(open(next({ ...kept, epoch: 0 })), 'Rollback'));
  test('S18 that lowers a floor is refused', () => assert.equal(open(next()), 'Rollback'));
  test('of another fleet is refused', () =>
    assert.equal(open(next({ ...kept, fleet: 'b'.repeat(32) })), 'WrongFleet'));
});
