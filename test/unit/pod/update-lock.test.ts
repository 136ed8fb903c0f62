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
import { openUpdateLocks } from '../../../agent/volumes/update-locks.js';
import type { Pod } from '../../../protocol/pod.js';
import { checkUpdateLock, updateLockOf } from '../../../protocol/pod-update-lock.js';

const LOCK = 'flotilla.dev/update-lock';
const TIMEOUT = 'flotilla.dev/update-lock-timeout';

function podWith(annotations: Record<string, string>, readOnly = false): Pod {
  return {
    metadata: { name: 'web', annotations },
    spec: {
      volumes: [
        { name: 'run', emptyDir: {} },
        { name: 'conf', hostPath: { path: '/etc' } },
      ],
      containers: [
        {
          ...{ name: 'app', image: 'busybox:1' },
          volumeMounts: [{ name: 'run', mountPath: '/run/app', readOnly }],
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
    ['a volume that is not there', { [LOCK]: 'tmp/busy' }, '"tmp" must be an emptyDir volume'],
    ['a volume of another kind', { [LOCK]: 'conf/busy' }, '"conf" must be an emptyDir volume'],
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
    return openUpdateLocks(dataDir)(report as unknown as PodReport, lock);
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
