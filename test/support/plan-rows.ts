/**
 * Rows of `plan`: sentence, what is wanted, what is there, the steps that follow. Each row is tested twice: the steps are those,
 * and once they are done there is nothing left to do.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_MEMORY, noteExits, type Memory } from '../../agent/pods/back-off.js';
import { plan } from '../../agent/pods/plan.js';
import type { ObservedPods } from '../../agent/runtime/runtime.js';
import type { ValidPod } from '../../protocol/pod.js';
import { apply, CALM, manifest, shorthand, T0, wish, wishes } from './pods.js';

export const NOW = T0 + 3_600_000;
export const NOTHING: ObservedPods = { sandboxes: [], containers: [] };

export interface Row {
  readonly says: string;
  readonly wanted: readonly ValidPod[];
  readonly there: ObservedPods;
  readonly steps: readonly string[];
  readonly complete?: boolean;
  readonly memory?: Memory;
  readonly podData?: readonly string[];
  readonly againAt?: number;
}

export const two = manifest('web', { containers: [{ name: 'a' }, { name: 'b' }] });
export const web = wish(two);
export const onePort = manifest('web', { spec: { hostname: 'other' } });
/** The steps of `two` where nothing is there yet. */
export const START_AB = [
  'prepareVolumes',
  'runSandbox 0',
  'pullImage a',
  'createContainer a 0',
  'pullImage b',
  'createContainer b 0',
  'startContainer a',
  'startContainer b',
];

function planOf(row: Row, observed: ObservedPods, memory: Memory, now: number) {
  return plan({
    desired: wishes(row.wanted, { complete: row.complete ?? true }),
    observed,
    memory: noteExits(memory, observed, now),
    ...CALM,
    podData: new Set(row.podData ?? []),
    now,
  });
}

/** To be called in a suite. */
export function testRows(rows: readonly Row[]): void {
  for (const row of rows) {
    test(row.says, () => {
      const plans = planOf(row, row.there, row.memory ?? EMPTY_MEMORY, NOW);
      assert.deepEqual(shorthand(plans), row.steps);
      if (row.againAt !== undefined) assert.equal(plans[0]?.againAt, row.againAt);
    });
    test(`${row.says}; and then there is nothing left to do`, () => {
      const memory = row.memory ?? EMPTY_MEMORY;
      const first = planOf(row, row.there, memory, NOW);
      const after = apply(row.there, first, NOW);
      const second = planOf({ ...row, podData: [] }, after, memory, NOW);
      assert.deepEqual(shorthand(second), []);
    });
  }
}
