/** Which run of a container `/containerLogs` shows, with the kubelet's codes and sentences. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HttpError } from '../../../agent/api/http-error.js';
import { loggedContainer, logOptionsOf } from '../../../agent/api/log-target.js';
import type { PodReport } from '../../../agent/ports.js';
import type { ContainerStatus } from '../../../protocol/pod.js';

function reportOf(statuses: readonly Partial<ContainerStatus>[]): PodReport {
  const rest = { image: '', imageID: '', ready: false, restartCount: 0 };
  return {
    key: 'default/web-n1',
    source: 'file',
    bundle: null,
    manifestDigest: null,
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-n1', namespace: 'default' },
      spec: { initContainers: [{ name: 'init' }], containers: [{ name: 'app' }] },
      status: {
        phase: 'Running',
        containerStatuses: statuses.map(one => ({ name: 'app', ...rest, ...one })),
      },
    },
  };
}

function answerOf(read: () => unknown): string {
  try {
    return JSON.stringify(read());
  } catch (error) {
    assert.ok(error instanceof HttpError, String(error));
    return `${error.code} ${error.message}`;
  }
}

const ended = (id: string) => ({ terminated: { exitCode: 1, containerID: `docker://${id}` } });
const waiting = (reason: string) => ({ waiting: { reason } });
const WAITS = 'container "app" in pod "web" is waiting to start:';

describe('row 220, containerLogs: which run is shown', () => {
  const rows: readonly (readonly [string, Partial<ContainerStatus>, boolean, string])[] = [
    ['the one that runs', { state: { running: {} }, containerID: 'docker://b' }, false, '"b"'],
    [
      'the one before, if asked',
      { state: { running: {} }, containerID: 'docker://b', lastState: ended('a') },
      true,
      '"a"',
    ],
    ['the one that ended', { state: ended('a'), containerID: 'docker://a' }, false, '"a"'],
    [
      'the one that crashed, while its back-off lasts',
      { state: waiting('CrashLoopBackOff'), lastState: ended('a'), containerID: 'docker://a' },
      false,
      '"a"',
    ],
    [
      'the former version that goes on while the next cannot begin',
      {
        state: waiting('ImagePullBackOff'),
        lastState: { running: {} },
        containerID: 'docker://a',
      },
      false,
      '"a"',
    ],
    [
      'none before the first',
      { state: { running: {} }, containerID: 'docker://b' },
      true,
      '400 previous terminated container "app" in pod "web" not found',
    ],
    [
      'none of a run that was lost',
      { state: { terminated: { exitCode: 137 } } },
      false,
      '400 container "app" in pod "web" is terminated',
    ],
    [
      'none while the image fails',
      { state: waiting('ErrImagePull') },
      false,
      `400 ${WAITS} image can't be pulled`,
    ],
    [
      'none while the image is waited for',
      { state: waiting('ImagePullBackOff') },
      false,
      `400 ${WAITS} trying and failing to pull image`,
    ],
    [
      'none before it was made',
      { state: waiting('PodInitializing') },
      false,
      `400 ${WAITS} PodInitializing`,
    ],
  ];
  for (const [sentence, status, previous, expected] of rows) {
    test(sentence, () => {
      const pods = { nodeName: 'n1', reports: [reportOf([status])] };
      const target = { namespace: 'default', pod: 'web', container: 'app', previous };
      assert.equal(
        answerOf(() => loggedContainer(pods, target)),
        expected,
      );
    });
  }

  const wrong: readonly (readonly [string, string, string, string])[] = [
    ['a pod that is not there', 'db', 'app', '404 pod does not exist: no pod "db" in namespace'],
    [
      'a container that is not there',
      'web',
      'db',
      '404 container "db" not found in pod "web"; it has: init, app',
    ],
    [
      'no container named where there are two',
      'web',
      '',
      '400 a container name must be specified for pod web, choose one of: [init app]',
    ],
    [
      'a container without a status',
      'web',
      'init',
      '400 container "init" in pod "web" is not available',
    ],
  ];
  for (const [sentence, pod, container, expected] of wrong) {
    test(sentence, () => {
      const pods = { nodeName: 'n1', reports: [reportOf([])] };
      const target = { namespace: 'default', pod, container, previous: false };
      assert.ok(answerOf(() => loggedContainer(pods, target)).startsWith(expected));
    });
  }
});

describe('row 220, containerLogs: options', () => {
  const plain = { follow: false, timestamps: false };
  const rows: readonly (readonly [string, string, unknown])[] = [
    ['none', '', plain],
    ['a bare name is yes', 'follow&timestamps=', { follow: true, timestamps: true }],
    ['1 is yes', 'follow=1', { ...plain, follow: true }],
    ['false and 0 are no', 'follow=False&timestamps=0', plain],
    ['no lines of what there is', 'tailLines=0', { ...plain, tailLines: 0 }],
    ['the older name', 'tail=3', { ...plain, tailLines: 3 }],
    ['all of it by the older name', 'tail=all&tailLines=3', plain],
    ['so many bytes', 'limitBytes=10', { ...plain, limitBytes: 10 }],
    [
      'since a time in another zone',
      'sinceTime=2026-01-02T03:04:05%2B01:00',
      { ...plain, sinceTime: '2026-01-02T02:04:05.000Z' },
    ],
    ['lines below none', 'tailLines=-1', '422 Invalid request: tailLines must be greater than or'],
    ['no bytes', 'limitBytes=0', '422 Invalid request: limitBytes must be greater than 0'],
    ['no seconds', 'sinceSeconds=0', '422 Invalid request: sinceSeconds must be greater than 0'],
    [
      'two beginnings',
      'sinceSeconds=5&sinceTime=2026-01-02T03:04:05Z',
      '422 Invalid request: at most one of `sinceTime` or `sinceSeconds` may be specified',
    ],
    ['a word for a number', 'tailLines=x', '400 Unable to decode query: tailLines is not a number'],
    ['a date for a time', 'sinceTime=2026-01-02', '400 Unable to decode query: sinceTime is not'],
  ];
  for (const [sentence, query, expected] of rows) {
    test(sentence, () => {
      const answer = answerOf(() => logOptionsOf(new URLSearchParams(query)));
      if (typeof expected === 'string') assert.ok(answer.startsWith(expected), answer);
      else assert.deepEqual(JSON.parse(answer), expected);
    });
  }
});
