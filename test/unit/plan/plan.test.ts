/**
 * `plan`, row by row: the kubelet's computePodActions cases that apply, and what Flotilla does better.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  EMPTY_MEMORY,
  failureKey,
  noteExits,
  noteFailure,
  type Memory,
} from '../../../agent/pods/back-off.js';
import { CONFIG_HASH } from '../../../agent/pods/desired.js';
import { plan } from '../../../agent/pods/plan.js';
import { waitFor } from '../../../agent/pods/steps.js';
import type { ObservedPods } from '../../../agent/runtime/runtime.js';
import type { ValidPod } from '../../../protocol/pod.js';
import {
  apply,
  CALM,
  containerOf,
  manifest,
  running,
  sandboxOf,
  shorthand,
  T0,
  together,
  wish,
  wishes,
} from '../../support/pods.js';

const NOW = T0 + 3_600_000;
const NOTHING: ObservedPods = { sandboxes: [], containers: [] };

interface Row {
  readonly says: string;
  readonly wanted: readonly ValidPod[];
  readonly there: ObservedPods;
  readonly steps: readonly string[];
  readonly complete?: boolean;
  readonly memory?: Memory;
  readonly podData?: readonly string[];
  readonly againAt?: number;
}

const two = manifest('web', { containers: [{ name: 'a' }, { name: 'b' }] });
const web = wish(two);
const twoEdited = manifest('web', {
  containers: [{ name: 'a', args: ['x'] }, { name: 'b' }],
});
const onePort = manifest('web', { spec: { hostname: 'other' } });
const START_AB = [
  'prepareVolumes',
  'runSandbox 0',
  'pullImage a',
  'createContainer a 0',
  'pullImage b',
  'createContainer b 0',
  'startContainer a',
  'startContainer b',
];
const only = (pod: ValidPod, policy: string) =>
  manifest(pod.metadata.name, {
    containers: pod.spec.containers,
    spec: { restartPolicy: policy },
  });
const never = only(two, 'Never');
const onFailure = only(two, 'OnFailure');
const ended = (pod: ValidPod, name: string, code: number) =>
  containerOf(wish(pod), name, { state: 'exited', exitCode: code });

const rows: readonly Row[] = [
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
    says: 'another uid under the same name: images first, then the old pod ends, then the new begins',
    wanted: [onePort],
    there: running(web),
    steps: [
      'pullImage app',
      'stopContainer a0',
      'stopContainer b0',
      'stopSandbox s0',
      'removeContainer a0',
      'removeContainer b0',
      'removeSandbox s0',
      'removePodData',
      'prepareVolumes',
      'runSandbox 0',
      'createContainer app 0',
      'startContainer app',
    ],
  },
  {
    says: 'while the image of the successor cannot be had the old pod runs on',
    wanted: [onePort],
    there: running(web),
    memory: noteFailure(
      EMPTY_MEMORY,
      {
        kind: 'image',
        key: failureKey('image', wish(onePort).uid, 'busybox:1'),
        reason: 'ErrImagePull',
        message: 'no',
      },
      NOW,
    ),
    steps: [],
    againAt: NOW + 10_000,
  },
  {
    says: 'an orphan ends with its stored grace and leaves nothing',
    wanted: [],
    there: running(web),
    steps: [
      'stopContainer a0',
      'stopContainer b0',
      'stopSandbox s0',
      'removeContainer a0',
      'removeContainer b0',
      'removeSandbox s0',
      'removePodData',
    ],
  },
  {
    says: 'nothing is an orphan while a source has not spoken',
    wanted: [],
    complete: false,
    there: running(web),
    podData: ['stranger'],
    steps: [],
  },
  {
    says: 'the data of a pod that is gone is removed',
    wanted: [two],
    there: running(web),
    podData: [web.uid, 'stranger'],
    steps: ['removePodData'],
  },
  {
    says: 'a sandbox that died takes its containers with it and all begin again in a new one',
    wanted: [two],
    there: { ...running(web), sandboxes: [sandboxOf(web, { ready: false })] },
    steps: [
      'stopContainer a0',
      'stopContainer b0',
      'prepareVolumes',
      'runSandbox 1',
      'pullImage a',
      'createContainer a 1',
      'pullImage b',
      'createContainer b 1',
      'startContainer a',
      'startContainer b',
    ],
  },
  {
    says: 'a sandbox that never came up is run again under the same attempt',
    wanted: [two],
    there: { sandboxes: [sandboxOf(web, { ready: false })], containers: [] },
    steps: START_AB,
  },
  {
    says: 'a doubled sandbox is replaced by one',
    wanted: [manifest('web')],
    there: {
      sandboxes: [
        sandboxOf(wish(manifest('web'))),
        sandboxOf(wish(manifest('web')), { attempt: 1 }),
      ],
      containers: [],
    },
    steps: [
      'stopSandbox s1',
      'stopSandbox s0',
      'prepareVolumes',
      'runSandbox 2',
      'pullImage app',
      'createContainer app 0',
      'startContainer app',
      'removeSandbox s1',
      'removeSandbox s0',
    ],
  },
  {
    says: 'with Never a container that ended stays as it is and the sandbox goes when all have',
    wanted: [never],
    there: {
      sandboxes: [sandboxOf(wish(never))],
      containers: [ended(never, 'a', 0), ended(never, 'b', 1)],
    },
    steps: ['stopSandbox s0'],
  },
  {
    says: 'with Never a dead sandbox is not made again once something ran',
    wanted: [never],
    there: {
      sandboxes: [sandboxOf(wish(never), { ready: false })],
      containers: [ended(never, 'a', 1), ended(never, 'b', 0)],
    },
    steps: [],
  },
  {
    says: 'with Never what still runs in a dead sandbox is ended and not run again',
    wanted: [never],
    there: { ...running(wish(never)), sandboxes: [sandboxOf(wish(never), { ready: false })] },
    steps: ['stopContainer a0', 'stopContainer b0'],
  },
  {
    says: 'with OnFailure only what failed runs again',
    wanted: [onFailure],
    there: {
      sandboxes: [sandboxOf(wish(onFailure))],
      containers: [ended(onFailure, 'a', 0), ended(onFailure, 'b', 1)],
    },
    steps: ['prepareVolumes', 'pullImage b', 'createContainer b 1', 'startContainer b'],
  },
  {
    says: 'with OnFailure a dead sandbox is made again for what has not succeeded, and for that alone',
    wanted: [onFailure],
    there: {
      sandboxes: [sandboxOf(wish(onFailure), { ready: false })],
      containers: [ended(onFailure, 'a', 0), ended(onFailure, 'b', 1)],
    },
    steps: [
      'prepareVolumes',
      'runSandbox 1',
      'pullImage b',
      'createContainer b 1',
      'startContainer b',
    ],
  },
  {
    says: 'with OnFailure a pod whose containers all succeeded is over',
    wanted: [onFailure],
    there: {
      sandboxes: [sandboxOf(wish(onFailure), { ready: false })],
      containers: [ended(onFailure, 'a', 0), ended(onFailure, 'b', 0)],
    },
    steps: [],
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
  {
    says: 'a stop that failed is not tried again before its time',
    wanted: [],
    there: running(web),
    memory: noteFailure(
      EMPTY_MEMORY,
      { kind: 'stop', key: failureKey('stop', web.uid), reason: 'KillContainerError', message: '' },
      NOW,
    ),
    steps: [],
    againAt: NOW + 1_000,
  },
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

describe('plan', () => {
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

  describe('row 132: the volumes of a pod that has ended', () => {
    const manifestOfJob = manifest('job', { spec: { restartPolicy: 'Never' } });
    const job = wish(manifestOfJob);
    const { uid } = job;
    const configHash = job.pod.metadata.annotations?.[CONFIG_HASH] ?? '';
    const words = { phase: 'Succeeded', reason: '', message: '' } as const;
    const over = { uid, configHash, ...words, finishedAt: NOW };
    const stepsOf = (observed: ObservedPods, hasEnded: boolean, volumes: readonly string[]) =>
      shorthand(
        plan({
          ...CALM,
          desired: wishes([manifestOfJob]),
          observed,
          memory: EMPTY_MEMORY,
          completions: new Map(hasEnded ? [[job.uid, over]] : []),
          podData: new Set([job.uid]),
          podVolumes: new Set(volumes),
          now: NOW,
        }),
      );
    const dead: ObservedPods = {
      sandboxes: [sandboxOf(job, { ready: false })],
      containers: [containerOf(job, 'app', { state: 'exited', exitCode: 0 })],
    };

    test('are removed when all of it has stopped, and once only', () => {
      assert.deepEqual(stepsOf(dead, true, [job.uid]), ['removeVolumes']);
      assert.deepEqual(stepsOf(dead, true, []), []);
    });

    test('after what still has to be stopped', () => {
      const steps = stepsOf(running(job), true, [job.uid]);
      assert.deepEqual(steps.slice(-1), ['removeVolumes']);
      assert.ok(steps.some(step => step.startsWith('stopSandbox')));
      const [stop, remove] = [
        { do: 'stopSandbox', uid: 'u', id: 'docker://s', graceSeconds: 1, reason: '' },
        { do: 'removeVolumes', uid: 'u', reason: '' },
      ] as const;
      assert.equal(waitFor(remove, stop), 'success');
    });

    test('stay as long as it runs', () => {
      assert.deepEqual(stepsOf(running(job), false, []), []);
    });
  });

  test('what has ended is removed after the last of its pod has ended, so that its exit code and output can be read', () => {
    const of = { uid: 'u', reason: '' };
    const end = { graceSeconds: 1, order: 0, ...of };
    const stop = { do: 'stopContainer', container: 'b', id: 'b0', ...end } as const;
    const remove = { do: 'removeContainer', container: 'a', id: 'a0', ...of } as const;
    assert.equal(waitFor(remove, stop), 'end');
    assert.equal(waitFor({ ...remove, id: 'b0' }, stop), 'success');
    assert.equal(waitFor(remove, { ...stop, uid: 'v' }), 'none');
  });

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

  test('equal input gives equal output, whatever the order of the observation', () => {
    const there = together(running(web), running(wish(manifest('other'))));
    const turned = {
      sandboxes: there.sandboxes.toReversed(),
      containers: there.containers.toReversed(),
    };
    const of = (observed: ObservedPods) =>
      plan({
        desired: wishes([]),
        observed,
        memory: EMPTY_MEMORY,
        ...CALM,
        podData: new Set(),
        now: NOW,
      });
    assert.deepEqual(of(there), of(turned));
  });
});

test('row 44 better: what runs of a source that has spoken may go though another has not', () => {
  const desired = { ...wishes([], { complete: false }), spoken: new Set(['file']) };
  const steps = (source: string) => {
    const { sandboxes, containers } = running(wish(two));
    const observed = { containers, sandboxes: sandboxes.map(one => ({ ...one, source })) };
    const podData = new Set<string>();
    const input = { desired, observed, memory: EMPTY_MEMORY, ...CALM, podData, now: NOW };
    return shorthand(plan(input)).length;
  };
  assert.ok(steps('file') > 0);
  assert.deepEqual([steps('http'), steps('')], [0, 0]);
});

describe('what runs under the name of a pod that may not begin, and whose manifest nobody remembers', () => {
  const rejection = { phase: 'Pending', reason: 'Held', message: '', againAt: null } as const;
  const planned = (observed: ObservedPods) => {
    const desired = wishes([onePort]);
    const pods = desired.pods.map(pod => ({ ...pod, rejection }));
    const memory = EMPTY_MEMORY;
    const podData = new Set<string>();
    const wanted = { ...desired, pods };
    return shorthand(plan({ ...CALM, desired: wanted, observed, memory, podData, now: NOW }));
  };

  test('goes on while its sandbox lives', () => {
    assert.deepEqual(planned(running(web)), []);
  });

  test('is ended once its sandbox is dead: its ports are free, and it cannot be made again', () => {
    const sandboxes = [sandboxOf(web, { ready: false })];
    const steps = planned({ ...running(web), sandboxes });
    assert.ok(
      steps.includes('stopContainer a0') && steps.includes('stopContainer b0'),
      steps.join(),
    );
  });
});
