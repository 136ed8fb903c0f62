/** The health gate, on real files and a real journal: what runs in the end, and what is said of it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { failureLines } from '../../../agent/cli/journal.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { openLastWords } from '../../../protocol/last-words.js';
import { assigned, FLEET, NODE_NAME } from '../../support/fleet.js';
import { SEALING } from '../../support/sealed.js';
import {
  ActivationWorld,
  FIRST as first,
  made,
  SECOND as second,
  THIRD as third,
} from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const digestOf = (one: typeof first) => assigned(one.document).digest;
const crashing = (next = second): void => it.crashing(next);

describe('a revision that does not become ready', () => {
  test('is given up after the deadline: the last healthy one is back, by itself, and said', () => {
    crashing();
    it.wait(599);
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['progressing ContainersPending', ['shop:2']],
    );
    it.wait(1);
    assert.deepEqual(it.images(), ['shop:1']);
    const status = it.status('shop');
    assert.deepEqual(
      [status.state, status.reason, status.revision, status.digest, status.failed, status.active],
      [
        ...(['rolledBack', 'ProgressDeadlineExceeded', 2] as const),
        ...[digestOf(second), digestOf(second), digestOf(first)],
      ],
    );
    assert.equal(
      status.message,
      'no progress for 600 s: waiting for default/shop-edge-1 (main: CrashLoopBackOff, last exit code 3); back at revision 1',
    );
    const events = it.journal.events(0, 10).map(({ type, reason }) => `${type} ${reason}`);
    assert.deepEqual(events, [
      'Normal BundleHealthy',
      'Warning BundleFailed',
      'Warning BundleRolledBack',
    ]);
    assert.deepEqual(it.history().slice(-4), [
      'shop:2 activating',
      'shop:2 progressing',
      'shop:2 failed',
      'shop:2 rolledBack',
    ]);
  });

  test('is not tried again on its own, not by a restart, nor by the same assignment made anew', () => {
    crashing();
    it.wait(600);
    const said = it.history().length;
    it.restart();
    it.wait(700);
    it.assign(second);
    it.wait(700);
    it.restart();
    assert.deepEqual([it.images(), it.status('shop').state], [['shop:1'], 'rolledBack']);
    assert.equal(it.history().length, said);
  });

  test('is not tried again after another was assigned in between', () => {
    crashing();
    it.wait(600);
    it.assign(first);
    it.wait(1);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
    it.assign(second);
    it.wait(1);
    const { state, reason, failed, message } = it.status('shop');
    assert.deepEqual(
      [state, reason, failed],
      ['failed', 'ProgressDeadlineExceeded', digestOf(second)],
    );
    assert.match(message, /^given up here before, at attempt 0: no progress/);
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('tells the hub the last words sealed to its key, which a restart does not forget', () => {
    it.hubKey.heard({ epoch: it.root.epoch, sealingKey: SEALING.publicKey });
    it.restart();
    crashing();
    it.wait(600);
    const events = it.journal.events(0, 10);
    assert.doesNotMatch(JSON.stringify(events), /hunter2/);
    const outputs = events.flatMap(({ reason, output }) => (output ? [{ reason, output }] : []));
    assert.deepEqual(
      outputs.map(({ reason }) => reason),
      ['BundleFailed'],
    );
    const [{ output } = { output: null }] = outputs;
    assert.ok(output);
    const bundle = { fleet: FLEET, node: NODE_NAME, namespace: 'default', name: 'shop' };
    const opened = openLastWords(output, bundle, SEALING.key);
    assert.deepEqual(opened.ok && opened.value, {
      ...{ digest: digestOf(second), pod: 'default/shop-edge-1' },
      ...{ container: 'main', text: 'hunter2' },
    });
  });

  test('seals nothing to a key of a former epoch, which may be in other hands', () => {
    it.hubKey.heard({ epoch: it.root.epoch - 1, sealingKey: SEALING.publicKey });
    crashing();
    it.wait(600);
    const failed = it.journal.events(0, 10).find(({ reason }) => reason === 'BundleFailed');
    assert.ok(failed);
    assert.equal(failed.output, undefined);
  });

  test('leaves the last words of its container in the journal alone while no key of a hub is known', () => {
    crashing();
    it.wait(600);
    assert.equal(it.journal.trials().failures()[0]?.lastWords, 'hunter2');
    assert.doesNotMatch(JSON.stringify([it.status('shop'), it.journal.events(0, 10)]), /hunter2/);
    assert.deepEqual(failureLines(readJournal(it.dataDir)).slice(-1), ['  | hunter2']);
  });

  test('is tried again when the attempt is raised, and may be healthy this time', () => {
    crashing();
    it.wait(600);
    it.fates.delete('shop:2');
    it.assign({ made: second, attempt: 1 });
    assert.deepEqual(it.images(), ['shop:2']);
    assert.equal(it.status('shop').failed, null);
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
    assert.deepEqual(it.journal.trials().failures(), []);
  });

  test('a raised attempt has the whole deadline, and its failure is remembered at that attempt', () => {
    crashing();
    it.wait(600);
    it.assign({ made: second, attempt: 1 });
    it.wait(599);
    assert.deepEqual(it.images(), ['shop:2']);
    it.wait(1);
    assert.deepEqual(it.images(), ['shop:1']);
    assert.equal(it.journal.trials().failures()[0]?.attempt, 1);
  });

  test('whose pod ended for good is given up at once', () => {
    crashing();
    it.fates.set('shop:2', 'failed');
    it.wait(1);
    assert.deepEqual([it.state('shop'), it.images()], ['rolledBack PodFailed', ['shop:1']]);
  });

  test('stays where onFailure is keep, and is healthy when it gets there after all', () => {
    crashing(made('shop', 2, { strategy: { onFailure: 'keep' } }));
    it.wait(601);
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['failed ProgressDeadlineExceeded', ['shop:2']],
    );
    assert.match(it.status('shop').message, /; it stays: onFailure is keep$/);
    it.restart();
    it.wait(700);
    assert.equal(it.state('shop'), 'failed ProgressDeadlineExceeded');
    it.fates.delete('shop:2');
    it.wait(1);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
    assert.equal(it.status('shop').failed, null);
  });

  test('stays where none was healthy before', () => {
    it.fates.set('shop:1', 'crash');
    it.assign(first);
    it.wait(600);
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['failed ProgressDeadlineExceeded', ['shop:1']],
    );
    assert.match(it.status('shop').message, /; it stays: no revision was healthy here before$/);
  });

  test('goes back to the last that was healthy, not to the one before it in number', () => {
    it.fates.set('shop:2', 'crash');
    it.assign(first);
    it.wait(11);
    it.assign(second);
    it.wait(600);
    it.fates.set('shop:3', 'crash');
    it.assign(third);
    it.wait(600);
    assert.deepEqual(it.images(), ['shop:1']);
    assert.match(it.status('shop').message, /; back at revision 1$/);
  });

  test('that was healthy once and crashes later is told so and stays', () => {
    it.assign(first);
    it.wait(11);
    it.assign(second);
    it.wait(11);
    it.fates.set('shop:2', 'crash');
    it.wait(2000);
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['progressing ContainersPending', ['shop:2']],
    );
  });
});

describe('a newer assignment', () => {
  test('supersedes one that is on its way; what it replaced first is still there to go back to', () => {
    crashing();
    it.fates.set('shop:3', 'crash');
    it.wait(100);
    it.assign(third);
    assert.deepEqual(it.images(), ['shop:3']);
    it.wait(600);
    assert.deepEqual(it.images(), ['shop:1']);
    const { revision, state } = it.status('shop');
    assert.deepEqual([revision, state], [3, 'rolledBack']);
  });

  test('that cannot be staged leaves the one before on trial: it is undone in its time', () => {
    crashing();
    it.wait(100);
    it.accept([assigned(third.document)]);
    it.pass();
    it.wait(1);
    assert.deepEqual([it.state('shop'), it.images()], ['staged Fetching', ['shop:2']]);
    it.wait(500);
    assert.deepEqual([it.state('shop'), it.images()], ['staged Fetching', ['shop:1']]);
    assert.equal(it.journal.trials().failures()[0]?.revision, 2);
    it.store(third);
    it.pass();
    it.wait(11);
    assert.deepEqual([it.state('shop'), it.images()], ['healthy ContainersSettled', ['shop:3']]);
  });

  test('that cannot be staged: the one before may prove itself meanwhile', () => {
    it.assign(first);
    it.wait(11);
    it.assign(second);
    it.wait(1);
    it.accept([assigned(third.document)]);
    it.pass();
    it.wait(11);
    assert.equal(it.journal.bundles()[0]?.healthy, digestOf(second));
    it.fates.set('shop:3', 'crash');
    it.store(third);
    it.pass();
    it.wait(600);
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('that drops the bundle ends it, whatever was going on', () => {
    crashing();
    it.wait(100);
    it.assign();
    it.wait(1);
    assert.deepEqual([it.images(), it.journal.bundles()], [[], []]);
  });
});

describe('where a kubelet runs the pods and nobody asks it', () => {
  beforeEach(() => {
    it.podsAreNeverTold = true;
    it.arePodsKnown = false;
    it.restart();
    it.assign(first);
  });

  test('a bundle whose files lie there says that its health is unknown, and what to do', () => {
    assert.equal(it.state('shop'), 'activating HealthUnknown');
    assert.match(it.status('shop').message, /is not asked how they are: kubeletPods$/);
    const rows = it.history().length;
    it.wait(2000);
    it.restart();
    assert.deepEqual([it.state('shop'), it.images()], ['activating HealthUnknown', ['shop:1']]);
    assert.equal(it.history().length, rows);
  });

  test('a newer revision takes its place; what waits says what it waits for', () => {
    it.accept([assigned(second.document)]);
    it.pass();
    assert.deepEqual([it.state('shop'), it.images()], ['staged Fetching', ['shop:1']]);
    it.store(second);
    it.pass();
    assert.deepEqual([it.state('shop'), it.images()], ['activating HealthUnknown', ['shop:2']]);
  });

  test('a bundle that is removed is gone with its files', () => {
    it.assign();
    it.wait(1);
    assert.deepEqual([it.images(), it.activation.statuses()], [[], []]);
    assert.equal(it.history().at(-1), 'shop:1 removed');
  });
});

test('a bundle that fails or waits does not hold up another', () => {
  const bad = made('bad', 1);
  it.fates.set('bad:1', 'crash');
  const waiting = made('waiting', 1);
  it.accept([bad, first, waiting].map(({ document }) => assigned(document)));
  it.store(bad);
  it.store(first);
  it.pass();
  it.wait(11);
  assert.deepEqual(
    ['bad', 'shop', 'waiting'].map(name => it.state(name)),
    ['progressing ContainersPending', 'healthy ContainersSettled', 'staged Fetching'],
  );
  it.wait(600);
  assert.equal(it.status('bad').state, 'failed');
  it.assign(bad, second);
  it.wait(11);
  assert.deepEqual(it.images(), ['bad:1', 'shop:2']);
});
