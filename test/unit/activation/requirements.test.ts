/** What a rollout may require of a node: to go back before it sets out, and to start alone before it is healthy. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { readJournal } from '../../../agent/journal/reader.js';
import type { Fault } from '../../../agent/readiness/faults.js';
import type { BundleStrategy, Requirement } from '../../../protocol/documents/bundle.js';
import { ActivationWorld, made } from '../../support/activation-world.js';

const IMAGE: Fault = { reason: 'ImageMissing', message: 'image "web:1" is gone' };

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const asking = (revision: number, require: Requirement[], strategy: Partial<BundleStrategy> = {}) =>
  made('shop', revision, { strategy: { require, ...strategy } });

function running(): void {
  it.assign(made('shop', 1));
  it.wait(11);
  assert.equal(it.state('shop'), 'healthy ContainersSettled');
}

describe('undo-ready, before the switch', () => {
  test('a node that could not come back does not set out, and says why; what runs runs on', () => {
    running();
    it.lacks.undo = IMAGE;
    it.assign(asking(2, ['undoReady']));
    const { state, reason, message } = it.status('shop');
    assert.deepEqual(
      [state, reason, message],
      [
        ...['waiting', 'NotUndoReady'],
        'this node could not go back: ImageMissing: image "web:1" is gone',
      ],
    );
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('it waits as long as it takes, in one row of history, and no deadline runs', () => {
    running();
    it.lacks.undo = IMAGE;
    it.assign(asking(2, ['undoReady'], { progressDeadlineSeconds: 20 }));
    it.restart();
    const rows = () => readJournal(it.dataDir).history.length;
    const before = rows();
    it.wait(100);
    it.restart();
    assert.equal(rows(), before);
    assert.equal(it.state('shop'), 'waiting NotUndoReady');
  });

  test('it sets out as soon as it could come back', () => {
    running();
    it.lacks.undo = IMAGE;
    it.assign(asking(2, ['undoReady']));
    it.lacks.undo = null;
    it.pass();
    assert.deepEqual(it.images(), ['shop:2']);
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });

  test('what cannot go back once it has begun goes on all the same', () => {
    running();
    it.assign(asking(2, ['undoReady']));
    it.lacks.undo = IMAGE;
    it.pass();
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });

  test('the way back of what failed asks for nothing', () => {
    running();
    it.fates.set('shop:2', 'failed');
    it.assign(asking(2, ['undoReady', 'aloneReady']));
    it.lacks.undo = IMAGE;
    it.lacks.alone = IMAGE;
    it.pass();
    it.pass();
    assert.deepEqual(it.images(), ['shop:1']);
    assert.match(it.state('shop'), /^rolledBack /);
  });

  test('a revision that does not ask for it switches', () => {
    running();
    it.lacks.undo = IMAGE;
    it.assign(asking(2, ['aloneReady']));
    assert.deepEqual(it.images(), ['shop:2']);
  });
});

describe('alone-ready, before it is healthy', () => {
  test('every pod is ready, and the revision is not healthy: the reason says what is missing', () => {
    it.lacks.alone = IMAGE;
    it.assign(asking(1, ['aloneReady']));
    it.wait(30);
    const { state, reason, message } = it.status('shop');
    assert.deepEqual(
      [state, reason, message],
      [
        ...['progressing', 'NotAloneReady'],
        'this node could not start it alone: ImageMissing: image "web:1" is gone',
      ],
    );
    it.lacks.alone = null;
    it.wait(1);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });

  test('the progress deadline counts, and what gives it up goes back', () => {
    running();
    it.lacks.alone = IMAGE;
    it.assign(asking(2, ['aloneReady'], { progressDeadlineSeconds: 30 }));
    it.wait(29);
    assert.equal(it.state('shop'), 'progressing NotAloneReady');
    it.wait(2);
    it.pass();
    const { state, reason, message } = it.status('shop');
    assert.deepEqual([state, reason], ['rolledBack', 'ProgressDeadlineExceeded']);
    assert.match(message, /^no progress for 30 s: this node could not start it alone: Image/);
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('one that crashes says so, and not what it lacks beside', () => {
    it.lacks.alone = IMAGE;
    it.fates.set('shop:1', 'crash');
    it.assign(asking(1, ['aloneReady']));
    it.wait(5);
    assert.equal(it.state('shop'), 'progressing ContainersPending');
  });

  test('one that is healthy stays so: nothing is undone for an image that goes later', () => {
    it.assign(asking(1, ['aloneReady']));
    it.wait(11);
    it.lacks.alone = IMAGE;
    it.wait(1000);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });

  test('a revision that does not ask for it becomes healthy', () => {
    it.lacks.alone = IMAGE;
    it.assign(asking(1, ['undoReady']));
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });
});
