/** `plan`, row by row: what goes, in which order, and when it is not yet known that it may go. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY_MEMORY, failureKey, noteFailure } from '../../../agent/pods/back-off.js';
import { CONFIG_HASH } from '../../../agent/pods/desired.js';
import { plan } from '../../../agent/pods/plan.js';
import { waitFor } from '../../../agent/pods/steps.js';
import type { ObservedPods } from '../../../agent/runtime/runtime.js';
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
import { NOW, onePort, testRows, two, web } from '../../support/plan-rows.js';

describe('plan', () => {
  testRows([
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
      says: 'a stop that failed is not tried again before its time',
      wanted: [],
      there: running(web),
      memory: noteFailure(
        EMPTY_MEMORY,
        {
          kind: 'stop',
          key: failureKey('stop', web.uid),
          reason: 'KillContainerError',
          message: '',
        },
        NOW,
      ),
      steps: [],
      againAt: NOW + 1_000,
    },
  ]);

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
