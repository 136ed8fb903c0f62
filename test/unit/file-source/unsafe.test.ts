/** A static pod directory that others come to be able to write to while it is read: nothing new is taken, nothing ends. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import type { FileSource } from '../../../agent/sources/files.js';
import { openDirectoryReader } from '../../../agent/sources/read-directory.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { eventually } from '../../support/wait.js';
import { ownedFileName } from '../../../protocol/names.js';
import { fileBench } from './bench.js';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const own = process.getuid?.() ?? 0;
const notRoot = own === 0 ? false : 'only root gives files away';

const yaml = (name: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: c, image: x}]}\n`;
const names = (source: FileSource) => source.snapshot().pods.map(pod => pod.manifest.metadata.name);
const path = (source: FileSource) =>
  source.snapshot().conditions.find(({ type }) => type === 'StaticPodPath');
const refused = (source: FileSource) =>
  source.snapshot().conditions.find(({ type }) => type === 'ManifestRefused');

async function opened() {
  const bench = fileBench(cleanups);
  const lines: string[] = [];
  const note = (text: string) => void lines.push(text);
  bench.put('a.yaml', yaml('a'));
  bench.put('b.yaml', yaml('b'));
  const source = await bench.open({
    trusted: own,
    log: { info: note, warn: note, error: note },
    fileCheckFrequencyMs: 100,
  });
  await eventually('both', () => names(source).join() === 'a,b');
  return { ...bench, source, lines };
}

describe('S55: a static pod directory that becomes unsafe', () => {
  for (const [which, at] of [
    ['itself', '.'],
    ['a parent', '..'],
  ] as const) {
    test(`${which}: nothing new is taken, nothing ends, and it is said once, until it is mended`, async () => {
      const { dir, put, source, lines } = await opened();
      chmodSync(join(dir, at), 0o777);
      await eventually('said', () => path(source)?.reason === 'UnsafeDirectory');
      assert.equal(path(source)?.status, 'False');
      assert.match(path(source)?.message ?? '', /others may write to it; .*chmod go-w \S+/);
      put('evil.yaml', yaml('evil'));
      rmSync(join(dir, 'b.yaml'));
      appendFileSync(join(dir, 'a.yaml'), '---\n' + yaml('evil2'));
      await REAL_CLOCK.sleep(1_500);
      assert.deepEqual(names(source), ['a', 'b']);
      assert.deepEqual(lines, ['the static pod directory is not read: what runs goes on']);
      chmodSync(join(dir, at), 0o755);
      await eventually('read again', () => names(source).join() === 'a,evil2,evil');
      assert.equal(path(source)?.status, 'True');
      assert.equal(lines[1], 'the static pod directory is read again');
    });
  }

  test('an agent that takes whatever is there goes on reading', async () => {
    const bench = fileBench(cleanups);
    chmodSync(bench.dir, 0o777);
    bench.put('a.yaml', yaml('a'));
    const source = await bench.open({ trusted: null });
    await eventually('it is there', () => names(source).join() === 'a');
  });
});

describe('a file that others may write', () => {
  const ways: [string, (file: string) => void, (file: string) => void, RegExp][] = [
    [
      'by its mode',
      file => chmodSync(file, 0o666),
      file => chmodSync(file, 0o644),
      /others may .* run as root; chmod go-w \S+a\.yaml/,
    ],
    [
      'because it is theirs',
      file => chownSync(file, 12345, 0),
      file => chownSync(file, 0, 0),
      /another user \(uid 12345\).* run as root; chown root \S+a\.yaml; chmod go-w/,
    ],
  ];
  for (const [how, spoil, mend, message] of ways) {
    test(`${how}: what it said last stays, until it is mended`, { skip: notRoot }, async () => {
      const { dir, source, events } = await opened();
      const file = join(dir, 'a.yaml');
      spoil(file);
      appendFileSync(file, '---\n' + yaml('evil'));
      await eventually('said', () => refused(source)?.reason === 'UnsafeFile');
      assert.match(refused(source)?.message ?? '', message);
      assert.deepEqual(names(source), ['a', 'b']);
      assert.equal(events.filter(event => event.reason === 'FailedValidation').length, 1);
      mend(file);
      await eventually('read again', () => names(source).join() === 'a,evil,b');
    });
  }
});

describe("an agent's own file that others may write", { skip: notRoot }, () => {
  const name = ownedFileName({ namespace: 'default', name: 'shop' }, 'web');
  const content = (image: string) =>
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { name: 'web', annotations: { 'flotilla.dev/bundle': 'default/shop' } },
      spec: { containers: [{ name: 'c', image }] },
    });
  const images = (source: FileSource) =>
    source.snapshot().pods.map(pod => pod.manifest.spec.containers[0]?.image);

  test('is refused where an edit would run, and what it said last stays, over a restart too', async () => {
    const bench = fileBench(cleanups);
    bench.put(name, content('good'));
    const options = { trusted: own, ownMayDiffer: true, explains: () => true };
    const source = await bench.open({ ...options, fileCheckFrequencyMs: 100 });
    await eventually('it is there', () => images(source).join() === 'good');
    chmodSync(join(bench.dir, name), 0o666);
    writeFileSync(join(bench.dir, name), content('evil'));
    await eventually('said', () => refused(source)?.reason === 'UnsafeFile');
    assert.match(refused(source)?.message ?? '', /others may write .*; the last good pods of this/);
    assert.equal(source.snapshot().pods[0]?.refusedEdit?.reason, 'UnsafeFile');
    assert.deepEqual(images(source), ['good']);
    await source.stop();
    const next = await bench.open(options);
    assert.deepEqual(images(next), ['good']);
  });

  test('is no danger where only what was promised runs', async () => {
    const bench = fileBench(cleanups);
    bench.put(name, content('good'));
    const promised = content('good');
    const explains = (_: string, bytes: Uint8Array) =>
      Buffer.from(bytes).toString() === promised ? true : 'altered';
    const source = await bench.open({ trusted: own, explains, fileCheckFrequencyMs: 100 });
    chmodSync(join(bench.dir, name), 0o666);
    writeFileSync(join(bench.dir, name), content('evil'));
    await eventually('said', () => refused(source)?.reason === 'Altered');
    assert.deepEqual(images(source), ['good']);
  });
});

test('a file that others may write to since some moment of a look is refused at the next', async () => {
  const { dir, put } = fileBench(cleanups);
  const none = new Set<string>();
  const hints = { known: none, again: none, moved: none, isWithdrawn: () => false };
  for (let moment = 0; moment < 400; moment++) {
    put('a.json', JSON.stringify({ moment }));
    const reader = openDirectoryReader(dir, {
      ...{ clock: REAL_CLOCK, identity: null, trusted: own, ownMayDiffer: false },
    });
    const look = reader.look(hints);
    for (let turn = 0; turn < moment % 20; turn++) await new Promise(setImmediate);
    chmodSync(join(dir, 'a.json'), 0o666);
    await look;
    const { listing } = await reader.look(hints);
    const [reading] = listing.ok ? listing.readings : [];
    assert.equal(reading?.is, 'unreadable', `after ${moment % 20} turns`);
  }
});

test('a file that is removed while it is looked at is gone, and no bad one', async () => {
  const { dir, put } = fileBench(cleanups);
  const none = new Set<string>();
  const hints = { known: none, again: none, moved: none, isWithdrawn: () => false };
  put('a.yaml', yaml('a'));
  const now = () => {
    // Between the reading and the look whether all of it was written.
    rmSync(join(dir, 'a.yaml'), { force: true });
    return REAL_CLOCK.now() + 1_000;
  };
  const reader = openDirectoryReader(dir, {
    ...{ clock: { ...REAL_CLOCK, now }, identity: null, trusted: null, ownMayDiffer: false },
  });
  const { listing } = await reader.look(hints);
  assert.ok(listing.ok);
  assert.deepEqual(listing.readings, []);
});
