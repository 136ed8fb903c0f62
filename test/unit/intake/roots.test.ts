/** The walk along the chain of roots, and what a root says of itself: its end, the least agent (S13, S14, 1.6, 1.8). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rootConditions, rootRefuses, withdrawnRefusal } from '../../../agent/intake/decide.js';
import { RootWalk, STEPS_MAX } from '../../../agent/intake/roots.js';
import { seal } from '../../../protocol/envelope.js';
import { topicsOf } from '../../../protocol/topics.js';
import {
  assignmentDocument,
  FLEET,
  NODE_NAME,
  ROOT,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';
import { chainedDocument, chainedRoot } from '../../support/root-chain.js';

const walk = () => new RootWalk(topicsOf(FLEET), NODE_NAME);

describe('the walk along the chain of roots', () => {
  test('S13, S32: a root whose keys only those in between name has the next one asked for', () => {
    const roots = walk();
    assert.equal(roots.offer(chainedRoot(5), trustedRoot()).is, 'held');
    assert.equal(roots.next(), 2);
    assert.equal(roots.overdue()[0]?.refusal?.code, 'BadSignature', 'if it never comes');
    const second = roots.offer(chainedRoot(2), trustedRoot());
    assert.equal(second.is, 'accepted');
    assert.deepEqual(
      roots.release().map(({ topic }) => topic),
      [topicsOf(FLEET).root()],
    );
    assert.deepEqual(roots.overdue(), []);
  });

  test('S13: a root that nobody vouches for is given up after three questions; a genuine one is not', () => {
    const forged = seal('root', chainedDocument(900), [signer('stranger')]);
    const roots = walk();
    roots.offer(forged, trustedRoot());
    for (const left of [2, 2, null]) {
      assert.equal(roots.overdue().length, 1);
      assert.equal(roots.next(), left);
    }
    const genuine = seal('root', rootDocument({ version: 4 }), [ROOT]);
    roots.offer(genuine, trustedRoot());
    for (const ask of [1, 2, 3, 4]) assert.equal(roots.overdue().length, 1, `${ask}`);
    assert.equal(roots.next(), 2);
  });

  test('S12: the next root without the former keys is refused at once', () => {
    const forged = seal('root', chainedDocument(2), [signer('root key 2')]);
    const outcome = walk().offer(forged, trustedRoot());
    assert.equal(outcome.is === 'refused' && outcome.refusal.code, 'BadSignature');
  });

  test("an assignment and the hub's presence that came before their root are looked at again", () => {
    const roots = walk();
    const refusal = { code: 'BadSignature', detail: '' } as const;
    assert.equal(
      roots.hold(refusal, Buffer.from('a'), trustedRoot()),
      false,
      'no root is on its way',
    );
    assert.equal(roots.holdHub(Buffer.from('h')), false);
    assert.equal(roots.offer(chainedRoot(2), trustedRoot()).is, 'accepted');
    assert.deepEqual(
      roots.release().map(({ address }) => address.kind),
      ['hub', 'assignment'],
    );
  });

  test('a foreign signature has the next root looked for: at once, then after two minutes, four, and so on up to an hour', () => {
    const MINUTE = 60_000;
    const roots = walk();
    const giveUp = () => [1, 2, 3].forEach(() => roots.overdue());
    let now = 0;
    for (const pause of [2, 4, 8, 16, 32, 60, 60]) {
      assert.equal(roots.suspect(trustedRoot(), now), true, `minute ${now / MINUTE}`);
      assert.equal(roots.next(), 2);
      assert.equal(roots.suspect(trustedRoot(), now), false, 'it is looked for already');
      giveUp();
      assert.equal(roots.next(), null, 'nobody vouches for it');
      assert.equal(roots.suspect(trustedRoot(), now + pause * MINUTE - 1), false);
      now += pause * MINUTE;
    }
    assert.equal(roots.offer(chainedRoot(2), trustedRoot()).is, 'accepted');
    assert.equal(roots.suspect(trustedRoot(), now), true, 'there was one');
  });

  test('S14: ends after 1,024 steps, and goes on with the next connection', () => {
    const roots = walk();
    let current = trustedRoot();
    for (let version = 2; version <= STEPS_MAX + 1; version++) {
      const outcome = roots.offer(chainedRoot(version), current);
      assert.ok(outcome.is === 'accepted');
      current = outcome.root;
    }
    assert.equal(roots.offer(chainedRoot(STEPS_MAX + 3), current).is, 'held');
    assert.equal(roots.next(), null);
    roots.reconnected();
    assert.equal(roots.next(), STEPS_MAX + 2);
  });
});

describe('a root says of itself', () => {
  const at = (text: string) => Date.parse(text);
  const root = rootDocument({
    issued: '2026-01-01T00:00:00.000Z',
    expires: '2026-01-11T00:00:00.000Z',
    minAgent: '0.3.0',
  });
  const young = rootDocument({ expires: '2036-01-01T00:00:00.000Z' });
  const rows: [string, () => unknown, unknown][] = [
    [
      'nothing in its first four fifths',
      () => rootConditions({ ...root, minAgent: null }, at('2026-01-08T23:00:00Z'), '0.1.0'),
      [],
    ],
    [
      'that it ends',
      () => rootConditions(root, at('2026-01-09T00:00:01Z'), '0.3.0').map(c => c.reason),
      ['NearEnd'],
    ],
    [
      'that it has ended',
      () => rootConditions(root, at('2026-01-12T00:00:00Z'), '0.3.0').map(c => c.reason),
      ['Expired'],
    ],
    [
      'that nothing but the next root is accepted then',
      () => rootRefuses(root, at('2026-01-12T00:00:00Z'), '0.3.0')?.code,
      'Expired',
    ],
    [
      'that this agent is too old',
      () => rootConditions(root, at('2026-01-02T00:00:00Z'), '0.2.9').map(c => c.type),
      ['AgentTooOld'],
    ],
    [
      'that an agent too old takes nothing new',
      () => rootRefuses(root, at('2026-01-02T00:00:00Z'), '0.2.9')?.code,
      'Unsupported',
    ],
    [
      'that the agent may be just that version',
      () => rootRefuses(root, at('2026-01-02T00:00:00Z'), '0.3.0'),
      null,
    ],
    [
      'nothing against a good one',
      () => rootRefuses(young, at('2026-06-01T00:00:00Z'), '0.0.1'),
      null,
    ],
  ];
  for (const [sentence, look, expected] of rows) {
    test(sentence, () => assert.deepEqual(look(), expected));
  }
});

describe('an assignment that lists what the root withdrew', () => {
  const listed = assignmentDocument();
  const [bundle] = listed.bundles;
  const denying = rootDocument({ denied: [bundle?.digest ?? ''] });
  const floored = rootDocument({ floors: { 'default/shop': 2 } });
  const rows: [string, ReturnType<typeof withdrawnRefusal>, string | undefined][] = [
    [
      'is refused where it would begin: denied',
      withdrawnRefusal(listed, { accepted: null, root: denying }),
      'Denied',
    ],
    [
      'is refused where it would begin: below a floor',
      withdrawnRefusal(listed, { accepted: null, root: floored }),
      'Rollback',
    ],
    [
      'is accepted where it was accepted before',
      withdrawnRefusal(listed, { accepted: listed, root: denying }),
      undefined,
    ],
    [
      'is accepted when the root withdrew something else',
      withdrawnRefusal(listed, { accepted: null, root: rootDocument() }),
      undefined,
    ],
  ];
  for (const [sentence, refusal, code] of rows) {
    test(`S19: ${sentence}`, () => assert.equal(refusal?.code, code));
  }
});
