/** What the hub decides about a rollout is told in the audit log, and what people read of that log. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { auditLines, isAsked, type AuditFilter } from '../../../hub/cli/audit.js';
import { decisionsBetween } from '../../../hub/rollout/decisions.js';
import type { RolloutStatus, WaveStatus } from '../../../hub/rollout/waves/rollout-object.js';
import type { AuditRecord } from '../../../hub/store/audit-records.js';
import { at, BEGUN, specOf } from '../../support/rollout-values.js';

const spec = specOf({ waves: [{ nodes: 1 }] });
const wave = (passed: number | null = null): WaveStatus => {
  return { startedAt: at(0), settledAt: null, passedAt: passed === null ? null : at(passed) };
};
const status = (change: Partial<RolloutStatus>): RolloutStatus => ({ ...BEGUN, ...change });

describe('a decision about a rollout', () => {
  const ROWS: readonly [string, Partial<RolloutStatus>, Partial<RolloutStatus>, string[]][] = [
    ['is that a wave begins', {}, { waves: [wave()] }, ['revision 2: wave 1 of 2 (1 node) began']],
    [
      'is that one passes and the next begins',
      { waves: [wave()] },
      { waves: [wave(5), wave()] },
      ['revision 2: wave 1 of 2 (1 node) passed', 'revision 2: wave 2 of 2 (100%) began'],
    ],
    [
      'is that too many failed',
      { waves: [wave()] },
      { waves: [wave()], phase: 'paused', reason: 'TooManyFailures', message: '1 failed, 0 may' },
      ['revision 2: paused (TooManyFailures): 1 failed, 0 may'],
    ],
    [
      'is that it is complete, after its last wave',
      { waves: [wave(1), wave()] },
      { waves: [wave(1), wave(9)], phase: 'completed', reason: 'Done' },
      ['revision 2: wave 2 of 2 (100%) passed', 'revision 2: completed (Done)'],
    ],
    [
      'is that the root withdraws what a person paused',
      { phase: 'paused', reason: 'Person' },
      { phase: 'paused', reason: 'Withdrawn', message: 'denied' },
      ['revision 2: paused (Withdrawn): denied'],
    ],
    [
      'is none while nodes are waited for',
      { waves: [wave()] },
      { waves: [wave()], reason: 'NotProven' },
      [],
    ],
    ['is none where nothing changed', { waves: [wave()] }, { waves: [wave()] }, []],
  ];
  for (const [sentence, before, after, expected] of ROWS) {
    test(sentence, () => {
      assert.deepEqual(decisionsBetween(spec, status(before), status(after)), expected);
    });
  }
});

const LINE: AuditRecord = {
  ...{
    number: 7,
    at: '2026-06-01T00:00:00Z',
    verb: 'update',
    kind: 'Bundle',
    namespace: 'default',
  },
  ...{ name: 'shop', before: 'a'.repeat(64), after: 'b'.repeat(64) },
  actor: { kind: 'user', name: 'ann', address: '192.0.2.7' },
};

describe('the audit log', () => {
  const DECIDED: AuditRecord = {
    ...LINE,
    ...{ number: 8, verb: 'decide', kind: 'Rollout', before: null, after: null },
    ...{ actor: { kind: 'hub', name: 'controller' }, detail: 'revision 2: completed (Done)' },
  };

  test('says who, from where, what, and digests before and after', () => {
    assert.deepEqual(
      auditLines([LINE, DECIDED]).map(line => line.replace(/ {2,}/g, '  ')),
      [
        'NUMBER  AT  WHO  FROM  VERB  WHAT  BEFORE  AFTER  DETAIL',
        '7  2026-06-01T00:00:00Z  ann  192.0.2.7  update  bundle/default/shop  aaaaaaaaaaaa  bbbbbbbbbbbb',
        '8  2026-06-01T00:00:00Z  hub:controller  -  decide  rollout/default/shop  -  -  revision 2: completed (Done)',
      ],
    );
  });

  const ANY: AuditFilter = { kind: null, namespace: 'default', name: null, since: null };
  const ROWS: readonly [string, AuditRecord, Partial<AuditFilter>, boolean][] = [
    ['is told whole', LINE, {}, true],
    ['of a bundle tells of its rollout too', DECIDED, { kind: 'Bundle', name: 'shop' }, true],
    ['of another kind tells nothing of it', LINE, { kind: 'Token', name: 'shop' }, false],
    ['of another name tells nothing of it', LINE, { kind: 'Bundle', name: 'web' }, false],
    ['of another namespace tells nothing of it', LINE, { kind: 'Bundle', namespace: 'x' }, false],
    ['since later tells nothing of it', LINE, { since: Date.parse('2026-06-01T00:00:01Z') }, false],
    ['since then tells it', LINE, { since: Date.parse('2026-06-01T00:00:00Z') }, true],
  ];
  for (const [sentence, line, filter, expected] of ROWS) {
    test(sentence, () => assert.equal(isAsked(line, { ...ANY, ...filter }), expected));
  }
});
