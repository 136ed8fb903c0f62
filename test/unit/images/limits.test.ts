/** What a pull may take: how large an image is by its registry's word, what is refused, what is stopped, how far it is told. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { judgePull, RESERVE_BYTES, type PullLimits } from '../../../agent/images/limits.js';
import { openImagePulls, pullState } from '../../../agent/images/pulls.js';
import type { PullOptions } from '../../../agent/runtime/images.js';
import { PullCounter, type ProgressLine } from '../../../agent/runtime/pull-progress.js';
import type { ImageInfo } from '../../../agent/runtime/runtime.js';
import {
  bytesToPull,
  diffIds,
  imagePlace,
  manifestSizes,
  platformManifest,
} from '../../../protocol/image-manifest.js';

const MIB = 1024 * 1024;
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const never = () => new AbortController().signal;

describe('how large an image is', () => {
  const sizes = { config: digest('c'), layers: [100, 20, 3] };

  test('a manifest says it of its layers', () => {
    const layers = sizes.layers.map((size, i) => ({ digest: digest(String(i)), size }));
    assert.deepEqual(
      manifestSizes(JSON.stringify({ config: { digest: digest('c') }, layers })),
      sizes,
    );
  });

  for (const text of [
    '',
    '[]',
    '{}',
    '{"layers":[]}',
    `{"config":{"digest":"${digest('c')}"},"layers":[{"size":-1}]}`,
  ]) {
    test(`${text === '' ? 'nothing' : text} says nothing`, () =>
      assert.equal(manifestSizes(text), null));
  }

  test('an index names the manifest of this machine', () => {
    const of = (os: string, architecture: string, letter: string) => ({
      platform: { os, architecture },
      digest: digest(letter),
    });
    const manifests = [
      of('windows', 'arm64', 'a'),
      of('linux', 'amd64', 'b'),
      of('linux', 'arm64', 'd'),
    ];
    const text = JSON.stringify({ manifests });
    assert.equal(platformManifest(text, 'arm64'), digest('d'));
    assert.equal(platformManifest(text, 'riscv64'), null);
    assert.equal(platformManifest('not JSON', 'arm64'), null);
  });

  const rows: readonly [string, readonly string[], readonly (readonly string[])[], number][] = [
    ['nothing is here', ['x', 'y', 'z'], [], 123],
    ['another image has the lowest two', ['x', 'y', 'z'], [['q'], ['x', 'y', 'w']], 3],
    ['another has the same layers in another place', ['x', 'y', 'z'], [['y', 'x', 'z']], 123],
    ['all of it is here under another name', ['x', 'y', 'z'], [['x', 'y', 'z', 'more']], 0],
    ['the configuration does not fit the manifest', ['x'], [['x']], 123],
  ];
  for (const [sentence, ids, here, expected] of rows) {
    test(`${sentence}: ${expected}`, () => assert.equal(bytesToPull(sizes, ids, here), expected));
  }

  test('where it lies, by tag and by digest', () => {
    assert.deepEqual(imagePlace('busybox'), {
      ...{ host: 'registry-1.docker.io', repository: 'library/busybox', reference: 'latest' },
    });
    assert.equal(imagePlace(`r.io:5000/a/b@${digest('a')}`)?.reference, digest('a'));
    assert.equal(imagePlace('NOT an image'), null);
    assert.deepEqual(diffIds('{"rootfs":{"diff_ids":["x",1,"y"]}}'), ['x', 'y']);
  });
});

describe('a pull is refused before it begins', () => {
  const judged = (change: Partial<PullLimits>, bytes: number | null, freeBytes = 1e12) =>
    judgePull(
      {
        maxBytes: null,
        bytesToPull: async () => bytes,
        filesystem: async () => ({ path: '/d', totalBytes: 1e12, availableBytes: freeBytes }),
        ...change,
      },
      { image: 'web:1', auth: [], signal: never() },
    );

  test('beyond what the node allows', async () => {
    assert.equal(await judged({ maxBytes: 1000 }, 1000), 1000);
    await assert.rejects(judged({ maxBytes: 1000 }, 1001), {
      code: 'ImageTooLarge',
      message: 'it is 1001 bytes to pull, imagePullMaxBytes allows 1000',
    });
  });

  test('beyond what the disk can hold', async () => {
    const needed = 30 * MIB + RESERVE_BYTES;
    assert.equal(await judged({}, 10 * MIB, needed), 10 * MIB);
    await assert.rejects(judged({}, 10 * MIB, needed - 1), {
      code: 'DiskPressure',
      message: '/d has 94 MiB left, 94 MiB are needed (3 times the 10 MiB to pull, and 64 MiB)',
    });
    assert.equal(await judged({}, 0, 0), 0, 'what is all here needs nothing');
  });

  test('but not when nobody knows how large it is', async () => {
    assert.equal(await judged({ maxBytes: 1 }, null, 0), null);
  });
});

describe('a pull under way', () => {
  const line = (id: string, status: string, current?: number, total?: number): ProgressLine => ({
    ...{ id, status },
    ...(current === undefined || total === undefined ? {} : { progressDetail: { current, total } }),
  });

  test('is counted from what the engine says of each layer', () => {
    const counter = new PullCounter();
    const said = [
      line('a', 'Pulling fs layer'),
      line('old', 'Already exists'),
      line('a', 'Downloading', 10, 100),
      line('b', 'Downloading', 50, 50),
      line('a', 'Downloading', 100, 100),
      line('a', 'Extracting', 1, 100),
      line('c', 'Downloading', 5, 20),
      line('c', 'Download complete'),
    ].map(one => counter.note(one));
    const done = said.map(one => one && `${one.doneBytes}/${one.knownBytes}`);
    assert.deepEqual(done, [null, null, '10/100', '60/150', '150/150', null, '155/170', '170/170']);
  });

  test('is told in steps', () => {
    const at = (doneBytes: number, whole: number | null) =>
      pullState({ doneBytes, knownBytes: 0 }, whole);
    assert.deepEqual(at(349, 1000), { percent: 30, bytes: 1000 });
    assert.deepEqual(at(350, 1000), { percent: 35, bytes: 1000 });
    assert.deepEqual(at(2000, 1000), { percent: 100, bytes: 1000 });
    assert.deepEqual(at(17 * MIB, null), { percent: null, bytes: 16 * MIB });
  });

  test('is stopped when it is larger than the node allows, and not begun again in vain', async () => {
    const calls: PullOptions[] = [];
    let told = 0;
    let bytes: number | null = null;
    const pullImage = (_: string, options: PullOptions = {}) => {
      calls.push(options);
      return new Promise<ImageInfo>((_done, fail) => {
        options.signal?.addEventListener('abort', () => fail(options.signal?.reason as Error));
      });
    };
    const quiet = () => undefined;
    const pulls = openImagePulls({
      store: { pullImage },
      log: { info: quiet, warn: quiet, error: quiet },
      limits: {
        maxBytes: 1000,
        bytesToPull: async () => bytes,
        filesystem: async () => ({ path: '/d', totalBytes: 1e12, availableBytes: 1e12 }),
      },
      onProgress: () => told++,
    });
    const refused = { code: 'ImageTooLarge', message: /more than that to pull/ };
    const first = pulls.pull('web:1', [], never());
    await turn();
    calls[0]?.onProgress?.({ doneBytes: 900, knownBytes: 1000 });
    assert.deepEqual(pulls.progress('web:1'), { percent: null, bytes: 0 });
    assert.equal(told, 1);
    calls[0]?.onProgress?.({ doneBytes: 901, knownBytes: 1001 });
    await assert.rejects(first, refused);
    assert.equal(pulls.progress('web:1'), null);
    await assert.rejects(pulls.pull('web:1', [], never()), refused);
    assert.equal(calls.length, 1);
    bytes = 500;
    void pulls.pull('web:1', [], never()).catch(quiet);
    await turn();
    assert.equal(calls.length, 2, 'now the registry says that it is smaller');
  });
});
