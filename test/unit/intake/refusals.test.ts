/** The last refusal in the status: told when it happens, and gone once something newer was accepted. And what waits for room. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusals } from '../../../agent/intake/refusals.js';
import { roomCondition } from '../../../agent/intake/troubles.js';

const PREFIX = 'flotilla/v1/f/';
const replay = { code: 'Rollback', detail: 'generation 3 after 4' } as const;

function started() {
  let passedMs = 0;
  const quiet = () => undefined;
  const refusals = new Refusals({
    clock: { now: () => passedMs, monotonic: () => passedMs, sleep: async () => undefined },
    time: { uptime: () => passedMs, timeline: () => ({ at: (ms: number) => ms }) as never },
    log: { info: quiet, warn: quiet, error: quiet },
    prefix: PREFIX,
  });
  const refuse = (text: string) =>
    refusals.note(replay, Buffer.from(text), `${PREFIX}node/edge-1/assignment`);
  return { refusals, refuse, wait: (seconds: number) => (passedMs += seconds * 1000) };
}

describe('the last refusal', () => {
  test('stands in the status as long as nothing newer was accepted', () => {
    const { refusals, refuse, wait } = started();
    refuse('old');
    wait(86_400);
    assert.equal(refusals.last()?.code, 'Rollback');
    assert.equal(refusals.last()?.topic, 'node/edge-1/assignment');
  });

  test('is gone when something newer was accepted, and is known still to whoever brought a file', () => {
    const { refusals, refuse, wait } = started();
    refuse('old');
    wait(100);
    refusals.accepted();
    assert.equal(refusals.last(), null);
    assert.equal(refusals.newest()?.code, 'Rollback');
    assert.equal(refusals.counts().get('Rollback'), 1);
  });

  test('is told for a minute, however soon all was well again', () => {
    const { refusals, refuse, wait } = started();
    refuse('old');
    wait(1);
    refusals.accepted();
    assert.equal(refusals.last()?.code, 'Rollback');
    wait(60);
    assert.equal(refusals.last(), null);
  });

  test('is gone when what it was about came and was good, and not for anything else', () => {
    const { refusals, refuse, wait } = started();
    refuse('old');
    refusals.taken(`${PREFIX}blob/1`);
    wait(100);
    assert.equal(refusals.last()?.code, 'Rollback');
    refusals.taken(`${PREFIX}node/edge-1/assignment`);
    assert.equal(refusals.last(), null);
  });

  test('of what comes after that is told anew', () => {
    const { refusals, refuse, wait } = started();
    refuse('old');
    refusals.accepted();
    wait(100);
    refuse('older');
    wait(100);
    assert.equal(refusals.last()?.code, 'Rollback');
  });
});

describe('what came and finds no room on the disk', () => {
  const rows: readonly [string, readonly ('assignment' | 'root' | 'hub')[], RegExp | null][] = [
    [
      'an assignment is told',
      ['hub', 'assignment'],
      /^a newer assignment came and waits in memory/,
    ],
    ['a root is told', ['root'], /^a newer root came/],
    ['what says nothing new of what is to run is not', ['hub'], null],
  ];
  for (const [sentence, kinds, message] of rows) {
    test(sentence, () => {
      const [found] = roomCondition(kinds.map(kind => ({ address: { kind } })));
      if (message === null) assert.equal(found, undefined);
      else assert.match(found?.message ?? '', message);
    });
  }
});
