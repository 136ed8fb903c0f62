/** A person at the device goes back: what runs in the end, what is remembered, what stands in the way. On real files and a real journal. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { activateNow, hold } from '../../../agent/site.js';
import { redo, undo } from '../../../agent/site-undo.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { assigned, rootDocument } from '../../support/fleet.js';
import { ActivationWorld, made, type Made } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const first = made('shop', 1);
const second = made('shop', 2);
const third = made('shop', 3);
const digestOf = (one: Made) => assigned(one.document).digest;

/** Each of them in turn becomes healthy. */
function rolledOut(...revisions: Made[]): void {
  for (const revision of revisions) {
    it.assign(revision);
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  }
}

function undone(bundle: string | null = null, isTrial = false, from: number | null = null) {
  const wish = { bundle, by: 'mo', reason: 'leaks', isTrial, from };
  const answer = undo(it.journal, wish, { wayBack: record => it.stage.wayBack(record, it.root) });
  it.pass();
  return answer;
}

describe('a person at the device who undoes', () => {
  test('what is healthy gets the revision that was healthy before: who and why stand in the state, the journal and an event', () => {
    rolledOut(first, second);
    const answer = undone();
    assert.deepEqual(answer.bundles, [
      { namespace: 'default', name: 'shop', revision: 2, to: 1, next: null },
    ]);
    assert.deepEqual(it.images(), ['shop:1']);
    const { state, reason, message, revision, failed, active } = it.status('shop');
    assert.deepEqual(
      [state, reason, message],
      ['rolledBack', 'UndoneAtDevice', 'undone at the device by mo (leaks); back at revision 1'],
    );
    assert.deepEqual([revision, failed, active], [2, digestOf(second), digestOf(first)]);
    const events = it.journal.events(0, 10).map(one => `${one.reason}: ${one.message}`);
    assert.deepEqual(events.slice(2), [
      'UndoneAtDevice: goes back to the revision that was healthy before, asked for by mo (leaks)',
      'BundleRolledBack: revision 2 gives way to revision 1, the last healthy one; undone by hand at the device, where flotilla-agent redo shop takes that back',
    ]);
    const words = readJournal(it.dataDir).history.flatMap(({ entry }) =>
      entry.kind === 'site' ? [`${entry.word} ${entry.name} ${entry.by} ${entry.reason}`] : [],
    );
    assert.deepEqual(words, ['undo shop mo leaks']);
  });

  test('is refused when what was asked about gave way meanwhile', () => {
    rolledOut(first, second);
    assert.throws(
      () => undone('shop', false, 3),
      /is at revision 2 by now, not at 3: nothing was undone/,
    );
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
    assert.deepEqual(undone('shop', false, 2).bundles[0]?.to, 1);
  });

  test('is not overruled by a restart, by the same assignment made anew, by pods that were ready all along', () => {
    rolledOut(first, second);
    undone();
    const said = it.history().length;
    it.restart();
    it.wait(700);
    it.assign(second);
    it.wait(700);
    assert.deepEqual([it.images(), it.status('shop').state], [['shop:1'], 'rolledBack']);
    assert.equal(it.history().length, said);
  });

  test('has it tried again when the hub raises the attempt, and may undo it again', () => {
    rolledOut(first, second);
    undone();
    it.assign({ made: second, attempt: 1 });
    it.wait(11);
    assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'healthy ContainersSettled']);
    undone('shop');
    it.assign({ made: second, attempt: 1 });
    assert.deepEqual([it.images(), it.status('shop').attempt], [['shop:1'], 1]);
  });

  test('gets what the hub assigns next, which goes back to the last healthy one if it fails', () => {
    rolledOut(first, second);
    undone();
    it.fates.set('shop:3', 'failed');
    it.assign(third);
    it.wait(1);
    assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], 'rolledBack PodFailed']);
  });

  test('what is on trial gets the last healthy one, before the deadline', () => {
    rolledOut(first);
    it.fates.set('shop:2', 'crash');
    it.assign(second);
    undone('default/shop');
    assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], 'rolledBack UndoneAtDevice']);
  });

  test('what failed and stays by onFailure: keep', () => {
    rolledOut(first);
    it.fates.set('shop:2', 'crash');
    it.assign(made('shop', 2, { strategy: { onFailure: 'keep' } }));
    it.wait(600);
    assert.deepEqual(it.images(), ['shop:2']);
    undone();
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('what another one gave way to: the wanted one stays given up, and says what runs in the end', () => {
    rolledOut(first, second);
    it.fates.set('shop:3', 'failed');
    it.assign(third);
    it.wait(1);
    undone();
    assert.deepEqual(it.images(), ['shop:1']);
    const { state, reason, revision, message } = it.status('shop');
    assert.deepEqual([state, reason, revision], ['rolledBack', 'PodFailed', 3]);
    assert.match(
      message,
      /; back at revision 2; then undone at the device by mo \(leaks\); back at revision 1$/,
    );
  });

  test('is told of another revision that waits and takes its place all the same', () => {
    rolledOut(first, second);
    const strategy = {
      maintenanceWindows: [{ schedule: '0 3 1 1 *', duration: '1h', timeZone: 'UTC' }],
    };
    it.assign(made('shop', 3, { strategy }));
    assert.equal(undone().bundles[0]?.next, 3);
    assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], 'waiting Window']);
  });

  test('is told first what would become of it, and nothing is written then', () => {
    rolledOut(first, second);
    const rows = it.history().length;
    assert.equal(undone(null, true).bundles[0]?.to, 1);
    assert.deepEqual([it.images(), it.history().length], [['shop:2'], rows]);
  });

  test('waits for images that are gone: until they are here what runs stays, and says why', () => {
    it.close();
    const gone = { reason: 'RegistryUnavailable', message: 'image "shop:1": no answer' };
    let missing = false;
    const images = {
      hold: ({ isReturn }: { isReturn?: boolean }) => (missing && isReturn ? gone : null),
      confirm: () => true,
      drop: () => undefined,
      dropReturn: () => undefined,
    };
    it = new ActivationWorld({ images });
    rolledOut(first, second);
    missing = true;
    undone();
    it.wait(30);
    assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'failed UndoneAtDevice']);
    assert.match(it.status('shop').message, /; cannot go back: image "shop:1": no answer$/);
    it.restart();
    missing = false;
    it.pass();
    assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], 'rolledBack UndoneAtDevice']);
  });
});

function redone(bundle: string | null = null, isTrial = false) {
  const answer = redo(it.journal, { bundle, by: 'jo', reason: 'mended', isTrial });
  it.pass();
  return answer;
}

describe('a person at the device who takes an undo back', () => {
  test('has what was undone tried again, by the rules for what begins: who and why stand in the journal and an event', () => {
    rolledOut(first, second);
    undone();
    assert.deepEqual(redone().bundles, [
      {
        ...{ namespace: 'default', name: 'shop', revision: 2, isThere: false },
        why: 'undone at the device by mo (leaks)',
      },
    ]);
    const { failed, attempt } = it.status('shop');
    assert.deepEqual([it.images(), failed, attempt], [['shop:2'], null, 0]);
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
    const event = it.journal.events(0, 20).find(({ reason }) => reason === 'RedoneAtDevice');
    assert.equal(event?.message, 'what was undone is tried again, asked for by jo (mended)');
    const words = readJournal(it.dataDir).history.flatMap(({ entry }) =>
      entry.kind === 'site' ? [`${entry.word} ${entry.by} ${entry.reason}`] : [],
    );
    assert.deepEqual(words, ['undo mo leaks', 'redo jo mended']);
  });

  test('may undo it again, and take that back again', () => {
    rolledOut(first, second);
    for (let i = 0; i < 3; i++) {
      undone('shop');
      assert.deepEqual(it.images(), ['shop:1']);
      redone('shop');
      it.wait(11);
      assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'healthy ContainersSettled']);
    }
  });

  test('has it on trial: what fails then goes back to the one that was gone back to', () => {
    rolledOut(first, second);
    undone();
    it.fates.set('shop:2', 'failed');
    redone();
    it.wait(1);
    assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], 'rolledBack PodFailed']);
    assert.throws(() => redone(), /nothing that the hub wants was undone here/);
  });

  test('waits for its maintenance window like any other, until somebody does not', () => {
    const strategy = {
      maintenanceWindows: [{ schedule: '0 3 1 1 *', duration: '1h', timeZone: 'UTC' }],
    };
    const narrow = made('shop', 2, { strategy });
    rolledOut(first);
    it.assign({ made: narrow, now: { by: 'admin', reason: '' } });
    it.wait(11);
    undone();
    it.assign(narrow);
    redone();
    assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], 'waiting Window']);
    activateNow(it.journal, { bundle: 'shop', by: 'jo', reason: '' }, { isLocked: () => false });
    it.pass();
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('before anything went back: it stays, and is healthy when it is proven', () => {
    it.close();
    let missing = false;
    const gone = { reason: 'RegistryUnavailable', message: 'image "shop:1": no answer' };
    const images = {
      hold: ({ isReturn }: { isReturn?: boolean }) => (missing && isReturn ? gone : null),
      confirm: () => true,
      drop: () => undefined,
      dropReturn: () => undefined,
    };
    it = new ActivationWorld({ images });
    rolledOut(first, second);
    missing = true;
    undone();
    assert.equal(redone().bundles[0]?.isThere, true);
    missing = false;
    it.restart();
    it.wait(11);
    assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'healthy ContainersSettled']);
    undone();
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('is told first what would become of it, and nothing is written then', () => {
    rolledOut(first, second);
    undone();
    const rows = it.history().length;
    redone(null, true);
    assert.deepEqual([it.images(), it.history().length], [['shop:1'], rows]);
  });

  test('is named where somebody undoes twice', () => {
    rolledOut(first, second);
    undone();
    assert.throws(
      () => undone('shop'),
      /is kept here; revision 2 was undone at the device by mo \(leaks\): flotilla-agent redo takes that back$/,
    );
  });
});

describe('there is nothing to take back', () => {
  const rows: readonly (readonly [string, () => void, string | null, RegExp])[] = [
    [
      'where nothing was undone',
      () => rolledOut(first, second),
      'shop',
      /^HttpError: bundle default\/shop: nothing of it was undone at the device$/,
    ],
    [
      'where nothing was undone, without a name',
      () => rolledOut(first),
      null,
      /nothing that the hub/,
    ],
    [
      'where the hub wants another revision by now',
      () => {
        rolledOut(first, second);
        undone();
        it.assign(third);
      },
      'shop',
      /revision 2 was undone, and the hub wants revision 3 by now$/,
    ],
    [
      'where the hub raised the attempt: it was tried again already',
      () => {
        rolledOut(first, second);
        undone();
        it.assign({ made: second, attempt: 1 });
      },
      'shop',
      /nothing of it was undone/,
    ],
    [
      'for what somebody holds',
      () => {
        rolledOut(first, second);
        undone();
        hold(it.journal, { bundle: 'shop', by: 'al', reason: '', node: 'edge-1' });
      },
      'shop',
      /is held by al: flotilla-agent release default\/shop$/,
    ],
    ['for a bundle that is not there', () => rolledOut(first), 'till', /no bundle "till"/],
  ];
  for (const [sentence, prepare, bundle, expected] of rows) {
    test(sentence, () => {
      prepare();
      const before = [it.images(), it.history()];
      assert.throws(() => redone(bundle), expected);
      assert.deepEqual([it.images(), it.history()], before);
    });
  }

  test('without a name where several were undone, and the answer names them', () => {
    it.assign(first, made('till', 1));
    it.wait(11);
    it.assign(second, made('till', 2));
    it.wait(11);
    undone('shop');
    undone('till');
    assert.throws(() => redone(), /which one\? These were undone: default\/shop, default\/till$/);
    redone('till');
    assert.deepEqual(it.images(), ['shop:1', 'till:2']);
  });
});

describe('there is no way back', () => {
  const rows: readonly (readonly [string, () => void, RegExp])[] = [
    [
      'where nothing was healthy before',
      () => rolledOut(first),
      /cannot go back: no former revision that was healthy on this node is kept here$/,
    ],
    [
      'twice: what was healthy before that is not kept',
      () => {
        rolledOut(first, second, third);
        undone();
      },
      /no former revision that was healthy/,
    ],
    [
      'to what the root denies',
      () => {
        rolledOut(first, second);
        it.root = rootDocument({ denied: [digestOf(first)] });
      },
      /cannot go back: bundle default\/shop: revision 1 is denied by the root$/,
    ],
    [
      "below the root's floor",
      () => {
        rolledOut(first, second);
        it.root = rootDocument({ floors: { 'default/shop': 2 } });
      },
      /revision 1 is below the root's floor$/,
    ],
    [
      'to a pod name that another bundle has by now',
      () => {
        rolledOut(made('shop', 1, { pods: ['till'] }), made('shop', 2, { pods: ['web'] }));
        it.assign(made('shop', 2, { pods: ['web'] }), made('other', 1, { pods: ['till'] }));
        it.wait(11);
      },
      /pod till is one of bundle default\/other already$/,
    ],
    [
      'for what a person holds',
      () => {
        rolledOut(first, second);
        hold(it.journal, { bundle: 'shop', by: 'jo', reason: '', node: 'edge-1' });
      },
      /is held by jo: flotilla-agent release default\/shop$/,
    ],
    [
      'where nothing of it runs',
      () => {
        it.accept([assigned(first.document)]);
        it.pass();
      },
      /cannot go back: nothing of it runs here$/,
    ],
  ];
  for (const [sentence, prepare, expected] of rows) {
    test(sentence, () => {
      prepare();
      const before = [it.images(), it.history()];
      assert.throws(() => undone('shop'), expected);
      assert.deepEqual([it.images(), it.history()], before);
    });
  }

  test('without a name where none or several can, and the answer names them', () => {
    assert.throws(() => undone(), /^HttpError: no bundle of this node can go back$/);
    const [till, more] = [made('till', 1), made('till', 2)];
    it.assign(first, till);
    it.wait(11);
    assert.throws(() => undone(), /can go back: default\/shop: no former .*; default\/till: no /);
    it.assign(second, more);
    it.wait(11);
    assert.throws(() => undone(), /which one\? These can go back: default\/shop, default\/till$/);
    undone('till');
    assert.deepEqual(it.images(), ['shop:2', 'till:1']);
  });
});
