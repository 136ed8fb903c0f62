/** Links to the logs of pods, on real directories. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openLogLinks } from '../../../agent/pods/log-links.js';
import type { ObservedContainer, ObservedPods } from '../../../agent/runtime/runtime.js';

const UID = 'a'.repeat(32);
const idOf = (attempt: number) => `${attempt}`.padStart(64, 'e');

describe('row 205: links to the logs of pods', () => {
  let folder = '';
  let warnings: string[] = [];
  const log = {
    info: () => undefined,
    warn: (message: string) => void warnings.push(message),
    error: () => undefined,
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flotilla-links-'));
    warnings = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const engineLog = (attempt: number) => {
    const id = idOf(attempt);
    const directory = join(folder, 'engine', id);
    mkdirSync(directory, { recursive: true });
    const path = join(directory, `${id}-json.log`);
    writeFileSync(path, `log ${attempt}`);
    return path;
  };
  const container = (attempt: number, logPath = engineLog(attempt)): ObservedContainer => ({
    id: idOf(attempt),
    sandboxId: 's',
    pod: { name: 'web-n1', namespace: 'shop', uid: UID },
    name: 'main',
    attempt,
    state: 'running',
    image: 'x',
    imageId: 'docker://x',
    hash: '',
    createdAt: new Date(0),
    startedAt: new Date(0),
    finishedAt: null,
    exitCode: null,
    reason: '',
    message: '',
    logPath,
    preStop: null,
    stopOrder: 0,
    graceSeconds: null,
    round: 0,
  });
  const seen = (...containers: ObservedContainer[]): ObservedPods => ({
    sandboxes: [],
    containers,
  });
  const inPods = (attempt: number) =>
    join(folder, 'pods', `shop_web-n1_${UID}`, 'main', `${attempt}.log`);
  const inContainers = (attempt: number) =>
    join(folder, 'containers', `web-n1_shop_main-${idOf(attempt)}.log`);

  test('both places lead to the log of the engine', async () => {
    await openLogLinks(folder, log).sync(seen(container(0)));
    assert.equal(readFileSync(inPods(0), 'utf8'), 'log 0');
    assert.equal(readFileSync(inContainers(0), 'utf8'), 'log 0');
    assert.equal(readlinkSync(inContainers(0)), inPods(0));
  });

  test('row 206: the log of the crashed one stays beside the new one, as long as its container', async () => {
    const links = openLogLinks(folder, log);
    await links.sync(seen(container(0), container(1)));
    assert.deepEqual([inPods(0), inPods(1)].map(existsSync), [true, true]);
    await links.sync(seen(container(1)));
    assert.deepEqual([inPods(0), inContainers(0)].map(existsSync), [false, false]);
    assert.equal(readFileSync(inPods(1), 'utf8'), 'log 1');
  });

  test('with the last container of a pod its directory goes', async () => {
    const links = openLogLinks(folder, log);
    await links.sync(seen(container(0)));
    await links.sync(seen());
    assert.deepEqual(readdirSync(join(folder, 'pods')), []);
    assert.deepEqual(readdirSync(join(folder, 'containers')), []);
  });

  test('a container without a log yet gets its links when it has one', async () => {
    const links = openLogLinks(folder, log);
    await links.sync(seen(container(0, '')));
    assert.equal(existsSync(join(folder, 'pods')), false);
    await links.sync(seen(container(0)));
    assert.ok(existsSync(inPods(0)));
  });

  test('a new agent removes what one before it left, and keeps what still leads somewhere', async () => {
    await openLogLinks(folder, log).sync(seen(container(0), container(1)));
    rmSync(join(folder, 'engine', idOf(0)), { recursive: true });
    await openLogLinks(folder, log).sync(seen(container(1)));
    assert.deepEqual(
      [inPods(0), inContainers(0)].map(path => existsSync(path)),
      [false, false],
    );
    assert.deepEqual(readdirSync(join(folder, 'containers')).length, 1);
    assert.equal(readFileSync(inContainers(1), 'utf8'), 'log 1');
  });

  test('files and links of others stay', async () => {
    const foreign = join(folder, 'pods', 'other_pod_1', 'main');
    mkdirSync(foreign, { recursive: true });
    writeFileSync(join(foreign, '0.log'), 'kubelet');
    symlinkSync('/nowhere', join(foreign, '1.log'));
    mkdirSync(join(folder, 'pods', 'empty_pod_2'));
    mkdirSync(join(inPods(0), '..'), { recursive: true });
    writeFileSync(inPods(0), 'somebody else');
    await openLogLinks(folder, log).sync(seen(container(0)));
    assert.deepEqual(readdirSync(foreign), ['0.log', '1.log']);
    assert.ok(existsSync(join(folder, 'pods', 'empty_pod_2')));
    assert.equal(readFileSync(inPods(0), 'utf8'), 'somebody else');
    assert.deepEqual(warnings, []);
  });

  test('a pod whose name is too long for a directory is left out, said once, and the others have theirs', async () => {
    const links = openLogLinks(folder, log);
    const long = container(0);
    const name = 'l'.repeat(230);
    const observed = seen({ ...long, pod: { ...long.pod, name } }, container(1));
    await links.sync(observed);
    await links.sync(observed);
    assert.equal(warnings.length, 1);
    assert.equal(readdirSync(join(folder, 'pods')).length, 1);
    assert.equal(readdirSync(join(folder, 'containers')).length, 1);
  });

  test('where nothing can be written it is said once, and nothing fails', async () => {
    writeFileSync(join(folder, 'file'), '');
    const links = openLogLinks(join(folder, 'file'), log);
    for (let i = 0; i < 3; i++) await links.sync(seen(container(i)));
    assert.deepEqual(warnings, ['no links to the logs of pods are made']);
  });
});
