/** `flotilla-agent plan`: nothing is said to be done while a bundle waits. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planLines } from '../../../agent/plan-lines.js';
import type { BundleStatus } from '../../../protocol/documents/node.js';

type Said = Pick<BundleStatus, 'state' | 'reason' | 'message'>;

const ROWS: readonly (readonly [string, Said, string, string])[] = [
  [
    'a switch that waits for a window',
    { state: 'waiting', reason: 'Window', message: 'its maintenance window opens at 2' },
    'nothing to do',
    'bundle default/shop: switch to revision 2: its maintenance window opens at 2',
  ],
  [
    'one that is held',
    { state: 'waiting', reason: 'Held', message: 'held at the device by mo' },
    'nothing to do',
    'bundle default/shop: switch to revision 2: held at the device by mo',
  ],
  [
    'one that a pod keeps waiting, beside what is done to others',
    { state: 'waiting', reason: 'Locked', message: 'pod web asks not to be disturbed' },
    'default/till-edge-1: 1 steps',
    'bundle default/shop: switch to revision 2: pod web asks not to be disturbed\ndefault/till-edge-1: 1 steps',
  ],
  [
    'one that is being fetched',
    { state: 'staged', reason: 'Fetching', message: 'fetching what is not here yet' },
    'nothing to do',
    'bundle default/shop: switch to revision 2: Fetching: fetching what is not here yet',
  ],
  [
    'one without room for its image',
    { state: 'waiting', reason: 'DiskPressure', message: 'no room' },
    'nothing to do',
    'bundle default/shop: switch to revision 2: DiskPressure: no room',
  ],
  [
    'a removal that a pod keeps waiting is none of a revision',
    { state: 'removing', reason: 'Locked', message: 'not assigned any more' },
    'nothing to do',
    'bundle default/shop: removal: not assigned any more',
  ],
  [
    'a way back that something stands in',
    { state: 'failed', reason: 'PodFailed', message: 'no; cannot go back: pod web asks for time' },
    'nothing to do',
    'bundle default/shop: way back from revision 2: pod web asks for time',
  ],
  [
    'what runs well',
    { state: 'healthy', reason: 'ContainersSettled', message: '' },
    'nothing to do',
    'nothing to do',
  ],
  [
    'what runs well, before the pods are known',
    { state: 'healthy', reason: '', message: '' },
    '',
    '',
  ],
];

describe('the plan of', () => {
  for (const [what, said, pods, text] of ROWS) {
    test(what, () => {
      const bundle = { namespace: 'default', name: 'shop', revision: 2, ...said };
      assert.equal(planLines([bundle], pods), text);
    });
  }
});
