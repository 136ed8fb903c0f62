import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formerStep, FORMER_WAIT_MS } from '../../../agent/intake/former-wait.js';
import type { Whereabouts } from '../../../agent/intake/lacking.js';

const refused = (final: boolean): Whereabouts => {
  return { is: 'refused', final, refusal: { code: 'BadSignature', detail: '' } };
};

const CASES: readonly [what: string, where: readonly Whereabouts[], waitedMs: number, string][] = [
  ['all of it is here', [], 0, 'goes on'],
  ['it is on its way', [{ is: 'coming' }], 0, 'waits'],
  ['the hub was asked for it', [{ is: 'missing' }], 60_000, 'waits'],
  ['it came with a signature that does not fit, and may come again', [refused(false)], 1, 'waits'],
  ['it was waited for long enough', [{ is: 'missing' }], FORMER_WAIT_MS, 'goes on'],
  ['the hub has a part of it no more', [{ is: 'coming' }, { is: 'absent' }], 0, 'goes on'],
  ['what the digest names is refused', [refused(true)], 0, 'goes on'],
];

for (const [what, where, waitedMs, expected] of CASES) {
  test(`a switch whose way back is not here ${expected}: ${what}`, () => {
    const lacking = where.map((_, index) => ({ digest: String(index) }));
    const whereabouts = (digest: string) => where[Number(digest)] ?? ({ is: 'coming' } as const);
    const step = formerStep(lacking, { whereabouts, waitedMs });
    assert.equal(step === null ? 'goes on' : 'waits', expected);
  });
}
