/** What is said to the hub, how much of it fits, and when it is said again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PodReport } from '../../../agent/ports.js';
import {
  conditionsSince,
  eventBatch,
  fittedStatus,
  REDACTED,
  statusVersion,
  toldPod,
} from '../../../agent/report/decide.js';
import { KEPT_ON_NODE } from '../../../agent/report/told-status.js';
import {
  EVENTS_IN_FLIGHT_MAX,
  HUB_JITTER_MS,
  IN_FLIGHT_MAX,
  Resend,
  STATUS,
} from '../../../agent/report/resend.js';
import { canonicalJson } from '../../../protocol/canonical.js';
import type { EventRecord, StatusDocument } from '../../../protocol/documents/node.js';
import { seal } from '../../../protocol/envelope.js';
import { MESSAGE_BYTES_MAX } from '../../../protocol/limits.js';
import { FLEET, NODE } from '../../support/fleet.js';

function local(change: Partial<PodReport> = {}): PodReport {
  return {
    key: 'default/web-edge-1',
    source: 'file',
    bundle: null,
    manifestDigest: null,
    pod: {
      metadata: {
        name: 'web-edge-1',
        namespace: 'default',
        annotations: {
          'kubectl.kubernetes.io/last-applied-configuration': '{"hunter2":1}',
          mine: 'kept',
        },
      },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i',
            env: [
              { name: 'PASSWORD', value: 'hunter2' },
              { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
            ],
          },
        ],
        initContainers: [{ name: 'init', image: 'i', env: [{ name: 'P', value: 'hunter2' }] }],
      },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    },
    ...change,
  };
}

describe('a pod as it is told', () => {
  test('a local one carries its spec, no env value and no last applied configuration', () => {
    const { pod, summary } = toldPod(local());
    const text = canonicalJson(pod);
    assert.doesNotMatch(text, /hunter2/);
    assert.ok(text.includes(JSON.stringify(REDACTED)));
    assert.match(text, /"fieldPath":"spec.nodeName"/);
    assert.match(text, /"mine":"kept"/);
    assert.deepEqual([summary.phase, summary.ready], ['Running', true]);
  });

  test('one of a bundle carries metadata and status alone', () => {
    const { pod } = toldPod(
      local({ source: 'bundle', bundle: { namespace: 'default', name: 'shop' } }),
    );
    assert.deepEqual(Object.keys(pod).sort(), ['apiVersion', 'kind', 'metadata', 'status']);
  });

  test('the last words of a container stay on the node (row 199)', () => {
    const words = (reason: string) => ({
      terminated: { exitCode: 1, reason, message: `hunter2 of ${reason}` },
    });
    const container = { name: 'c', image: 'i', imageID: '', ready: false, restartCount: 1 };
    const status = {
      phase: 'Running',
      initContainerStatuses: [{ ...container, state: words('Error') }],
      containerStatuses: [
        { ...container, state: words('OOMKilled'), lastState: words('Completed') },
        { ...container, state: { waiting: { reason: 'x', message: 'kept' } } },
        { ...container, state: words('ContainerCannotRun') },
      ],
    };
    const { pod } = toldPod(local({ pod: { metadata: { name: 'web' }, status } }));
    const text = canonicalJson(pod);
    assert.deepEqual(text.match(/hunter2[^"]*/g), ['hunter2 of ContainerCannotRun']);
    assert.equal(text.split(KEPT_ON_NODE).length - 1, 3);
    assert.match(text, /"kept"/);
  });

  const large: [string, PodReport['pod']][] = [
    [
      'annotations',
      { metadata: { name: 'web', namespace: 'default', annotations: { a: 'x'.repeat(200_000) } } },
    ],
    [
      'arguments',
      {
        metadata: { name: 'web' },
        spec: { containers: [{ name: 'c', image: 'i', args: ['x'.repeat(200_000)] }] },
      },
    ],
    [
      'messages',
      { metadata: { name: 'web' }, status: { phase: 'Failed', message: 'x'.repeat(200_000) } },
    ],
    [
      'conditions',
      {
        metadata: { name: 'web' },
        status: {
          phase: 'Failed',
          conditions: Array.from({ length: 2000 }, () => ({
            type: 'x'.repeat(100),
            status: 'True',
          })),
        },
      },
    ],
  ];
  for (const [what, pod] of large) {
    test(`one with too many ${what} is cut until a message holds it`, () => {
      const told = toldPod(local({ pod }));
      assert.ok(seal('pod', { pod: told.pod }, [NODE]).byteLength < MESSAGE_BYTES_MAX);
      assert.equal((told.pod['metadata'] as { name: string }).name, 'web');
    });
  }

  test('a lone surrogate is mended: the wire refuses it', () => {
    const pod = { metadata: { name: 'web' }, status: { message: 'a\ud800b' } };
    assert.ok(canonicalJson(toldPod(local({ pod })).pod).includes('a\ufffdb'));
  });
});

function status(change: Partial<StatusDocument> = {}): StatusDocument {
  return {
    fleet: FLEET,
    node: 'edge-1',
    journal: '00'.repeat(16),
    boot: 1,
    counter: 1,
    at: '2026-06-01T00:00:00.000Z',
    epoch: 1,
    generation: 7,
    rootVersion: 1,
    clock: 'synced',
    clockOffset: null,
    development: false,
    lastRefusal: null,
    history: { row: 0, head: null, oldest: 0, known: null },
    reads: {},
    conditions: [],
    info: {
      agentVersion: '0.1.0',
      architecture: 'amd64',
      operatingSystem: 'linux',
      osImage: '',
      kernelVersion: '',
      containerRuntimeVersion: '',
      bootID: '',
      machineID: '',
      addresses: [],
    },
    capacity: {},
    allocatable: {},
    bundles: [],
    pods: {},
    ...change,
  };
}

describe('the status', () => {
  test('is the same when only its number and time differ', () => {
    const later = status({ counter: 2, at: '2026-06-02T00:00:00.000Z' });
    assert.equal(statusVersion(status()), statusVersion(later));
    assert.notEqual(statusVersion(status()), statusVersion(status({ generation: 8 })));
  });

  test('with long sentences is cut at those, never at pods', () => {
    const digests = { digest: 'a'.repeat(64), active: 'b'.repeat(64), failed: null };
    const bundle = { namespace: 'd', name: 'n', revision: 1, ...digests, attempt: 0 };
    const bundles = Array.from({ length: 128 }, () => ({
      ...bundle,
      state: 'failed' as const,
      reason: 'r',
      message: 'm'.repeat(1024),
      since: '2026-06-01T00:00:00.000Z',
    }));
    const pods = {
      'default/web': { digest: 'b'.repeat(64), phase: 'Running' as const, ready: true },
    };
    const fitted = fittedStatus(status({ bundles, pods }));
    assert.ok(seal('status', fitted, [NODE]).byteLength < MESSAGE_BYTES_MAX);
    assert.deepEqual([fitted.bundles.length, fitted.pods], [128, pods]);
  });

  test('with more pods than a message holds says so', () => {
    const summary = { digest: 'b'.repeat(64), phase: 'Running' as const, ready: true };
    const pods = Object.fromEntries(
      Array.from({ length: 2000 }, (_, i) => [`default/pod-${i}`, summary]),
    );
    const fitted = fittedStatus(status({ pods }));
    assert.ok(seal('status', fitted, [NODE]).byteLength < MESSAGE_BYTES_MAX);
    assert.ok(Object.keys(fitted.pods).length > 400);
    assert.equal(fitted.conditions[0]?.type, 'StatusTruncated');
  });

  test('a condition keeps the time of its last change of status', () => {
    const condition = { type: 'T', reason: 'R', message: 'm' };
    const first = conditionsSince([{ ...condition, status: 'True' }], [], 'then');
    const same = conditionsSince([{ ...condition, status: 'True', message: 'n' }], first, 'now');
    const other = conditionsSince([{ ...condition, status: 'False' }], first, 'now');
    assert.deepEqual([same[0]?.lastTransitionTime, same[0]?.message], ['then', 'n']);
    assert.equal(other[0]?.lastTransitionTime, 'now');
  });

  test('says every refused file in the one condition that its type may have', () => {
    const refused = (reason: string, message: string) =>
      ({ type: 'ManifestRefused', status: 'True', reason, message }) as const;
    const said = conditionsSince(
      [refused('Syntax', 'a.yaml'), refused('Mode', 'b.yaml')],
      [],
      'now',
    );
    assert.deepEqual(
      said.map(({ reason, message }) => [reason, message]),
      [['Syntax', 'a.yaml; b.yaml']],
    );
  });
});

test('a batch holds the first events that fit, at most 128', () => {
  const event = (n: number, message: string): EventRecord => ({
    n,
    at: '2026-06-01T00:00:00.000Z',
    type: 'Normal',
    reason: 'R',
    message,
    involved: { kind: 'Node', namespace: '', name: 'n', uid: '', fieldPath: '' },
  });
  const many = Array.from({ length: 300 }, (_, i) => event(i + 1, 'short'));
  assert.equal(eventBatch(many).length, 128);
  const long = Array.from({ length: 128 }, (_, i) => event(i + 1, '\u0001'.repeat(1024)));
  const batch = eventBatch(long);
  assert.ok(batch.length >= 3 && batch.length < 10, `${batch.length} long events`);
  assert.ok(seal('event', { events: batch }, [NODE]).byteLength < MESSAGE_BYTES_MAX);
});

describe('what is not confirmed', () => {
  const sent = (now: number) => ({ sent: true, now, random: 0 });

  test('is said again 30 s after the PUBACK, doubling to an hour, while the hub is online', () => {
    const resend = new Resend();
    resend.hubOnline(true);
    resend.put('a', '1');
    let now = 0;
    const gaps: number[] = [];
    assert.deepEqual(resend.take(now), ['a']);
    for (let i = 0; i < 9; i++) {
      resend.settled('a', '1', sent(now));
      const at = resend.nextAt() ?? 0;
      gaps.push(at - now);
      assert.deepEqual(resend.take(at - 1), []);
      now = at;
      assert.deepEqual(resend.take(now), ['a']);
    }
    assert.deepEqual(gaps.slice(0, 4), [30_000, 60_000, 120_000, 240_000]);
    assert.equal(gaps[8], 3_600_000);
  });

  test('rests while the hub is offline', () => {
    const resend = new Resend();
    resend.put('a', '1');
    resend.take(0);
    resend.settled('a', '1', sent(0));
    assert.deepEqual([resend.nextAt(), resend.take(1e9)], [null, []]);
  });

  test('is said again soon to a new session of the hub', () => {
    const resend = new Resend();
    resend.hubOnline(true);
    resend.put('a', '1');
    resend.take(0);
    resend.settled('a', '1', sent(0));
    resend.hubRestarted(1000, 0.5);
    assert.equal(resend.nextAt(), 1000 + HUB_JITTER_MS / 2);
  });

  test('is not repeated when it is the same, and starts anew when it changed', () => {
    const resend = new Resend();
    resend.put('a', '1');
    resend.take(0);
    resend.put('a', '1');
    assert.deepEqual(resend.take(0), []);
    resend.put('a', '2');
    resend.settled('a', '1', sent(0));
    assert.deepEqual(resend.take(0), ['a']);
  });

  test('goes again at once when the connection broke before the PUBACK', () => {
    const resend = new Resend();
    resend.put('a', '1');
    resend.take(0);
    resend.settled('a', '1', { sent: false, now: 0, random: 0 });
    assert.deepEqual(resend.take(0), ['a']);
  });

  test('is at most a hundred at a time', () => {
    const resend = new Resend();
    for (let i = 0; i < 250; i++) resend.put(`k${i}`, '1');
    const first = resend.take(0);
    assert.equal(first.length, IN_FLIGHT_MAX);
    for (const key of first) resend.settled(key, '1', sent(0));
    assert.equal(resend.take(1).length, 0);
    for (const key of first.slice(0, 30)) resend.drop(key);
    assert.equal(resend.take(1).length, 30);
  });

  test('after a year away goes with the status first, then pods, then a few batches of events', () => {
    const resend = new Resend();
    for (let n = 128; n <= 10_000; n += 128) resend.put(`event/${n}`, String(n - 127));
    resend.put('pod/default/web', 'd');
    resend.put(STATUS, '1');
    const first = resend.take(0);
    const events = ['event/128', 'event/256', 'event/384', 'event/512'];
    assert.deepEqual(first, [STATUS, 'pod/default/web', ...events]);
    for (const key of first) resend.settled(key, resend.version(key) ?? '', sent(0));
    assert.deepEqual(resend.take(1), [], 'the rest waits for the hub');
    resend.drop('event/128');
    resend.drop('event/256');
    assert.deepEqual(resend.take(1), ['event/640', 'event/768']);
  });

  test('a newer status goes at once, in the place of the older one, however much is on its way', () => {
    const resend = new Resend();
    for (let i = 0; i < 250; i++) resend.put(`pod/default/p${i}`, '1');
    resend.put(STATUS, '1');
    assert.equal(resend.take(0).length, IN_FLIGHT_MAX);
    resend.put(STATUS, '2');
    resend.settled(STATUS, '1', sent(0));
    assert.deepEqual(resend.take(0), [STATUS]);
    assert.equal(resend.keys().filter(key => key === STATUS).length, 1);
  });

  test('at most a few batches of events are on their way when they are said again, too', () => {
    const resend = new Resend();
    resend.hubOnline(true);
    for (let n = 1; n <= 20; n++) resend.put(`event/${n}`, String(n));
    assert.equal(resend.take(0).length, EVENTS_IN_FLIGHT_MAX);
    for (let n = 1; n <= 20; n++) resend.settled(`event/${n}`, String(n), sent(0));
    resend.hubRestarted(0, 0.5);
    assert.equal(resend.take(HUB_JITTER_MS).length, EVENTS_IN_FLIGHT_MAX);
  });
});
