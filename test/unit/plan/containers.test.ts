/** `plan`, row by row: the containers of a pod that stays, edited, removed, dead; and how long one in back-off waits. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY_MEMORY, noteExits } from '../../../agent/pods/back-off.js';
import { plan } from '../../../agent/pods/plan.js';
import {
  CALM,
  containerOf,
  manifest,
  running,
  sandboxOf,
  shorthand,
  together,
  wish,
  wishes,
} from '../../support/pods.js';
import { NOTHING, NOW, START_AB, testRows, two, web } from '../../support/plan-rows.js';

const twoEdited = manifest('web', {
  containers: [{ name: 'a', args: ['x'] }, { name: 'b' }],
});

describe('plan', () => {
  testRows([
    {
      says: 'a new pod gets its sandbox, then its containers in the order of the manifest',
      wanted: [two],
      there: NOTHING,
      steps: START_AB,
    },
    {
      says: 'a pod that runs as wanted is left alone',
      wanted: [two],
      there: running(web),
      steps: [],
    },
    {
      says: 'a container that was removed by hand is made again, the other one stays',
      wanted: [two],
      there: { ...running(web), containers: [containerOf(web, 'a')] },
      steps: ['prepareVolumes', 'pullImage b', 'createContainer b 0', 'startContainer b'],
    },
    {
      says: 'a container that exited is started again with the next attempt and the dead one kept',
      wanted: [two],
      there: {
        ...running(web),
        containers: [containerOf(web, 'a'), containerOf(web, 'b', { state: 'exited' })],
      },
      steps: ['prepareVolumes', 'pullImage b', 'createContainer b 1', 'startContainer b'],
    },
    {
      says: 'of two dead ones the older goes when the container starts again',
      wanted: [two],
      there: {
        ...running(web),
        containers: [
          containerOf(web, 'a'),
          containerOf(web, 'b', { state: 'exited' }),
          containerOf(web, 'b', { state: 'exited', attempt: 1 }),
        ],
      },
      steps: [
        'prepareVolumes',
        'pullImage b',
        'createContainer b 2',
        'startContainer b',
        'removeContainer b0',
      ],
    },
    {
      says: 'an edited container is prepared before the old one is stopped; the other is not touched',
      wanted: [twoEdited],
      there: running(web),
      steps: [
        'prepareVolumes',
        'pullImage a',
        'createContainer a 1',
        'stopContainer a0',
        'startContainer a',
      ],
    },
    {
      says: 'a replacement that was created and not started takes over from the one that still runs',
      wanted: [twoEdited],
      there: together(running(web), {
        sandboxes: [],
        containers: [containerOf(wish(twoEdited), 'a', { attempt: 1, state: 'created' })],
      }),
      steps: ['prepareVolumes', 'stopContainer a0', 'startContainer a'],
    },
    {
      says: 'an edit that was taken back leaves the old container running and removes the prepared one',
      wanted: [two],
      there: together(running(web), {
        sandboxes: [],
        containers: [containerOf(wish(twoEdited), 'a', { attempt: 1, state: 'created' })],
      }),
      steps: ['removeContainer a1'],
    },
    {
      says: 'a container that the manifest no longer has is stopped and removed',
      wanted: [manifest('web', { containers: [{ name: 'a' }] })],
      there: running(web),
      steps: ['stopContainer b0', 'removeContainer b0'],
    },
    {
      says: 'a container whose state the engine does not know is stopped before another is started',
      wanted: [manifest('web')],
      there: {
        sandboxes: [sandboxOf(wish(manifest('web')))],
        containers: [containerOf(wish(manifest('web')), 'app', { state: 'unknown' })],
      },
      steps: [
        'prepareVolumes',
        'pullImage app',
        'createContainer app 1',
        'stopContainer app0',
        'startContainer app',
      ],
    },
    {
      says: 'a container that was created and never started is started',
      wanted: [manifest('web')],
      there: {
        sandboxes: [sandboxOf(wish(manifest('web')))],
        containers: [containerOf(wish(manifest('web')), 'app', { state: 'created' })],
      },
      steps: ['prepareVolumes', 'startContainer app'],
    },
  ]);

  test('a container in back-off waits from its end, and the plan says until when', () => {
    const pod = wish(manifest('web'));
    const at = (ms: number) => new Date(NOW + ms);
    const first = containerOf(pod, 'app', {
      state: 'exited',
      createdAt: at(-2000),
      startedAt: at(-2000),
      finishedAt: at(-1500),
    });
    const second = containerOf(pod, 'app', {
      state: 'exited',
      attempt: 1,
      createdAt: at(-1400),
      startedAt: at(-1400),
      finishedAt: at(-1000),
    });
    const observed = { sandboxes: [sandboxOf(pod)], containers: [first, second] };
    const memory = noteExits(EMPTY_MEMORY, observed, NOW);
    const desired = wishes([manifest('web')]);
    const input = { desired, observed, memory, ...CALM, podData: new Set<string>() };
    const early = plan({ ...input, now: NOW });
    assert.deepEqual(shorthand(early), []);
    assert.equal(early[0]?.againAt, NOW + 9000);
    assert.ok(shorthand(plan({ ...input, now: NOW + 9000 })).includes('startContainer app'));
  });
});
