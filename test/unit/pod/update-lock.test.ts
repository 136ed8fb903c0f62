/** `flotilla.dev/update-lock`: what may be said, and what counts as a lock on the disk. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { PodReport } from '../../../agent/ports.js';
import { HostPathLocks } from '../../../agent/volumes/host-path-locks.js';
import { HostPathPatience } from '../../../agent/volumes/host-path-patience.js';
import { openUpdateLocks } from '../../../agent/volumes/update-locks.js';
import type { Pod } from '../../../protocol/pod.js';
import { eventually } from '../../support/wait.js';
import { checkUpdateLock, updateLockOf } from '../../../protocol/pod-update-lock.js';

const LOCK = 'flotilla.dev/update-lock';
const TIMEOUT = 'flotilla.dev/update-lock-timeout';

function podWith(annotations: Record<string, string>, readOnly = false): Pod {
  return {
    metadata: { name: 'web', annotations },
    spec: {
      volumes: [
        { name: 'run', emptyDir: {} },
        { name: 'conf', configMap: { name: 'conf' } },
        { name: 'host', hostPath: { path: '/srv/app', type: 'Directory' } },
        { name: 'log', hostPath: { path: '/srv/log', type: 'File' } },
      ],
      containers: [
        {
          ...{ name: 'app', image: 'busybox:1' },
          volumeMounts: [
            { name: 'run', mountPath: '/run/app', readOnly },
            { name: 'host', mountPath: '/srv/app' },
          ],
        },
      ],
    },
  };
}

describe('the annotations of an update lock', () => {
  const rows: readonly (readonly [string, Record<string, string>, string | null])[] = [
    ['none', {}, null],
    ['a file in an emptyDir', { [LOCK]: 'run/update.lock' }, null],
    ['a file further down', { [LOCK]: 'run/a/b' }, null],
    ['with a longest wait', { [LOCK]: 'run/busy', [TIMEOUT]: '168h' }, null],
    ['a volume alone', { [LOCK]: 'run' }, 'must be VOLUME/PATH'],
    ['a path that leaves the volume', { [LOCK]: 'run/../x' }, 'must be VOLUME/PATH'],
    ['a path of the container', { [LOCK]: '/run/app/busy' }, 'must be VOLUME/PATH'],
    ['a volume that is not there', { [LOCK]: 'tmp/busy' }, '"tmp" must be an emptyDir, or'],
    ['a volume of another kind', { [LOCK]: 'conf/busy' }, '"conf" must be an emptyDir, or'],
    ['a directory of the node', { [LOCK]: 'host/run/busy' }, null],
    ['below a directory of the node', { [LOCK]: 'host/../etc' }, 'must be VOLUME/PATH'],
    ['a file of the node', { [LOCK]: 'log/busy' }, '"log" must be an emptyDir, or a directory'],
    ['a wait without end', { [LOCK]: 'run/busy', [TIMEOUT]: '0' }, 'must be a duration'],
    ['a wait of more than a week', { [LOCK]: 'run/busy', [TIMEOUT]: '169h' }, 'must be a duration'],
    ['a wait alone', { [TIMEOUT]: '1h' }, 'must stand beside flotilla.dev/update-lock'],
  ];
  for (const [sentence, annotations, fault] of rows) {
    test(`${sentence}: ${fault ?? 'taken'}`, () => {
      const [error] = checkUpdateLock(podWith(annotations));
      if (fault === null) assert.equal(error, undefined);
      else assert.ok(error?.message.includes(fault), JSON.stringify(error));
    });
  }

  test('a volume that nobody mounts for writing is refused', () => {
    const [error] = checkUpdateLock(podWith({ [LOCK]: 'run/busy' }, true));
    assert.match(error?.message ?? '', /no container mounts "run" for writing/);
  });

  test('an hour is waited unless it says otherwise', () => {
    const lock = updateLockOf(podWith({ [LOCK]: 'run/a/busy' }));
    assert.deepEqual(lock, { volume: 'run', path: 'a/busy', timeoutMs: 3_600_000 });
  });

  test('of a directory of the node say where that is', () => {
    const lock = updateLockOf(podWith({ [LOCK]: 'host/a/busy' }));
    const of = { volume: 'host', hostPath: '/srv/app', path: 'a/busy' };
    assert.deepEqual(lock, { ...of, timeoutMs: 3_600_000 });
  });
});

describe('an update lock on the disk', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-locks-'));
  after(() => rmSync(dataDir, { recursive: true }));
  const root = join(dataDir, 'pods', 'uid-1', 'volumes', 'kubernetes.io~empty-dir', 'run');
  const file = join(root, 'sub', 'busy');
  const began = Date.parse('2026-01-01T00:00:00Z');
  const lock = { volume: 'run', path: 'sub/busy', timeoutMs: 1 };
  const look = (startedAt: string | null = '2026-01-01T00:00:00Z') => {
    const pod = podWith({});
    const running = { state: { running: { startedAt: startedAt ?? '' } } };
    const ended = { state: { terminated: { exitCode: 1 } } };
    const status = { containerStatuses: [{ name: 'app', ...(startedAt ? running : ended) }] };
    const report = { pod: { ...pod, metadata: { ...pod.metadata, uid: 'uid-1' }, status } };
    const never = { look: () => assert.fail('that is no hostPath') };
    return openUpdateLocks(dataDir, never)(report as unknown as PodReport, lock);
  };
  const put = (at: number) => {
    rmSync(join(root, 'sub'), { recursive: true, force: true });
    mkdirSync(join(root, 'sub'), { recursive: true });
    writeFileSync(file, '');
    utimesSync(file, at / 1000, at / 1000);
  };

  test('is none where nothing lies, not even the volume', () => assert.equal(look(), null));

  test('counts since it lies there, a directory as well as a file', () => {
    put(began + 5_000);
    assert.equal(look(), began + 5_000);
    rmSync(file);
    mkdirSync(file);
    assert.notEqual(look(), null);
  });

  test('of a container that ended is none, nor one that is older than what runs', () => {
    put(began + 5_000);
    assert.equal(look(null), null);
    assert.equal(look('2026-01-01T00:01:00Z'), null);
  });

  test('made in the second in which its container began counts', () => {
    put(began);
    assert.equal(look('2026-01-01T00:00:00.8Z'), began);
  });

  test('behind a link is none: a container may point anywhere', () => {
    put(began + 5_000);
    renameSync(join(root, 'sub'), join(dataDir, 'elsewhere'));
    symlinkSync(join(dataDir, 'elsewhere'), join(root, 'sub'));
    assert.equal(look(), null);
    rmSync(join(root, 'sub'));
    mkdirSync(join(root, 'sub'));
    symlinkSync('/etc/hostname', file);
    assert.equal(look(), null);
  });
});

describe('an update lock below a hostPath', () => {
  const root = mkdtempSync(join(tmpdir(), 'flotilla-host-locks-'));
  after(() => rmSync(root, { recursive: true }));
  const lock = { volume: 'host', hostPath: root, path: 'sub/busy', timeoutMs: 1 };
  const report = {
    pod: {
      ...podWith({}),
      metadata: { name: 'web', uid: 'uid-1' },
      status: {
        containerStatuses: [
          { name: 'app', state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
        ],
      },
    },
  } as unknown as PodReport;
  let now = 0;
  const clock = { monotonic: () => now };
  const sleeping = {
    now: () => 0,
    monotonic: () => now,
    sleep: () => new Promise<void>(() => undefined),
  };
  const opened = (ask: HostPathPatience['ask']) =>
    openUpdateLocks(root, new HostPathLocks({ clock, patience: { ask } }));
  const real = new HostPathPatience(sleeping, () => Promise.resolve());
  /** What is known once the node has answered. */
  const answered = async (read: ReturnType<typeof openUpdateLocks>) => {
    assert.equal(read(report, lock), 'looking');
    return eventually('an answer', () => {
      const said = read(report, lock);
      return said === 'looking' ? Promise.reject(new Error(said)) : Promise.resolve({ said });
    });
  };
  const look = async () =>
    (await answered(opened((path, question) => real.ask(path, question)))).said;

  test('is none where nothing lies', async () => assert.equal(await look(), null));

  test('counts since it lies there, unless it is older than what runs', async () => {
    mkdirSync(join(root, 'sub'));
    writeFileSync(join(root, 'sub', 'busy'), '');
    const at = Date.parse('2026-01-01T00:00:05Z');
    utimesSync(join(root, 'sub', 'busy'), at / 1000, at / 1000);
    assert.equal(await look(), at);
    utimesSync(join(root, 'sub', 'busy'), 1, 1);
    assert.equal(await look(), null);
  });

  test('below a directory that cannot be looked into may be one: nobody knows', async () => {
    const read = opened((path, question) => real.ask(path, question));
    const unreadable = { ...lock, path: `${'x'.repeat(300)}/busy` };
    await eventually('an answer', () =>
      read(report, unreadable) === 'unanswered'
        ? Promise.resolve(true)
        : Promise.reject(new Error('not yet')),
    );
  });

  test('behind a link is none, on the way to it or in its place', async () => {
    rmSync(join(root, 'sub'), { recursive: true });
    mkdirSync(join(root, 'elsewhere'));
    writeFileSync(join(root, 'elsewhere', 'busy'), '');
    symlinkSync(join(root, 'elsewhere'), join(root, 'sub'));
    assert.equal(await look(), null);
    rmSync(join(root, 'sub'));
    mkdirSync(join(root, 'sub'));
    symlinkSync('/etc/hostname', join(root, 'sub', 'busy'));
    assert.equal(await look(), null);
  });

  test('is asked for anew when the answer is old', async () => {
    const read = opened((path, question) => real.ask(path, question));
    assert.equal((await answered(read)).said, null);
    now += 2_001;
    assert.equal((await answered(read)).said, null);
  });

  test('where the file server keeps silent is not waited for, and nobody knows', async () => {
    let asked = 0;
    const read = opened(() => {
      asked++;
      return Promise.reject(new Error('does not answer'));
    });
    assert.equal((await answered(read)).said, 'unanswered');
    now += 5_000;
    assert.deepEqual([read(report, lock), asked], ['unanswered', 2]);
  });
});
