/** The directory source on a real directory: watches, half-written files, replaced directories, restarts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import type { FileSource } from '../../../agent/sources/files.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { eventually } from '../../support/wait.js';
import { fileBench } from './bench.js';

const yaml = (name: string, image = 'busybox:1') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: app, image: '${image}'}]}\n`;

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const bench = () => fileBench(cleanups);

const images = (source: FileSource) =>
  source.snapshot().pods.map(pod => pod.manifest.spec.containers[0]?.image);
const names = (source: FileSource) => source.snapshot().pods.map(pod => pod.manifest.metadata.name);
const seen = (source: FileSource, ...wanted: string[]) =>
  eventually(`pods ${wanted.join()}`, () => names(source).join() === wanted.join());
const condition = (source: FileSource, reason: string) =>
  source.snapshot().conditions.find(one => one.reason === reason);

describe('the directory source', () => {
  test('lists what is there at the start and hears of what comes, changes and goes', async () => {
    const { dir, put, open } = bench();
    put('a.yaml', yaml('a'));
    const source = await open();
    await seen(source, 'a');
    put('b.yaml', yaml('b'));
    await seen(source, 'a', 'b');
    put('b.yaml', yaml('b', 'busybox:2'));
    await eventually('the new image', () => images(source)[1] === 'busybox:2');
    renameSync(join(dir, 'a.yaml'), join(dir, '..', 'a.yaml'));
    await seen(source, 'b');
  });

  test('stopped in the middle of a look it watches nothing any more', async () => {
    const { put, open } = bench();
    const watches = () =>
      process.getActiveResourcesInfo().filter(one => one === 'FSEventWrap').length;
    await eventually('none of another test', () => watches() === 0);
    const stops: Promise<void>[] = [];
    let isLooking = false;
    const source = await open({
      explains: () => {
        if (isLooking && stops.length === 0) stops.push(source.stop());
        return false;
      },
    });
    isLooking = true;
    put('a.yaml', yaml('a'));
    await eventually('a look', () => stops.length === 1);
    await stops[0];
    await eventually('no watch', () => watches() === 0, { withinMs: 5_000 });
  });

  test('a symlink is followed; sub-directories, pipes, dangling links and backups are skipped', async () => {
    const { root, dir, put, open } = bench();
    writeFileSync(join(root, 'target'), yaml('linked'));
    symlinkSync(join(root, 'target'), join(dir, 'link.yaml'));
    symlinkSync(join(root, 'nothing'), join(dir, 'dangling.yaml'));
    mkdirSync(join(dir, 'sub'));
    assert.equal(spawnSync('mkfifo', [join(dir, 'pipe')]).status, 0);
    put('a.yaml~', yaml('backup'));
    put('a.yaml', yaml('a'));
    const source = await open();
    await seen(source, 'a', 'linked');
    const skipped = source.snapshot().conditions.filter(one => one.type === 'FileSkipped');
    assert.deepEqual(
      skipped.map(one => one.message.split(':')[0]),
      ['a.yaml~', 'dangling.yaml', 'pipe', 'sub'],
    );
  });

  test('touch, chmod and a rewrite of the same bytes tell nothing new', async () => {
    const { dir, put, open } = bench();
    put('a.yaml', yaml('a'));
    const source = await open();
    await seen(source, 'a');
    const before = JSON.stringify(source.snapshot());
    utimesSync(join(dir, 'a.yaml'), new Date(), new Date());
    chmodSync(join(dir, 'a.yaml'), 0o600);
    put('a.yaml', yaml('a'));
    put('b.yaml', yaml('b'));
    await seen(source, 'a', 'b');
    rmSync(join(dir, 'b.yaml'));
    await seen(source, 'a');
    assert.equal(JSON.stringify(source.snapshot()), before);
  });

  test('a file that is written in two halves is read when its writer is done', async () => {
    const { dir, open } = bench();
    const source = await open();
    const told: string[][] = [];
    source.onChange(() => told.push(names(source)));
    const whole = `${yaml('a')}---\n${yaml('b')}`;
    const fd = openSync(join(dir, 'two.yaml'), 'w');
    writeSync(fd, whole.slice(0, yaml('a').length));
    await REAL_CLOCK.sleep(900);
    assert.deepEqual(names(source), []);
    writeSync(fd, whole.slice(yaml('a').length));
    closeSync(fd);
    await seen(source, 'a', 'b');
    assert.ok(
      told.every(one => one.length !== 1),
      JSON.stringify(told),
    );
  });

  test('a file that turns bad keeps its pods, over a restart too, and warns once', async () => {
    const { put, open, events } = bench();
    put('a.yaml', yaml('a'));
    const first = await open();
    await seen(first, 'a');
    put('a.yaml', '{"apiVersion": "v1", "kind": "Pod"}');
    await eventually('the refusal', () =>
      first.snapshot().conditions.some(one => one.type === 'ManifestRefused'),
    );
    assert.deepEqual(names(first), ['a']);
    // It is said after it can be seen.
    await first.stop();
    assert.equal(events.filter(event => event.type === 'Warning').length, 1);
    const second = await open();
    assert.deepEqual(names(second), ['a']);
    assert.equal(second.snapshot().complete, true);
  });

  test('rm -r of the directory ends nothing; made again it is watched again', async () => {
    const { dir, put, open } = bench();
    for (let i = 0; i < 5; i++) put(`${i}.yaml`, yaml(`p${i}`));
    const source = await open();
    await eventually('all pods', () => names(source).length === 5);
    rmSync(dir, { recursive: true });
    await eventually('the condition', () => condition(source, 'Missing'));
    assert.equal(names(source).length, 5);
    mkdirSync(dir);
    await eventually('the next condition', () => condition(source, 'Replaced'));
    assert.equal(names(source).length, 5);
    put('new.yaml', yaml('new'));
    await seen(source, 'new');
  });

  test('files that go just before their directory does are not taken for deleted', async () => {
    const { dir, put, open } = bench();
    put('a.yaml', yaml('a'));
    const source = await open();
    await seen(source, 'a');
    rmSync(join(dir, 'a.yaml'));
    await REAL_CLOCK.sleep(100);
    rmSync(dir, { recursive: true });
    await eventually('the condition', () => condition(source, 'Missing'));
    assert.deepEqual(names(source), ['a']);
  });

  test('a directory moved away and made again is watched again', async () => {
    const { dir, put, open } = bench();
    put('a.yaml', yaml('a'));
    const source = await open();
    await seen(source, 'a');
    renameSync(dir, `${dir}.old`);
    mkdirSync(dir);
    put('b.yaml', yaml('b'));
    await seen(source, 'b');
    put('c.yaml', yaml('c'));
    await seen(source, 'b', 'c');
  });

  test('an agent that starts without the directory goes on with what it knew, and ends nothing', async () => {
    const { dir, put, open } = bench();
    put('a.yaml', yaml('a'));
    const before = await open();
    await seen(before, 'a');
    await before.stop();
    rmSync(dir, { recursive: true });
    const source = await open();
    assert.deepEqual([names(source), source.snapshot().complete], [['a'], false]);
  });

  test('a file deleted while the agent was down is gone, were it the only one', async () => {
    const { root, dir, put, open } = bench();
    put('a.yaml', yaml('a'));
    const before = await open();
    await seen(before, 'a');
    await before.stop();
    rmSync(join(dir, 'a.yaml'));
    const source = await open();
    await seen(source);
    assert.equal(source.snapshot().complete, true);
    await source.stop();
    const kept = readdirSync(join(root, 'data', 'last-good'));
    assert.equal(kept.length, 1, 'only the record of the directory stays');
  });

  test('the path may be one file, whatever its name', async () => {
    const { root, open, dir } = bench();
    rmSync(dir, { recursive: true });
    writeFileSync(join(root, 'manifests'), yaml('single'));
    const source = await open();
    await seen(source, 'single');
    writeFileSync(join(root, 'manifests'), yaml('single', 'busybox:2'));
    await eventually('the new image', () => images(source)[0] === 'busybox:2');
    writeFileSync(join(root, 'manifests'), 'bad');
    await eventually('the refusal', () =>
      source.snapshot().conditions.some(one => one.type === 'ManifestRefused'),
    );
    assert.deepEqual(images(source), ['busybox:2']);
  });

  test('a file too large is refused unread', async () => {
    const { put, open } = bench();
    put('a.yaml', yaml('a'));
    put('big.yaml', `# ${'x'.repeat(11 * 1024 * 1024)}\n${yaml('big')}`);
    const source = await open();
    await seen(source, 'a');
    assert.ok(condition(source, 'TooLarge') !== undefined);
  });
});
