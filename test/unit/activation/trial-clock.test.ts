/** The clock of a trial, on real files and a real journal: when a revision is healthy, and when it is given up. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ActivationWorld, made, SECOND as second } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const crashing = (next = second): void => it.crashing(next);

describe('the clock of a trial', () => {
  test('goes on over a restart of the agent, which costs half a minute of it', () => {
    crashing();
    it.wait(300);
    it.restart();
    it.wait(269);
    assert.deepEqual(it.images(), ['shop:2']);
    it.wait(1);
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('does not count the time that the agent was away', () => {
    crashing();
    it.wait(60);
    it.sleep(86_400);
    it.restart();
    it.wait(400);
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('does not count while the pods are not known, and nothing is judged', () => {
    crashing();
    it.wait(60);
    it.restart();
    it.arePodsKnown = false;
    it.wait(2000);
    assert.deepEqual(it.images(), ['shop:2']);
    it.arePodsKnown = true;
    it.wait(1);
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('stands still while the engine does not answer, however long, and goes on then', () => {
    crashing();
    it.wait(590);
    it.isEngineAway = true;
    it.wait(900);
    it.sleep(9000);
    it.isEngineAway = false;
    it.wait(10);
    assert.deepEqual([it.images(), it.status('shop').state], [['shop:2'], 'progressing']);
    it.wait(2);
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('ready means ready for minReadySeconds since the switch, though the pod is older', () => {
    it.assign(made('shop', 1, { strategy: { minReadySeconds: 30 } }));
    it.wait(29);
    assert.equal(it.state('shop'), 'progressing Settling');
    it.wait(1);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });

  describe('ready again just before the deadline', () => {
    /** Ready once, which began the deadline anew, then crashing until `seconds` of it are left. */
    const readyAgainAt = (seconds: number): void => {
      crashing();
      it.fates.set('shop:2', 'ready');
      it.wait(1);
      it.fates.set('shop:2', 'crash');
      it.wait(600 - seconds);
      it.fates.set('shop:2', 'ready');
    };

    test('it has minReadySeconds to prove itself', () => {
      readyAgainAt(4);
      it.wait(10);
      assert.equal(it.state('shop'), 'progressing Settling');
      it.wait(1);
      assert.equal(it.state('shop'), 'healthy ContainersSettled');
    });

    test('and is given up with the first crash after it', () => {
      readyAgainAt(4);
      it.wait(8);
      it.fates.set('shop:2', 'crash');
      it.wait(1);
      assert.equal(it.state('shop'), 'rolledBack ProgressDeadlineExceeded');
    });
  });

  test('minReadySeconds 0: healthy as soon as it is ready', () => {
    it.assign(made('shop', 1, { strategy: { minReadySeconds: 0 } }));
    it.activation.look();
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });

  test('costs a write a minute while something is on trial, and none after', () => {
    crashing();
    it.wait(1);
    const head = it.journal.history().head;
    it.wait(300);
    assert.equal(it.journal.history().head, head, 'no row of history');
  });
});
