/** How revisions went through the fleet: what is kept as another takes their place, what is told of it, and what nobody knows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { historyLines, revisionLines } from '../../../hub/cli/history-text.js';
import type { RevisionApiObject, WholeRevision } from '../../../hub/cli/revisions.js';
import type { BundleObject } from '../../../hub/objects.js';
import type { RequestError } from '../../../hub/ports.js';
import { HELD_ANNOTATION } from '../../../hub/recovery/held-annotation.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { CHANGE_CAUSE } from '../../../hub/rollout/change-cause.js';
import { historyOf, pastOf, type Ending } from '../../../hub/rollout/history.js';
import { rolloutDesk } from '../../../hub/rollout/say.js';
import type { RolloutObject, RolloutStatus } from '../../../hub/rollout/waves/rollout-object.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Actor, RevisionRecord, Store } from '../../../hub/store/store.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { podManifest, RELEASE, trustedRoot } from '../../support/fleet.js';
import { at, BEGUN, NEW, named, OLD, specOf } from '../../support/rollout-values.js';

const WAVE = { startedAt: at(1), settledAt: null, passedAt: null };
const UNDER_WAY: RolloutStatus = { ...BEGUN, since: at(0), waves: [WAVE] };
const PLAN = { waves: [{ nodes: 1 }] };
const SAID = { by: 'bob', at: at(5), reason: 'smells' };

const status = (change: Partial<RolloutStatus>): RolloutStatus => ({ ...UNDER_WAY, ...change });
const rolloutOf = (of: RolloutStatus, change = {}) => ({ spec: specOf(PLAN, change), status: of });

/** Its newest revision is 2. */
function bundle(annotations: Record<string, string> = {}): BundleObject {
  const metadata = { namespace: 'default', name: 'shop', annotations };
  const spec = { nodeSelector: 'app=web', manifests: [] };
  const { revision, digest } = NEW;
  return {
    kind: 'Bundle',
    metadata,
    spec,
    status: { revision, digest },
  } as unknown as BundleObject;
}

const recordOf = (one: typeof NEW, createdBy = 'ann') =>
  ({ ...one, createdBy }) as unknown as RevisionRecord;

describe('a rollout that another revision replaces', () => {
  const ending = (change: Partial<Ending> = {}): Ending => ({
    ...{ bundle: bundle({ [CHANGE_CAUSE]: 'new door' }), record: recordOf(NEW), rollout: null },
    ...{ by: 'cat', at: at(60), next: 3 },
    ...change,
  });
  /** As it is told once revision 3 is the newest. */
  const told = (change: Partial<Ending>) => {
    const kept = pastOf(ending(change));
    const past = kept === null ? [] : [JSON.parse(JSON.stringify(kept)) as typeof kept];
    const {
      outcome,
      message,
      by,
      at: since,
      next,
    } = historyOf(recordOf(NEW), {
      ...{ bundle: null, rollout: null, past },
    });
    return [outcome, since, by, message, next];
  };

  const ROWS: readonly [string, Partial<Ending>, ReturnType<typeof told>][] = [
    [
      'in mid-wave is superseded: by whom, and where it was',
      { rollout: rolloutOf(UNDER_WAY) },
      ['superseded', at(60), 'cat', 'in wave 1 of 2', 3],
    ],
    [
      'paused is superseded, and was paused',
      { rollout: rolloutOf(status({ phase: 'paused', reason: 'Person', since: at(9) })) },
      ['superseded', at(60), 'cat', 'paused in wave 1 of 2', 3],
    ],
    [
      'complete stays complete, since when it was',
      { rollout: rolloutOf(status({ phase: 'completed', reason: 'Done', since: at(9) })) },
      ['completed', at(9), null, '', 3],
    ],
    [
      'aborted by a person says who and why',
      {
        rollout: rolloutOf(status({ phase: 'aborted', reason: 'Person', since: at(6) }), {
          aborted: SAID,
        }),
      },
      ['aborted', at(6), 'bob', 'smells', 3],
    ],
    [
      'aborted by failures says them',
      {
        rollout: rolloutOf(
          status({ phase: 'aborted', reason: 'TooManyFailures', message: '1 failed, 0 may' }),
        ),
      },
      ['aborted', at(0), null, '1 failed, 0 may', 3],
    ],
    [
      'withdrawn by the root is that',
      { rollout: rolloutOf(status({ phase: 'paused', reason: 'Withdrawn', message: 'denied' })) },
      ['withdrawn', at(0), null, 'denied', 3],
    ],
    ['without a plan went at once', {}, ['atOnce', null, null, '', 3]],
    [
      'of a bundle that is deleted ends with it',
      { rollout: rolloutOf(UNDER_WAY), next: null },
      ['removed', at(60), 'cat', 'in wave 1 of 2', null],
    ],
    [
      'that came back from the fleet is not known',
      { record: recordOf(NEW, 'fleet') },
      ['unknown', null, null, '', null],
    ],
    [
      'of an earlier revision than the newest that came back tells nothing of this one',
      { rollout: rolloutOf(UNDER_WAY, { to: OLD }) },
      ['unknown', null, null, '', null],
    ],
  ];
  for (const [sentence, change, expected] of ROWS) {
    test(sentence, () => assert.deepEqual(told(change), expected));
  }

  test('keeps its change cause and for whom it was', () => {
    const { changeCause, nodeSelector } = pastOf(ending()) ?? {};
    assert.deepEqual([changeCause, nodeSelector], ['new door', 'app=web']);
  });
});

describe('the newest revision', () => {
  const known = (of: RolloutStatus | null, annotations = {}, createdBy = 'ann') => {
    const rollout = of === null ? null : rolloutOf(of, { paused: SAID });
    const { outcome, message } = historyOf(recordOf(NEW, createdBy), {
      ...{ bundle: bundle(annotations), rollout, past: [] },
    });
    return [outcome, message];
  };
  const HELD = { [HELD_ANNOTATION]: at(0) };

  test('is as its Rollout stands', () => {
    assert.deepEqual(known(UNDER_WAY), ['progressing', 'wave 1 of 2']);
    assert.deepEqual(known(status({ phase: 'paused', reason: 'Person' })), ['paused', 'smells']);
    assert.deepEqual(known(status({ phase: 'completed', reason: 'Done' })), ['completed', '']);
    assert.deepEqual(known(null), ['atOnce', '']);
  });

  test('held since a restore is not said to progress', () => {
    assert.deepEqual(known(UNDER_WAY, HELD), ['unknown', 'held since the hub was restored']);
    assert.deepEqual(known(null, HELD), ['unknown', 'held since the hub was restored']);
    const complete = status({ phase: 'completed', reason: 'Done' });
    assert.deepEqual(known(complete, HELD), ['completed', '']);
  });

  test('that the fleet brought back after a restore is unknown', () => {
    assert.deepEqual(known(null, {}, 'fleet'), ['unknown', '']);
  });
});

const ADMIN: Actor = { kind: 'user', name: 'admin' };

describe('the history of a bundle', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-history-'));
  let store: Store;
  before(async () => {
    store = await openSqliteStore({ path: join(directory, 'hub.db'), clock: REAL_CLOCK });
  });
  after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const root = () => trustedRoot();
  const apply = (image: string, { cause = '', plan = false } = {}) =>
    bundleWriter({ store, root, releaseSigner: RELEASE, clock: REAL_CLOCK }).apply(ADMIN, {
      ...{ namespace: 'default', name: 'shop', labels: {}, expect: 'any', dryRun: false },
      annotations: cause === '' ? {} : { [CHANGE_CAUSE]: cause },
      spec: {
        nodeSelector: '',
        manifests: [podManifest('web', image)] as never,
        ...(plan ? { rollout: specOf(PLAN).plan } : {}),
      },
    });
  const tell = async () => {
    const desk = rolloutDesk({ store, root, clock: REAL_CLOCK });
    const entries = await desk.history({ namespace: 'default', name: 'shop' });
    return entries.map(({ record, history, isNewest, signatures }) => [
      ...[record.revision, history.outcome, history.changeCause, isNewest],
      signatures.map(({ verdict }) => verdict).join(),
    ]);
  };

  test('is written as revisions take each other’s place, and as the bundle goes', async () => {
    await apply('web:1', { cause: 'first' });
    await apply('web:2', { cause: 'second', plan: true });
    // The same again without a cause says nothing new of why.
    await apply('web:2', { plan: true });
    assert.deepEqual(await tell(), [
      [1, 'atOnce', 'first', false, 'good'],
      [2, 'progressing', 'second', true, 'good'],
    ]);
    const rollout = (await store.get('Rollout', 'default', 'shop')) as RolloutObject;
    const done = { ...rollout.status, phase: 'completed', reason: 'Done' };
    await store.commit(ADMIN, [
      { type: 'put', object: { ...rollout, status: done }, expect: 'any' },
    ]);
    await apply('web:3', { plan: true });
    await apply('web:4', { plan: true, cause: 'fourth' });
    await bundleWriter({ store, root, releaseSigner: RELEASE, clock: REAL_CLOCK }).remove(ADMIN, {
      ...{ namespace: 'default', name: 'shop', dryRun: false },
    });
    assert.deepEqual(await tell(), [
      [1, 'atOnce', 'first', false, 'good'],
      [2, 'completed', 'second', false, 'good'],
      [3, 'superseded', '', false, 'good'],
      [4, 'removed', 'fourth', false, 'good'],
    ]);
  });

  for (const cause of ['two\nlines', 'x'.repeat(257), 'turned \u202e round']) {
    test(`a change cause that is no line is refused: ${JSON.stringify(cause).slice(0, 20)}`, async () => {
      await assert.rejects(apply('web:5', { cause }), (error: RequestError) => {
        return error.reason === 'Invalid' && error.causes[0]?.field === 'metadata.annotations';
      });
    });
  }
});

describe('the words', () => {
  const item = (revision: number, change: Partial<RevisionApiObject['status']> = {}) =>
    ({
      metadata: { name: `shop-${revision}`, creationTimestamp: at(0) },
      spec: { ...named(revision), createdBy: 'ann' },
      status: {
        ...{ isNewest: false, nodeSelector: '', outcome: 'completed', at: at(60), by: null },
        ...{ message: '', next: null, rollout: null, withdrawn: null },
        signatures: [{ keyid: 'k1', verdict: 'good' }],
        ...change,
      },
    }) as RevisionApiObject;

  test('of the list are columns, as kubectl has them', () => {
    const lines = historyLines('shop', [
      item(1),
      item(2, { outcome: 'aborted', by: 'bob', message: 'smells' }),
      item(3, {
        ...{ outcome: 'superseded', by: 'cat', next: 4, message: 'in wave 1 of 2' },
        withdrawn: { reason: 'Denied', message: 'root 3 denies its digest' },
      }),
      item(4, { outcome: 'unknown', at: null, signatures: [{ keyid: 'k2', verdict: 'foreign' }] }),
    ]);
    assert.deepEqual(
      lines.map(line => line.replace(/ {2,}/g, '  ')),
      [
        'bundle/shop',
        'REVISION  MADE  BY  SIGNATURES  ROLLOUT  CHANGE-CAUSE',
        '1  2026-06-01T00:00:00Z  ann  1  complete 2026-06-01T00:01:00Z  <none>',
        '2  2026-06-01T00:00:00Z  ann  1  aborted 2026-06-01T00:01:00Z by bob (smells)  <none>',
        '3  2026-06-01T00:00:00Z  ann  1  superseded by revision 4 2026-06-01T00:01:00Z (in wave 1 of 2), withdrawn by the root now (Denied)  <none>',
        '4  2026-06-01T00:00:00Z  ann  0, 1 not in force  <unknown>  <none>',
      ],
    );
  });

  test('of one revision say what it is: images, strategy, plan, waves', () => {
    const {
      metadata,
      spec,
      status: told,
    } = item(2, {
      rollout: {
        ...{ plan: specOf(PLAN).plan, base: OLD, begun: SAID, paused: null, aborted: null },
        words: [{ verb: 'pause', ...SAID }],
        status: status({ waves: [{ ...WAVE, passedAt: at(30) }] }),
      },
    });
    const whole: WholeRevision = {
      metadata: { ...metadata, annotations: { [CHANGE_CAUSE]: 'new door' } },
      spec: {
        ...spec,
        images: [{ image: 'web:1', digests: [`sha256:${'a'.repeat(64)}`] }],
        strategy: DEFAULT_STRATEGY,
        requires: { arch: [], hardware: [], minAgent: null },
        ...{ rollbackFloor: 1, secrets: ['db'], manifests: [podManifest('web')] as never },
      },
      status: told,
    };
    const lines = revisionLines('shop', whole);
    const text = lines.join('\n');
    assert.equal(lines[0], 'bundle/shop with revision #2');
    for (const pattern of [
      /^Change cause: +new door$/m,
      /^Made: +2026-06-01T00:00:00Z by ann$/m,
      /^Rolled out: +waves 1 node, 100%; max unavailable 1;/m,
      /^ {2}wave 1 of 2 \(1 node\): began .*01Z, passed .*30Z$/m,
      /^ {2}wave 2 of 2 \(100%\): did not begin$/m,
      /^ {2}2026-06-01T00:00:05Z pause by bob \(smells\)$/m,
      /^Secrets: +db$/m,
      /^ {2}image +web:1 {2}\(pinned to sha256:a+\)$/m,
    ]) {
      assert.match(text, pattern);
    }
  });
});
