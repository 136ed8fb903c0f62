/** A pod that asks not to be disturbed: what waits for it, what does not, for how long, and who ends the wait. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { activateNow, waitsOf } from '../../../agent/site.js';
import { undo } from '../../../agent/site-undo.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { bundleDocument, podManifest, rootDocument, assigned } from '../../support/fleet.js';
import { ActivationWorld, made, type Made } from '../../support/activation-world.js';

const SINCE = Date.parse('2026-01-01T00:00:00Z');

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

/** Pods by name with their image; all of them may ask for time. */
function lockable(revision: number, pods: Record<string, string>, timeout = '1h'): Made {
  const manifests = Object.entries(pods).map(([name, image]) => {
    const pod = podManifest(name, image) as {
      metadata: object;
      spec: { containers: object[] };
    };
    const [container] = pod.spec.containers;
    const volumeMounts = [{ name: 'run', mountPath: '/run/app' }];
    const annotations = {
      'flotilla.dev/update-lock': 'run/busy',
      'flotilla.dev/update-lock-timeout': timeout,
    };
    return {
      ...pod,
      metadata: { ...pod.metadata, annotations },
      spec: {
        ...pod.spec,
        containers: [{ ...container, volumeMounts }],
        volumes: [{ name: 'run', emptyDir: {} }],
      },
    };
  });
  const of = { name: 'shop', revision, strategy: DEFAULT_STRATEGY };
  return { document: bundleDocument(manifests, of), pods: manifests };
}

const first = lockable(1, { web: 'web:1', till: 'till:1' });
const second = lockable(2, { web: 'web:2', till: 'till:1' });

/** Revision 1 is healthy, and this pod asks for time. */
function busy(image: string, revision = first): void {
  it.assign(revision);
  it.wait(11);
  assert.equal(it.state('shop'), 'healthy ContainersSettled');
  it.updateLocks.set(image, SINCE);
}

const LOCKED =
  'pod web asks not to be disturbed since 2026-01-01T00:00:00Z (run/busy; for 60 min at most)';

describe('a pod that asks not to be disturbed', () => {
  test('is not: the revision that changes it waits, staged, and says for which pod and since when', () => {
    busy('web:1');
    it.assign(second);
    assert.deepEqual([it.state('shop'), it.images()], ['waiting Locked', ['till:1', 'web:1']]);
    assert.equal(it.status('shop').message, LOCKED);
    const conditions = it.stage.conditions(it.root);
    assert.deepEqual(
      conditions.map(({ type, reason, message }) => `${type} ${reason} ${message}`),
      [`UpdatesLocked Locked bundle default/shop: ${LOCKED}`],
    );
    assert.equal(it.locks.againInMs(), 5_000);
  });

  test('costs one row of history, however long it asks', () => {
    busy('web:1');
    it.assign(second);
    const rows = it.history().length;
    for (let i = 0; i < 50; i++) {
      it.wait(5);
      it.pass();
    }
    assert.equal(it.history().length, rows);
  });

  test('has what waited in its place as soon as it takes the lock away', () => {
    busy('web:1');
    it.assign(second);
    it.updateLocks.clear();
    it.pass();
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
    assert.deepEqual([it.locks.againInMs(), it.stage.conditions(it.root)], [null, []]);
  });

  test('holds nothing back where its own file stays as it is', () => {
    busy('till:1');
    it.assign(second);
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
  });

  test('holds other bundles back in nothing', () => {
    busy('web:1');
    it.assign(second, made('other', 1));
    assert.deepEqual(it.images(), ['other:1', 'till:1', 'web:1']);
  });

  test('is waited for as long as it says at most, with an event then', () => {
    const short = lockable(1, { web: 'web:1' }, '10m');
    busy('web:1', short);
    it.assign(second);
    it.wait(599);
    it.pass();
    assert.deepEqual(it.images(), ['web:1']);
    it.wait(1);
    it.pass();
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
    const overdue = it.journal.events(0, 20).filter(one => one.reason === 'UpdateLockOverdue');
    assert.deepEqual(
      overdue.map(({ message }) => message),
      [
        'is not held back any longer: pod web asks not to be disturbed since 2026-01-01T00:00:00Z (run/busy; for 10 min at most)',
      ],
    );
  });

  test('is waited for anew by another revision', () => {
    busy('web:1', lockable(1, { web: 'web:1' }, '10m'));
    it.assign(second);
    it.wait(590);
    it.pass();
    it.assign(lockable(3, { web: 'web:3' }));
    it.wait(590);
    it.pass();
    assert.deepEqual(it.images(), ['web:1']);
  });

  test('is waited for as long as it says at most where a new revision and the way back wait side by side', () => {
    const trial = lockable(2, { web: 'web:2' }, '10m');
    it.assign(lockable(1, { web: 'web:1' }, '10m'));
    it.wait(11);
    busy('web:2', trial);
    const wish = { bundle: 'shop', by: 'mo', reason: '', isTrial: false, from: null };
    undo(it.journal, wish, { wayBack: record => it.stage.wayBack(record, it.root) });
    it.assign(lockable(3, { web: 'web:3' }));
    it.pass();
    assert.deepEqual(it.images(), ['web:2']);
    for (let minute = 0; minute < 11; minute++) {
      it.wait(60);
      it.pass();
    }
    assert.deepEqual(it.images(), ['web:3']);
  });

  test('is overridden at the device, by name, and the journal and the hub hear who did', () => {
    busy('web:1');
    it.assign(second);
    const wish = { bundle: null, by: 'mo', reason: 'recall' };
    const { bundles } = activateNow(it.journal, wish, { isLocked: one => it.locks.isHeld(one) });
    assert.equal(bundles.length, 1);
    it.pass();
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
    it.wait(11);
    assert.match(
      it.status('shop').message,
      /; activated although a pod asks not to be disturbed, asked for by mo \(recall\)$/,
    );
    assert.ok(it.journal.events(0, 20).some(({ reason }) => reason === 'LockOverridden'));
  });

  test('is overridden from the hub', () => {
    busy('web:1');
    it.assign({ made: second, now: { by: 'admin', reason: '' } });
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
  });

  test('keeps its bundle from being removed, until it is done or somebody says so', () => {
    busy('web:1');
    it.assign();
    assert.deepEqual([it.images().length, it.status('shop').state], [2, 'removing']);
    assert.match(it.stage.conditions(it.root)[0]?.message ?? '', /^bundle default\/shop: pod web /);
    const wish = { bundle: 'shop', by: 'mo', reason: '' };
    activateNow(it.journal, wish, { isLocked: one => it.locks.isHeld(one) });
    it.pass();
    assert.deepEqual(it.images(), []);
    const [event] = it.journal.events(0, 20).filter(({ reason }) => reason === 'LockOverridden');
    assert.match(event?.message ?? '', /^removed although a pod asks not to be/);
  });

  test('is removed now where another revision was wanted last: one that was given up before, or one that waits', () => {
    const third = assigned(lockable(3, { web: 'web:3' }).document);
    const last: readonly (readonly [string, () => void])[] = [
      [
        'what lies there is healthy, and the next one waits',
        () => {
          busy('web:1');
          it.assign(second);
        },
      ],
      [
        'what lies there was given up, and the next one was refused',
        () => {
          keptThere();
          it.root = rootDocument({ denied: [third.digest] });
          it.accept([third]);
          it.pass();
          assert.equal(it.state('shop'), 'failed Denied');
        },
      ],
    ];
    for (const [what, begin] of last) {
      it.close();
      it = new ActivationWorld();
      begin();
      it.accept([]);
      it.pass();
      assert.equal(it.images().length, 2, what);
      assert.deepEqual(
        now('shop').bundles.map(({ goesBack }) => goesBack),
        [false],
        what,
      );
      it.pass();
      assert.deepEqual(it.images(), [], what);
    }
  });

  test('does not keep what the root withdrew, where the owner wants that ended', () => {
    it.close();
    it = new ActivationWorld({ revokedBundles: 'stop' });
    busy('web:1');
    it.root = rootDocument({ denied: [assigned(first.document).digest] });
    it.pass();
    assert.deepEqual(it.images(), []);
  });

  test('keeps a person from undoing it, and the health gate: what runs stays, and says why', () => {
    it.assign(first);
    it.wait(11);
    busy('web:2', second);
    const wish = { bundle: 'shop', by: 'mo', reason: '', isTrial: false, from: null };
    undo(it.journal, wish, { wayBack: record => it.stage.wayBack(record, it.root) });
    it.pass();
    assert.deepEqual(
      [it.images(), it.state('shop')],
      [['till:1', 'web:2'], 'failed UndoneAtDevice'],
    );
    assert.match(it.status('shop').message, /cannot go back: pod web asks not to be disturbed /);
    const [why] = waitsOf(it.journal.bundles(), { bundles: it.journal.bundles() });
    assert.equal(why, LOCKED);
    it.updateLocks.clear();
    it.pass();
    assert.deepEqual(it.images(), ['till:1', 'web:1']);
  });

  test('in a volume that has to be asked: nothing is touched or written until the answer is there', () => {
    busy('web:1');
    it.updateLocks.set('web:1', 'looking');
    const rows = it.history().length;
    it.assign(second);
    assert.deepEqual([it.images(), it.history().length], [['till:1', 'web:1'], rows]);
    assert.deepEqual([it.locks.againInMs(), it.stage.conditions(it.root)], [250, []]);
    it.updateLocks.set('web:1', SINCE);
    it.pass();
    assert.deepEqual([it.status('shop').message, it.locks.againInMs()], [LOCKED, 5_000]);
    it.updateLocks.set('web:1', 'looking');
    it.pass();
    assert.deepEqual([it.images(), it.state('shop')], [['till:1', 'web:1'], 'waiting Locked']);
    assert.equal(it.stage.conditions(it.root).length, 1);
    it.updateLocks.clear();
    it.pass();
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
  });

  test('may do so in a volume that keeps silent: it is waited for as long as it might ask at most', () => {
    busy('web:1', lockable(1, { web: 'web:1' }, '10m'));
    it.updateLocks.set('web:1', 'unanswered');
    it.assign(second);
    assert.equal(
      it.status('shop').message,
      'pod web may ask not to be disturbed: its volume does not answer (run/busy; for 10 min at most)',
    );
    for (const seen of ['looking', 'unanswered'] as const) {
      it.wait(300);
      it.updateLocks.set('web:1', seen);
      it.pass();
    }
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
  });

  /** Revision 1 was healthy; a pod of revision 2, which is given up now, asks for time. */
  function keptThere(): void {
    it.assign(first);
    it.wait(11);
    busy('web:2', second);
    const wish = { bundle: 'shop', by: 'mo', reason: '', isTrial: false, from: null };
    undo(it.journal, wish, { wayBack: record => it.stage.wayBack(record, it.root) });
    it.pass();
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
  }

  function now(bundle: string | null) {
    const wish = { bundle, by: 'jo', reason: 'closing' };
    return activateNow(it.journal, wish, { isLocked: one => it.locks.isHeld(one) });
  }

  const overridden = () =>
    it.journal.events(0, 50).flatMap(({ reason, message }) => {
      return reason === 'LockOverridden' ? [message] : [];
    });

  for (const bundle of ['shop', null]) {
    test(`has the way back end its lock at the device (${bundle ?? 'without a name'}), once, and everybody hears who wanted that`, () => {
      keptThere();
      assert.deepEqual(now(bundle).bundles, [
        { namespace: 'default', name: 'shop', revision: 2, goesBack: true, isRemoval: false },
      ]);
      it.pass();
      assert.deepEqual(
        [it.images(), it.state('shop')],
        [['till:1', 'web:1'], 'rolledBack UndoneAtDevice'],
      );
      const said = 'although a pod asks not to be disturbed, asked for by jo (closing)';
      assert.deepEqual(overridden(), [`revision 2: gone back from ${said}`]);
      assert.equal(
        it.status('shop').message,
        `undone at the device by mo; back at revision 1 ${said}`,
      );
      const [word] = it.journal.site().overrides();
      assert.deepEqual([word?.usedAt !== null, word?.past], [true, 'lock']);
    });
  }

  test('has the way back end its lock from the hub, by a word that is about the way back', () => {
    keptThere();
    it.assign({ made: second, now: { by: 'admin', reason: 'recall' } });
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
    it.assign({ made: second, now: { by: 'admin', reason: 'recall', back: true } });
    assert.deepEqual(it.images(), ['till:1', 'web:1']);
    assert.deepEqual(overridden(), [
      'revision 2: gone back from although a pod asks not to be disturbed, asked for by admin (recall)',
    ]);
  });

  test('is waited for on the way back although somebody wanted the revision at once before it was given up', () => {
    it.assign(first);
    it.wait(11);
    it.accept([assigned(second.document)]);
    it.pass();
    now('shop');
    assert.equal(it.journal.site().overrides()[0]?.usedAt, null);
    keptThere();
    assert.match(it.status('shop').message, /cannot go back: pod web asks/);
    assert.deepEqual(it.journal.site().overrides(), []);
  });

  test('is asked for when the agent was started anew, before its pods are known', () => {
    busy('web:1');
    it.arePodsKnown = false;
    it.accept([assigned(second.document)]);
    it.store(second);
    it.restart();
    assert.deepEqual(it.images(), ['till:1', 'web:1']);
    it.arePodsKnown = true;
    it.pass();
    assert.equal(it.state('shop'), 'waiting Locked');
  });

  test('is forgotten where nobody ever tells how the pods are', () => {
    busy('web:1');
    it.arePodsKnown = false;
    it.assign(second);
    it.wait(60);
    it.pass();
    assert.deepEqual(it.images(), ['till:1', 'web:2']);
  });
});
