/** Undo and restart: which revision is meant, what is refused and with what words, and what becomes of it in the store. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { withRestarts } from '../../../hub/cli/kept-restarts.js';
import type { BundleSource } from '../../../hub/cli/bundle-source.js';
import type { BundleObject } from '../../../hub/objects.js';
import type { RequestError } from '../../../hub/ports.js';
import { HELD_ANNOTATION } from '../../../hub/recovery/held-annotation.js';
import { revisionAgain, type AgainParts } from '../../../hub/rollout/again.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { CHANGE_CAUSE } from '../../../hub/rollout/change-cause.js';
import type { Outcome } from '../../../hub/rollout/history.js';
import { restartRefusal, undoChoice, type Choosable } from '../../../hub/rollout/undo-choice.js';
import type { RolloutObject } from '../../../hub/rollout/waves/rollout-object.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Actor, Store } from '../../../hub/store/store.js';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { RESTARTED_AT } from '../../../protocol/pod-identity.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { podManifest, RELEASE, ROOT, rootDocument, trustedRoot } from '../../support/fleet.js';
import { specOf } from '../../support/rollout-values.js';

const WHAT = 'bundle/shop -n default';
type Reason = 'Denied' | 'BelowFloor' | 'NotSigned';

/** The last one is the newest; `reason`: why the root withdraws it. */
function revisions(...of: readonly (Outcome | [Outcome, Reason])[]): Choosable[] {
  return of.map((one, i) => {
    const [outcome, reason] = typeof one === 'string' ? [one, null] : one;
    const withdrawal = reason === null ? null : { reason, message: 'root 3 says so' };
    return { revision: i + 1, isNewest: i === of.length - 1, outcome, withdrawal };
  });
}

describe('an undo', () => {
  const ROWS: readonly [
    string,
    Choosable[],
    Partial<{ asked: number; base: number }>,
    number | RegExp,
  ][] = [
    ['goes to the last that was complete', revisions('completed', 'completed', 'paused'), {}, 2],
    ['passes over what was aborted', revisions('completed', 'aborted', 'progressing'), {}, 1],
    [
      'passes over what never came to an end',
      revisions('atOnce', 'superseded', 'completed'),
      {},
      1,
    ],
    ['passes over what is not known', revisions('completed', 'unknown', 'completed'), {}, 1],
    [
      'takes what the rollout falls back to',
      revisions('unknown', 'unknown', 'paused'),
      { base: 2 },
      2,
    ],
    [
      'passes over what the root denies',
      revisions('completed', ['completed', 'Denied'], 'completed'),
      {},
      1,
    ],
    [
      'takes what merely lacks signatures: it is signed anew',
      revisions('completed', ['completed', 'NotSigned'], 'completed'),
      {},
      2,
    ],
    [
      'guesses nothing',
      revisions('unknown', 'aborted', 'completed'),
      {},
      /no revision before 3 is known to have gone well; say which: --to-revision N \(flotilla rollout history bundle\/shop -n default\)/,
    ],
    [
      'goes where a person says, whatever became of it',
      revisions('aborted', 'completed'),
      { asked: 1 },
      1,
    ],
    [
      'to the newest is none',
      revisions('completed', 'completed'),
      { asked: 2 },
      /2 is the newest: there is nothing/,
    ],
    [
      'to what is not there',
      revisions('completed', 'completed'),
      { asked: 9 },
      /there is no revision 9 \(/,
    ],
    [
      'to what the root denies is refused, named or not',
      revisions(['completed', 'Denied'], 'completed'),
      { asked: 1 },
      /the root withdraws revision 1 \(root 3 says so\).*choose another/,
    ],
    [
      'to what lies below the floor is refused',
      revisions(['atOnce', 'BelowFloor'], 'completed'),
      { asked: 1 },
      /the root withdraws revision 1/,
    ],
  ];
  for (const [sentence, of, { asked = null, base = null }, expected] of ROWS) {
    test(sentence, () => {
      const choice = undoChoice({ what: WHAT, revisions: of, asked, base });
      if (typeof expected === 'number') assert.deepEqual(choice, { ok: true, revision: expected });
      else assert.match(choice.ok ? 'it is done' : choice.refusal, expected);
    });
  }
});

describe('a restart', () => {
  const ROWS: readonly [string, Outcome | [Outcome, Reason], RegExp | null][] = [
    ['of what is complete is made', 'completed', null],
    ['of what is under way is made', 'progressing', null],
    ['of what went at once is made', 'atOnce', null],
    ['of what lacks signatures is made, and signed anew', ['completed', 'NotSigned'], null],
    [
      'of a paused rollout is refused, as by kubectl',
      'paused',
      /is paused: flotilla rollout resume bundle\/shop/,
    ],
    ['of what was aborted is refused', 'aborted', /was aborted, and nobody begins with it again/],
    [
      'of what the root denies is refused',
      ['completed', 'Denied'],
      /the root withdraws revision 1/,
    ],
  ];
  for (const [sentence, of, expected] of ROWS) {
    test(sentence, () => {
      const [newest] = revisions(of);
      const refusal = newest ? restartRefusal({ what: WHAT, newest }) : 'nothing to restart';
      if (expected === null) assert.equal(refusal, null);
      else assert.match(refusal ?? '', expected);
    });
  }
});

const ADMIN: Actor = { kind: 'user', name: 'admin' };

describe('at the hub', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-again-'));
  let store: Store;
  let files = 0;
  let now = Date.parse('2026-06-01T00:00:00Z');
  const clock = { ...REAL_CLOCK, now: () => now };
  after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  beforeEach(async () => {
    await (store as Store | undefined)?.close();
    store = await openSqliteStore({ path: join(directory, `${files++}.db`), clock });
  });
  const parts = (change: Partial<RootDocument> = {}, isSigner = true): AgainParts => {
    const root = () => trustedRoot(rootDocument(change), [ROOT]);
    const releaseSigner = isSigner ? RELEASE : null;
    return { store, root, clock, bundles: bundleWriter({ store, root, releaseSigner, clock }) };
  };
  const apply = (image: string, more = {}) =>
    parts().bundles.apply(ADMIN, {
      ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {} },
      spec: { nodeSelector: '', manifests: [podManifest('web', image)] as never, ...more },
      ...{ expect: 'any', dryRun: false },
    });
  const WISH = { namespace: 'default', name: 'shop', reason: '', seen: null, dryRun: false };
  const undo = (change = {}, of = parts()) =>
    revisionAgain(of).undo(ADMIN, { ...WISH, toRevision: null, ...change });
  const restart = (change = {}, of = parts()) =>
    revisionAgain(of).restart(ADMIN, { ...WISH, ...change });
  const bundle = async () => (await store.get('Bundle', 'default', 'shop')) as BundleObject;
  const imageOf = ({ spec }: BundleObject) =>
    (spec.manifests[0] as { spec: { containers: { image: string }[] } }).spec.containers[0]?.image;
  const refused = (reason: string, words: RegExp) => (error: RequestError) => {
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, words);
    return true;
  };

  test('an undo is a new revision with the former content, by the plan and for the nodes of now', async () => {
    await apply('web:1');
    await apply('web:2', { nodeSelector: 'a=b', rollout: specOf({ waves: [{ nodes: 1 }] }).plan });
    const { object, from, to } = await undo({ seen: 2 });
    assert.deepEqual([from, to, object.status.revision, imageOf(object)], [2, 1, 3, 'web:1']);
    assert.equal(object.spec.nodeSelector, 'a=b');
    assert.equal(object.metadata.annotations[CHANGE_CAUSE], 'undo to revision 1');
    const rollout = (await store.get('Rollout', 'default', 'shop')) as RolloutObject;
    assert.deepEqual([rollout.spec.to.revision, rollout.spec.base?.revision], [3, 1]);
    assert.equal(rollout.spec.plan.waves.length, 2);
    await assert.rejects(undo(), refused('Conflict', /revision 3, the newest, has .* revision 1/));
  });

  test('a dry run writes nothing, and a reason is the change cause', async () => {
    await apply('web:1');
    await apply('web:2');
    assert.equal((await undo({ dryRun: true })).object.status.revision, 3);
    assert.equal((await bundle()).status.revision, 2);
    const { object } = await undo({ reason: 'the door again' });
    assert.equal(object.metadata.annotations[CHANGE_CAUSE], 'the door again');
  });

  test('what another person applied meanwhile is not undone unseen', async () => {
    await apply('web:1');
    await apply('web:2');
    await apply('web:3');
    const words = /revision 3 is the newest now, not 2; look at it first/;
    await assert.rejects(undo({ seen: 2 }), refused('Conflict', words));
    assert.equal(imageOf(await bundle()), 'web:3');
  });

  test('a restart marks each pod as kubectl does; a second within the second is refused', async () => {
    await apply('web:1');
    const { object } = await restart();
    assert.equal(object.status.revision, 2);
    const at = object.spec.manifests[0]?.metadata?.annotations?.[RESTARTED_AT];
    assert.equal(at, '2026-06-01T00:00:00Z');
    await assert.rejects(restart(), refused('Conflict', /restarted within this second/));
    now += 1000;
    assert.equal((await restart({ reason: 'leak' })).object.status.revision, 3);
  });

  test('whose release keys are elsewhere is refused, with what the command needs to say so', async () => {
    await apply('web:1');
    await apply('web:2');
    for (const again of [undo, restart]) {
      await assert.rejects(again({}, parts({}, false)), (error: RequestError) => {
        assert.equal(error.causes[0]?.field, 'signatures');
        return refused('Forbidden', /cannot be signed here/)(error);
      });
    }
  });

  test('what the root denies is not made anew under another digest', async () => {
    const { object } = await apply('web:1');
    await apply('web:2');
    const denying = parts({ denied: [object.status.digest] });
    await assert.rejects(undo({ toRevision: 1 }, denying), refused('Conflict', /withdraws/));
    await assert.rejects(undo({ toRevision: 7 }), refused('NotFound', /no revision 7/));
  });

  test('a bundle that a restore holds is applied, not undone', async () => {
    const { object } = await apply('web:1');
    const annotations = { [HELD_ANNOTATION]: 'x' };
    const held = { ...object, metadata: { ...object.metadata, annotations } };
    await store.commit(ADMIN, [{ type: 'put', object: held, expect: 'any' }]);
    await assert.rejects(restart(), refused('Conflict', /held since the hub was restored/));
  });
});

describe('an apply after a restart', () => {
  const pod = (annotations?: Record<string, string>) =>
    ({
      ...podManifest('web'),
      metadata: { name: 'web', ...(annotations ? { annotations } : {}) },
    }) as never;
  const source = (one: never): BundleSource => ({
    ...{
      namespace: 'default',
      name: 'shop',
      manifests: [one],
      pods: [one],
      secrets: [],
      daemonSet: null,
      built: null,
    },
  });
  const after = (input: never, current: never) =>
    withRestarts(source(input), [current]).manifests[0]?.metadata?.annotations;

  test('leaves what the restart wrote, as kubectl’s does', () => {
    assert.deepEqual(after(pod(), pod({ [RESTARTED_AT]: 'then', other: 'x' })), {
      [RESTARTED_AT]: 'then',
    });
  });
  test('says another time where the manifest does', () => {
    const own = { [RESTARTED_AT]: 'now' };
    assert.deepEqual(after(pod(own), pod({ [RESTARTED_AT]: 'then' })), own);
  });
  test('adds nothing where nobody restarted', () => {
    assert.equal(after(pod(), pod({ other: 'x' })), undefined);
  });
});
