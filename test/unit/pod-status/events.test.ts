/** Events in the kubelet's words, and how often those are told that happen over and over. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventCorrelator, QUIET_MS, TOLD_AT_ONCE } from '../../../agent/pods/event-correlator.js';
import { EventTeller } from '../../../agent/pods/event-teller.js';
import * as say from '../../../agent/pods/pod-events.js';
import type { NewEvent } from '../../../agent/ports.js';
import { DEFAULT_RETENTION } from '../../../agent/journal/retention.js';
import { mergeSources, NOTHING_DESIRED } from '../../../agent/pods/desired.js';
import { manifest, NODE, T0, wish, wishes } from '../../support/pods.js';

const web = wish(manifest('web'));
const identity = { name: web.pod.metadata.name, namespace: 'default', uid: web.uid };

const WORDS: readonly [string, say.PodEvent, string][] = [
  ['a pull', say.pulling('a:1', 'app'), 'Normal Pulling app: Pulling image "a:1"'],
  [
    'a pull that is done',
    say.pulled('a:1', 'app', 62_500),
    'Normal Pulled app: Successfully pulled image "a:1" in 1m2.5s',
  ],
  [
    'a stop',
    say.killing('app', 'no source wants it'),
    'Normal Killing app: Stopping container app',
  ],
  [
    'row 108: a stop for a probe',
    say.killing('app', 'Container app failed liveness probe'),
    'Normal Killing app: Container app failed liveness probe, will be restarted',
  ],
  [
    'a stop for an edit',
    say.killing('app', 'Container app definition changed'),
    'Normal Killing app: Container app definition changed, will be restarted',
  ],
  [
    'row 189: a deadline',
    say.deadlineExceeded(),
    'Normal DeadlineExceeded : Pod was active on the node longer than the specified deadline',
  ],
  [
    'row 84: a crash loop',
    say.backOff(web, 'app'),
    `Warning BackOff app: Back-off restarting failed container app in pod ` +
      `web-${NODE}_default(${web.uid})`,
  ],
  [
    'row 111: postStart',
    say.postStartFailed('app', 'exited with 1'),
    'Warning FailedPostStartHook app: PostStartHook failed: exited with 1',
  ],
];

describe('events', () => {
  for (const [sentence, { type, reason, container = '', message }, words] of WORDS) {
    test(`${sentence}: ${words}`, () => {
      assert.equal(`${type} ${reason} ${container}: ${message}`, words);
    });
  }

  const images: readonly [string, readonly string[]][] = [
    ['ErrImagePull', ['Failed', 'Failed', 'BackOff', 'Failed']],
    ['ErrImageNeverPull', ['ErrImageNeverPull', 'Failed']],
    ['InvalidImageName', ['InspectFailed', 'Failed']],
  ];
  for (const [reason, reasons] of images) {
    test(`row 125: an image that cannot be had, ${reason}: ${reasons.join(', ')}`, () => {
      const events = say.imageFailed('a:1', 'app', { reason, message: 'because' });
      assert.deepEqual(
        events.map(event => event.reason),
        reasons,
      );
      assert.equal(events[1]?.message, `Error: ${reason}`);
    });
  }
});

const event = (message: string, reason = 'BackOff'): NewEvent =>
  say.podEvent(identity, { type: 'Warning', reason, message, container: 'app' });

describe('an event that repeats itself', () => {
  test('is told at once the first times, then with growing pauses and how often it was', () => {
    const correlator = new EventCorrelator();
    const told = [0, 1, 10, 30, 70, 150, 310].map(
      s => correlator.note(event('again'), s * 1000)?.message ?? null,
    );
    assert.deepEqual(told, [
      'again',
      'again',
      'again',
      null,
      'again (x5 over 70s)',
      null,
      'again (x7 over 5m10s)',
    ]);
  });

  test('in a month of a crash loop fills no outbox', () => {
    const correlator = new EventCorrelator();
    let told = 0;
    for (let at = 0; at < 30 * 86_400_000; at += 300_000) {
      for (const reason of ['Pulled', 'Created', 'Started', 'BackOff']) {
        if (correlator.note(event('again', reason), at) !== null) told += 1;
      }
    }
    assert.ok(told < DEFAULT_RETENTION.outboxEvents / 50, `${told} events of one container`);
    assert.ok(told > 4 * 30, 'each is told once a day');
  });

  test('after ten quiet minutes is told as new', () => {
    const correlator = new EventCorrelator();
    for (let i = 0; i <= TOLD_AT_ONCE; i++) correlator.note(event('again'), i);
    assert.equal(correlator.note(event('again'), TOLD_AT_ONCE + 1), null);
    const later = TOLD_AT_ONCE + 2 + QUIET_MS;
    assert.equal(correlator.note(event('again'), later)?.message, 'again');
  });

  test('with another duration in its sentence is the same', () => {
    const correlator = new EventCorrelator();
    const told = ['312ms', '1.2s', '1m2.5s', '2h1m0s'].map(
      took => correlator.note(event(`took ${took}`), 0) !== null,
    );
    assert.deepEqual(told, [true, true, true, false]);
  });

  test('with other words each time is combined after ten', () => {
    const correlator = new EventCorrelator();
    const told = Array.from({ length: 40 }, (_, i) => correlator.note(event(`word ${i}`), i));
    const sentences = told.flatMap(one => (one === null ? [] : [one.message]));
    assert.equal(sentences[9], 'word 9');
    assert.equal(sentences[10], '(combined from similar events): word 10');
    assert.equal(sentences.length, 13);
  });

  test('of another container or with other words is its own', () => {
    const correlator = new EventCorrelator();
    for (let i = 0; i < 5; i++) correlator.note(event('again'), i);
    assert.notEqual(correlator.note(event('else'), 6), null);
    const other = { ...event('again'), involved: { ...event('').involved, uid: 'other' } };
    assert.notEqual(correlator.note(other, 7), null);
  });
});

describe('what is so and stays so', () => {
  function teller() {
    const told: NewEvent[] = [];
    const clock = { now: () => T0, monotonic: () => 0, sleep: () => Promise.resolve() };
    const events = { record: (one: NewEvent) => void told.push(one) };
    return { told, teller: new EventTeller({ events, clock }) };
  }

  test('rows 27, 42: a duplicate is told of the pod that stays, once', () => {
    const { told, teller: one } = teller();
    const pod = manifest('web');
    const from = (origin: string) => ({
      manifest: pod,
      origin,
      bundle: null,
      manifestDigest: null,
    });
    const desired = mergeSources({
      snapshots: [
        {
          kind: 'file',
          complete: true,
          pods: [from('a.yaml'), from('b.yaml')],
          refused: [],
          conditions: [],
          objects: [],
        },
      ],
      previous: NOTHING_DESIRED,
      running: new Set(),
      nodeName: NODE,
      now: T0,
    });
    one.tellStanding(desired);
    one.tellStanding(desired);
    assert.deepEqual(
      told.map(({ reason, involved }) => [reason, involved.name]),
      [['PodConflict', `web-${NODE}`]],
    );
    assert.match(told[0]?.message ?? '', /^b\.yaml: the pod .* is already wanted by a\.yaml/);
  });

  test('row 179: a rejection is told when it begins and when it begins again', () => {
    const { told, teller: one } = teller();
    const rejection = {
      phase: 'Failed',
      reason: 'NodePorts',
      message: 'taken',
      againAt: null,
    } as const;
    const rejected = { ...wishes([]), pods: [{ ...web, rejection }] };
    one.tellStanding(rejected);
    one.tellStanding(rejected);
    one.tellStanding(wishes([manifest('web')]));
    one.tellStanding(rejected);
    assert.deepEqual(
      told.map(({ reason, message }) => `${reason} ${message}`),
      ['NodePorts taken', 'Admitted May start: NodePorts holds no more', 'NodePorts taken'],
    );
    assert.deepEqual([...one.tallies.figures.rejections], [['NodePorts', 2]], 'row 222');
  });

  test('an init container’s events name its place', () => {
    const { told, teller: one } = teller();
    const spec = { ...web.pod.spec, initContainers: [{ name: 'first' }] };
    one.tellStanding({ ...wishes([]), pods: [{ ...web, pod: { ...web.pod, spec } }] });
    one.tell(identity, say.started('first'));
    one.tell(identity, say.started('app'));
    assert.deepEqual(
      told.map(({ involved }) => involved.fieldPath),
      ['spec.initContainers{first}', 'spec.containers{app}'],
    );
  });
});
