/** `plan`, row by row: a sandbox that died, never came up or is there twice, and what each restart policy makes again. */
import { describe } from 'node:test';
import type { ValidPod } from '../../../protocol/pod.js';
import { containerOf, manifest, running, sandboxOf, wish } from '../../support/pods.js';
import { START_AB, testRows, two, web } from '../../support/plan-rows.js';

const only = (pod: ValidPod, policy: string) =>
  manifest(pod.metadata.name, {
    containers: pod.spec.containers,
    spec: { restartPolicy: policy },
  });
const never = only(two, 'Never');
const onFailure = only(two, 'OnFailure');
const ended = (pod: ValidPod, name: string, code: number) =>
  containerOf(wish(pod), name, { state: 'exited', exitCode: code });

describe('plan', () => {
  testRows([
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
  ]);
});
