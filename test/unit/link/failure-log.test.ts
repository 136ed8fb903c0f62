/** What goes on failing for months is said when it is new, and once an hour. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FailureLog } from '../../../agent/link/failure-log.js';

function trial() {
  const lines: Record<string, unknown>[] = [];
  let at = 0;
  const warn = (_: string, fields: Readonly<Record<string, unknown>> = {}) => {
    lines.push(fields);
  };
  const log = new FailureLog(
    { warn, info: () => undefined, error: () => undefined },
    { monotonic: () => at },
  );
  const fails = (reason: string, broker = 'mqtts://a') => {
    log.failed({ broker, reason, retryInMs: 1 });
    at += 60_000;
  };
  return { lines, log, fails };
}

describe('a broker that is not reached', () => {
  test('for a day is said twenty-four times, with how often', () => {
    const { lines, fails } = trial();
    for (let minute = 0; minute < 1440; minute++) fails('refused');
    assert.equal(lines.length, 24);
    assert.deepEqual([lines[0]?.['times'], lines[1]?.['times']], [undefined, 60]);
  });

  test('is said at once for a new reason, another broker, and after it was reached', () => {
    const { lines, log, fails } = trial();
    fails('refused');
    fails('timeout');
    fails('refused', 'mqtts://b');
    fails('refused');
    log.mended();
    fails('refused');
    assert.deepEqual(
      lines.map(({ broker, reason }) => [broker, reason]),
      [
        ['mqtts://a', 'refused'],
        ['mqtts://a', 'timeout'],
        ['mqtts://b', 'refused'],
        ['mqtts://a', 'refused'],
      ],
    );
  });

  test('for ever other reasons fills no log', () => {
    const { lines, fails } = trial();
    for (let minute = 0; minute < 1440; minute++) fails(`error ${minute}`);
    assert.ok(lines.length <= 8 + 24, `${lines.length} lines`);
  });
});
