/** Acceptance of what hub and node say besides assignments and bundles. Row numbers name the attack list. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seal } from '../../../protocol/envelope.js';
import { openHubDocument, openNodeDocument } from '../../../protocol/verify-messages.js';
import { FLEET, HUB, NODE, NODE_NAME, RELEASE, signer, trustedRoot } from '../../support/fleet.js';
import { codeOf } from '../../support/verdict.js';

test('a refusal shows no more than the beginning of a path made of long keys', () => {
  const pods = { [`default/${'x'.repeat(50_000)}`]: 1 };
  const counters = {
    epoch: 1,
    generation: 1,
    journal: '1'.repeat(32),
    through: 9,
    boot: 3,
    counter: 4,
    row: 5,
  };
  const ack = { fleet: FLEET, node: NODE_NAME, ...counters, pods };
  const result = openHubDocument('ack', seal('ack', ack, [HUB]), {
    root: trustedRoot(),
    node: NODE_NAME,
  });
  assert.ok(!result.ok && result.refusal.code === 'Malformed');
  assert.match(result.refusal.detail, /^ack at \/pods\/default~1xxx/);
  assert.ok(result.refusal.detail.length < 500, String(result.refusal.detail.length));
});

describe('what hub and node say otherwise', () => {
  const hello = {
    fleet: FLEET,
    epoch: 1,
    session: 'a'.repeat(32),
    online: true,
    sealingKey: 'b'.repeat(64),
  };
  const presence = {
    fleet: FLEET,
    node: NODE_NAME,
    journal: 'c'.repeat(32),
    boot: 1,
    n: 1,
    session: 'd'.repeat(32),
    online: true,
  };
  const who = { fleet: FLEET, node: NODE_NAME, identityKey: NODE.publicKey };
  test('the hub is believed by its own key', () => {
    assert.equal(
      codeOf(openHubDocument('hub', seal('hub', hello, [HUB]), { root: trustedRoot() })),
      'accepted',
    );
  });
  test('the hub is not believed by a release key', () => {
    assert.equal(
      codeOf(openHubDocument('hub', seal('hub', hello, [RELEASE]), { root: trustedRoot() })),
      'BadSignature',
    );
  });
  test('an answer for another node is refused', () => {
    const answer = {
      fleet: FLEET,
      node: 'edge-2',
      nonce: 'a'.repeat(32),
      published: [],
      absent: [],
    };
    const opened = openHubDocument('answer', seal('answer', answer, [HUB]), {
      root: trustedRoot(),
      node: NODE_NAME,
    });
    assert.equal(codeOf(opened), 'WrongNode');
  });
  test('a node is believed by its identity key', () => {
    assert.equal(
      codeOf(openNodeDocument('presence', seal('presence', presence, [NODE]), who)),
      'accepted',
    );
  });
  test("S63 a node that signs another's status is refused", () => {
    const forged = seal('presence', presence, [signer('node edge-2')]);
    assert.equal(codeOf(openNodeDocument('presence', forged, who)), 'BadSignature');
  });
  test('a document that names another node is refused', () => {
    const other = seal('presence', { ...presence, node: 'edge-2' }, [NODE]);
    assert.equal(codeOf(openNodeDocument('presence', other, who)), 'WrongNode');
  });
  test('S38 garbage never throws', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('null'),
      Buffer.from('{}'),
      Buffer.from('[]'),
      Buffer.from('\u0000'),
    ]) {
      assert.equal(codeOf(openNodeDocument('status', bytes, who)), 'Malformed');
    }
  });
});
