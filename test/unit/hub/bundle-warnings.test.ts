/** What `flotilla apply` says of pods that nodes refuse by default. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  aloneWarnings,
  bundleWarnings,
  graceWarnings,
  farWindowWarnings,
  windowWarnings,
} from '../../../hub/cli/bundle-warnings.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { manifest } from '../../support/pods.js';

const onPort = (hostPort: number) =>
  manifest('web', { containers: [{ name: 'app', ports: [{ containerPort: 80, hostPort }] }] });

test('a pod that nodes run by default is not mentioned', () => {
  assert.deepEqual(bundleWarnings([manifest('plain'), onPort(1024)]), []);
});

test('another is, with rule and field', () => {
  assert.deepEqual(bundleWarnings([manifest('plain'), onPort(80)]), [
    'Warning: pod "web" violates PodSecurity "baseline:latest": hostPort (container "app" uses ' +
      'hostPort 80) [rule hostPorts, field spec.containers[0].ports[0].hostPort]; ' +
      'nodes refuse that by default',
  ]);
});

test('a Secret as an environment variable is, with field, reason and what to do', () => {
  const env = [{ name: 'PW', valueFrom: { secretKeyRef: { name: 'db', key: 'pw' } } }];
  const [first, second, ...more] = bundleWarnings([
    manifest('web', {
      containers: [{ name: 'app', env, envFrom: [{ secretRef: { name: 'all' } }] }],
    }),
  ]);
  assert.match(
    first ?? '',
    /^Warning: pod "web" spec\.containers\[0\]\.envFrom\[0\]\.secretRef: .*"all"/,
  );
  assert.match(
    second ?? '',
    /spec\.containers\[0\]\.env\[0\]\.valueFrom\.secretKeyRef: .*"db".*in clear on its disk.*allowSecretEnv: true/,
  );
  assert.deepEqual(more, []);
});

describe('an annotation of ours', () => {
  const annotated = (annotations: Record<string, string>) => ({
    ...manifest('web'),
    metadata: { ...manifest('web').metadata, annotations },
  });
  test('that is misspelt is mentioned, with what was meant', () => {
    assert.deepEqual(bundleWarnings([annotated({ 'flotilla.dev/update-lok': 'run/busy' })]), [
      'Warning: pod "web" metadata.annotations[flotilla.dev/update-lok]: nobody reads this annotation: ' +
        'did you mean "flotilla.dev/update-lock"?',
    ]);
  });
  test('that somebody reads is not, nor one of others', () => {
    const known = { 'flotilla.dev/start-after': 'db', 'example.com/update-lok': 'x' };
    assert.deepEqual(bundleWarnings([annotated(known)]), []);
  });
  const showing = (key: string) => {
    const items = [{ path: 'word', fieldRef: { fieldPath: `metadata.annotations['${key}']` } }];
    const pod = manifest('web');
    return { ...pod, spec: { ...pod.spec, volumes: [{ name: 'hub', downwardAPI: { items } }] } };
  };
  test('that a file shows and that has no value is mentioned', () => {
    assert.deepEqual(bundleWarnings([showing('flotilla.dev/connectedsince')]), [
      'Warning: pod "web" spec.volumes[0].downwardAPI.items[0].fieldRef.fieldPath: flotilla.dev/connectedsince has no value: ' +
        'did you mean "flotilla.dev/connected-since"?',
    ]);
    assert.deepEqual(bundleWarnings([showing('flotilla.dev/connected')]), []);
  });
});

describe('of what runs already', () => {
  const asks = (healthy: number) => ({ manifests: [manifest('plain'), onPort(80)], healthy });
  test('nothing is said again where a node showed that it takes it', () => {
    assert.deepEqual(bundleWarnings([onPort(80)], asks(1)), []);
  });
  test('it is said again while no node runs it', () => {
    assert.equal(bundleWarnings([onPort(80)], asks(0)).length, 1);
  });
  test('what is new in it is said', () => {
    assert.match(bundleWarnings([onPort(81)], asks(1)).join(), /hostPort 81/);
  });
});

test('what runs now and may take as long to end as its successor has to begin is mentioned', () => {
  const slow = (name: string, seconds: number) =>
    manifest(name, { spec: { terminationGracePeriodSeconds: seconds } });
  const strategy = { ...DEFAULT_STRATEGY, progressDeadlineSeconds: 30 };
  assert.deepEqual(graceWarnings([slow('quick', 29)], strategy), []);
  assert.deepEqual(graceWarnings([], strategy), []);
  assert.deepEqual(
    graceWarnings([slow('quick', 29), slow('slow', 30), manifest('plain')], strategy),
    [
      'Warning: pod "slow", which runs now, has up to 30 s to end (terminationGracePeriodSeconds): ' +
        'the progress deadline of 30 s counts from its end',
      'Warning: pod "plain", which runs now, has up to 30 s to end (terminationGracePeriodSeconds): ' +
        'the progress deadline of 30 s counts from its end',
    ],
  );
});

test('a window that is over before a revision has to be healthy is mentioned', () => {
  const windowOf = (duration: string) => ({ schedule: '@daily', duration, timeZone: 'UTC' });
  const maintenanceWindows = [windowOf('10m'), windowOf('9m59s')];
  assert.deepEqual(windowWarnings(DEFAULT_STRATEGY), []);
  assert.deepEqual(windowWarnings({ ...DEFAULT_STRATEGY, maintenanceWindows }), [
    'Warning: window "@daily for 9m59s in UTC" is shorter than the progress deadline of 600 s: a revision may be given up, ' +
      'and the former one put back, after it has closed',
  ]);
});

describe('windows that are far away', () => {
  const now = Date.parse('2026-11-23T00:00:00Z');
  const windowOf = (schedule: string) => ({ schedule, duration: '2h', timeZone: 'UTC' });
  const rows: readonly [string, string[], string[]][] = [
    ['none', [], []],
    ['one of each month', ['0 3 1 * *'], []],
    [
      'one of a leap year',
      ['0 2 29 2 *'],
      [
        'Warning: window "0 2 29 2 * for 2h in UTC" opens 2028-02-29T02:00Z for the first time, in 463 days: nodes wait until then',
      ],
    ],
    ['one of them soon', ['0 2 29 2 *', '@daily'], []],
  ];
  for (const [which, schedules, warnings] of rows) {
    test(`are mentioned: ${which}`, () => {
      const maintenanceWindows = schedules.map(windowOf);
      assert.deepEqual(
        farWindowWarnings({ ...DEFAULT_STRATEGY, maintenanceWindows }, now),
        warnings,
      );
    });
  }
});

test('an image that asks the registry at each start is mentioned where alone-ready is required', () => {
  const containers = [
    { name: 'a', image: 'web' },
    { name: 'b', image: 'web:1' },
    { name: 'c', image: 'cam:1', imagePullPolicy: 'Always' as const },
    { name: 'd', image: 'bound' },
  ];
  const pods = [manifest('web', { containers }), manifest('again', { containers })];
  const images = [{ image: 'bound', digests: [`sha256:${'a'.repeat(64)}`] }];
  const alone = { ...DEFAULT_STRATEGY, require: ['aloneReady' as const] };
  const named = (text: string) =>
    /^Warning: image "(.*)" has imagePullPolicy Always/.exec(text)?.[1];
  assert.deepEqual(aloneWarnings(pods, alone, images).map(named), ['web', 'cam:1']);
  assert.deepEqual(aloneWarnings(pods, DEFAULT_STRATEGY, images), []);
  const undo = { ...DEFAULT_STRATEGY, require: ['undoReady' as const] };
  assert.deepEqual(aloneWarnings(pods, undo, images), []);
});
