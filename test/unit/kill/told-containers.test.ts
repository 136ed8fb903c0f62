/** What runs, was started and ran twice, by what a Docker Engine tells: everything that the kill test judges there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../../agent/runtime/docker-names.js';
import { TELLING_NS, ToldContainers } from '../../kill/told-containers.js';

const OWNER = '/var/lib/node';
const SECOND = 1e9;

interface Told {
  readonly id: string;
  readonly pod?: string;
  readonly container?: string;
  readonly owner?: string;
  /** Since the first event. */
  readonly at: number;
}

type Event = readonly ['start' | 'die' | 'destroy', Told];

function after(events: readonly Event[]): ToldContainers {
  const told = new ToldContainers(OWNER);
  for (const [Action, { id, pod = 'web', container = 'main', owner = OWNER, at }] of events) {
    const Attributes = {
      ...{ image: 'web:1', [LABEL.owner]: owner, [LABEL.podName]: `${pod}-edge-0123456789ab` },
      ...{ [LABEL.podNamespace]: 'default', [LABEL.containerName]: container },
      [LABEL.type]: container === 'POD' ? 'podsandbox' : 'container',
    };
    told.hear({ Action, Actor: { ID: id, Attributes }, timeNano: at });
  }
  told.conclude();
  return told;
}

const TWICE = 'default/web/main ran twice at once';
const rows: readonly (readonly [string, readonly Event[], readonly string[]])[] = [
  [
    'the next after the end of the former is once at a time',
    [
      ['start', { id: 'a', at: 0 }],
      ['die', { id: 'a', at: SECOND }],
      ['start', { id: 'b', at: SECOND + 1 }],
    ],
    [],
  ],
  [
    'an end that is told a moment after the next start is an end before it',
    [
      ['start', { id: 'a', at: 0 }],
      ['start', { id: 'b', at: SECOND }],
      ['die', { id: 'a', at: SECOND + TELLING_NS }],
    ],
    [],
  ],
  [
    'one that ends later than that ran twice',
    [
      ['start', { id: 'a', at: 0 }],
      ['start', { id: 'b', at: SECOND }],
      ['die', { id: 'a', at: SECOND + TELLING_NS + 1 }],
    ],
    [TWICE],
  ],
  [
    'two that run on run twice',
    [
      ['start', { id: 'a', at: 0 }],
      ['start', { id: 'b', at: SECOND }],
    ],
    [TWICE],
  ],
  [
    'a sandbox may be there once, too',
    [
      ['start', { id: 'a', container: 'POD', at: 0 }],
      ['start', { id: 'b', container: 'POD', at: SECOND }],
    ],
    ['default/web/POD ran twice at once'],
  ],
  [
    'one that was removed while it ran does not run on',
    [
      ['start', { id: 'a', at: 0 }],
      ['destroy', { id: 'a', at: SECOND }],
      ['start', { id: 'b', at: SECOND }],
    ],
    [],
  ],
  [
    'two containers of one pod, two pods and two owners are not the same',
    [
      ['start', { id: 'a', at: 0 }],
      ['start', { id: 'b', container: 'beside', at: 0 }],
      ['start', { id: 'c', pod: 'api', at: 0 }],
      ['start', { id: 'd', owner: '/var/lib/other', at: 0 }],
    ],
    [],
  ],
];

for (const [sentence, events, twice] of rows) {
  test(sentence, () => assert.deepEqual(after(events).twice, twice));
}

test('what runs and what was started is told without the node and without sandboxes', () => {
  const told = after([
    ['start', { id: 'p', container: 'POD', at: 0 }],
    ['start', { id: 'a', at: 0 }],
    ['start', { id: 'c', pod: 'api', at: 0 }],
    ['start', { id: 'd', pod: 'foreign', owner: '/var/lib/other', at: 0 }],
    ['die', { id: 'a', at: SECOND }],
  ]);
  assert.deepEqual(told.running(), [{ pod: 'api', id: 'c', image: 'web:1' }]);
  assert.deepEqual([...told.started], ['web web:1', 'api web:1']);
  told.beginAnew();
  assert.deepEqual([...told.started], []);
  assert.equal(told.running().length, 1);
});
