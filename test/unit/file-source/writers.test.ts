/**
 * Every way in which people and programs write a manifest gives one change, never a piece of one (users' pain P3, P4,
 * P11; kubelet behaviour rows 7, 8, 18, 19).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import type { FileSource } from '../../../agent/sources/files.js';
import { openForWriting } from '../../../agent/sources/open-for-writing.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { eventually } from '../../support/wait.js';
import { fileBench, type FileBench } from './bench.js';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
const bench = (): FileBench => fileBench(cleanups);

/** Long enough to be cut in many places and still be YAML: labels one to a line. */
const yaml = (image: string) =>
  `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: app\n    image: ${image}\nmetadata:\n  name: web\n  labels:\n` +
  Array.from({ length: 40 }, (_, i) => `    label-${i}: value\n`).join('');

const imageOf = (source: FileSource) =>
  source.snapshot().pods[0]?.manifest.spec.containers[0]?.image;
const labelsOf = (source: FileSource) =>
  Object.keys(source.snapshot().pods[0]?.manifest.metadata.labels ?? {}).length;

/** Every state that the source gave of the pod, without repetitions. */
function record(source: FileSource): string[] {
  const seen: string[] = [];
  const note = () => {
    const state = `${imageOf(source) ?? 'none'} ${labelsOf(source)}`;
    if (seen.at(-1) !== state) seen.push(state);
  };
  note();
  source.onChange(note);
  return seen;
}

function run(...[program = '', ...args]: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}
const has = (program: string) => spawnSync('which', [program]).status === 0;

interface Place {
  readonly file: string;
  readonly draft: string;
}

const writers: readonly [string, (place: Place) => void | Promise<void>, string?][] = [
  ['mv', ({ file, draft }) => (writeFileSync(draft, yaml('x:2')), renameSync(draft, file))],
  ['cp', ({ file, draft }) => (writeFileSync(draft, yaml('x:2')), copyFileSync(draft, file))],
  [
    'cp -p',
    ({ file, draft }) => (writeFileSync(draft, yaml('x:2')), run('cp', '-p', draft, file)),
    'cp',
  ],
  ['cat >', ({ file }) => writeFileSync(file, yaml('x:2'))],
  ['sed -i', ({ file }) => run('sed', '-i', 's/x:1/x:2/', file), 'sed'],
  [
    'ed',
    ({ file }) =>
      run('sh', '-c', `printf 's/x:1/x:2/\\nw\\nq\\n' | sed '1s/^/\\/image\\//' | ed -s ${file}`),
    'ed',
  ],
  [
    'vim',
    ({ file }) => run('vim', '-u', 'NONE', '-N', '-es', '-c', '%s/x:1/x:2/', '-c', 'wq', file),
    'vim',
  ],
  [
    'vim with a backup beside it',
    ({ file }) =>
      run(
        'vim',
        '-u',
        'NONE',
        '-N',
        '-es',
        '-c',
        'set backup backupcopy=no',
        '-c',
        '%s/x:1/x:2/',
        '-c',
        'wq',
        file,
      ),
    'vim',
  ],
  [
    'tee in pieces',
    async ({ file }) => {
      const text = yaml('x:2');
      const handle = openSync(file, 'w');
      for (let at = 0; at < text.length; at += 200) {
        writeSync(handle, text.slice(at, at + 200));
        await REAL_CLOCK.sleep(150);
      }
      closeSync(handle);
    },
  ],
  [
    'a writer that rests longer than a file has to be still',
    async ({ file }) => {
      const text = yaml('x:2');
      const handle = openSync(file, 'w');
      writeSync(handle, text.slice(0, 300));
      await REAL_CLOCK.sleep(1_200);
      writeSync(handle, text.slice(300));
      closeSync(handle);
    },
  ],
  [
    'rsync: a hidden name, its times, rename',
    ({ file }) => {
      const hidden = join(file, '..', '.web.yaml.Xa71bc');
      writeFileSync(hidden, yaml('x:2'));
      utimesSync(hidden, 1_700_000_000, 1_700_000_000);
      renameSync(hidden, file);
    },
  ],
  ['rm and write anew', ({ file }) => (rmSync(file), writeFileSync(file, yaml('x:2')))],
];

describe('one change and nothing between for', () => {
  for (const [way, write, program] of writers) {
    const skip = program !== undefined && !has(program);
    test(way, { skip }, async () => {
      const { root, dir, open } = bench();
      const file = join(dir, 'web.yaml');
      writeFileSync(file, yaml('x:1'));
      const source = await open();
      await eventually('the first', () => imageOf(source) === 'x:1');
      const seen = record(source);
      await write({ file, draft: join(root, 'draft') });
      await eventually('the second', () => imageOf(source) === 'x:2');
      await REAL_CLOCK.sleep(700);
      assert.deepEqual(seen, ['x:1 40', 'x:2 40']);
    });
  }
});

describe('links', () => {
  test('row 8 better: an edit of a link’s target is seen by the watch, in place and by rename', async () => {
    const { root, dir, open } = bench();
    mkdirSync(join(root, 'far'));
    const target = join(root, 'far', 'target');
    writeFileSync(target, yaml('x:1'));
    symlinkSync(target, join(dir, 'web.yaml'));
    const source = await open();
    await eventually('the first', () => imageOf(source) === 'x:1');
    writeFileSync(target, yaml('x:2'));
    await eventually('in place', () => imageOf(source) === 'x:2');
    writeFileSync(`${target}.new`, yaml('x:3'));
    renameSync(`${target}.new`, target);
    await eventually('by rename', () => imageOf(source) === 'x:3');
    writeFileSync(target, 'bad: [');
    await eventually('the refusal', () =>
      source.snapshot().conditions.some(({ type }) => type === 'ManifestRefused'),
    );
    assert.equal(imageOf(source), 'x:3');
  });

  test('a link on the way to the target is swapped', async () => {
    const { root, dir, open } = bench();
    for (const release of ['1', '2']) {
      mkdirSync(join(root, 'releases', release), { recursive: true });
      writeFileSync(join(root, 'releases', release, 'web.yaml'), yaml(`x:${release}`));
    }
    symlinkSync('releases/1', join(root, 'current'));
    symlinkSync('../current/web.yaml', join(dir, 'web.yaml'));
    const source = await open();
    await eventually('the first', () => imageOf(source) === 'x:1');
    const seen = record(source);
    symlinkSync('releases/2', join(root, 'current.new'));
    renameSync(join(root, 'current.new'), join(root, 'current'));
    await eventually('the second', () => seen.includes('x:2 40'));
    assert.deepEqual(seen, ['x:1 40', 'x:2 40']);
  });

  test('a directory that is filled as a ConfigMap volume is: one change at the swap', async () => {
    const { dir, open } = bench();
    const publish = (version: string) => {
      mkdirSync(join(dir, `..v${version}`));
      writeFileSync(join(dir, `..v${version}`, 'web.yaml'), yaml(`x:${version}`));
      symlinkSync(`..v${version}`, join(dir, '..data_tmp'));
      renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
    };
    publish('1');
    symlinkSync('..data/web.yaml', join(dir, 'web.yaml'));
    const source = await open();
    await eventually('the first', () => imageOf(source) === 'x:1');
    const seen = record(source);
    publish('2');
    rmSync(join(dir, '..v1'), { recursive: true });
    await eventually('the second', () => imageOf(source) === 'x:2');
    await REAL_CLOCK.sleep(700);
    assert.deepEqual(seen, ['x:1 40', 'x:2 40']);
  });

  test('row 1: the path itself may be a link, and where it leads may change', async () => {
    const { root, dir, openAt } = bench();
    writeFileSync(join(dir, 'web.yaml'), yaml('x:1'));
    mkdirSync(join(root, 'second'));
    writeFileSync(join(root, 'second', 'web.yaml'), yaml('x:2'));
    const link = join(root, 'link');
    symlinkSync(dir, link);
    const source = await openAt(link);
    await eventually('the first', () => imageOf(source) === 'x:1');
    symlinkSync(join(root, 'second'), `${link}.new`);
    renameSync(`${link}.new`, link);
    await eventually('the second', () => imageOf(source) === 'x:2');
  });

  test('rows 8, 20 better: a target that is away for a while keeps its pods, over a restart too; a removed link ends them', async () => {
    const { root, dir, open } = bench();
    const target = join(root, 'target');
    writeFileSync(target, yaml('x:1'));
    symlinkSync(target, join(dir, 'web.yaml'));
    const source = await open();
    await eventually('the first', () => imageOf(source) === 'x:1');
    const seen = record(source);
    const isTold = (one: FileSource) =>
      one
        .snapshot()
        .conditions.some(
          ({ type, message }) => type === 'ManifestRefused' && /remove the link/.test(message),
        );
    renameSync(target, `${target}~`);
    await eventually('it is told', () => isTold(source));
    await REAL_CLOCK.sleep(700);
    await source.stop();
    const again = await open();
    assert.ok(isTold(again));
    assert.equal(imageOf(again), 'x:1');
    const later = record(again);
    writeFileSync(target, yaml('x:2'));
    await eventually('the second', () => later.includes('x:2 40'));
    assert.ok(!isTold(again));
    assert.deepEqual([...seen, ...later], ['x:1 40', 'x:1 40', 'x:2 40']);
    rmSync(join(dir, 'web.yaml'));
    await eventually('it ends', () => imageOf(again) === undefined);
  });

  test('row 18: so does a path that is a link to one file', async () => {
    const { root, openAt } = bench();
    const target = join(root, 'target');
    writeFileSync(target, yaml('x:1'));
    const link = join(root, 'web.yaml');
    symlinkSync(target, link);
    const source = await openAt(link);
    await eventually('the first', () => imageOf(source) === 'x:1');
    const seen = record(source);
    rmSync(target);
    await eventually('it is told', () =>
      source.snapshot().conditions.some(({ reason }) => reason === 'Missing'),
    );
    await REAL_CLOCK.sleep(700);
    assert.deepEqual(seen, ['x:1 40']);
    rmSync(link);
    await eventually('it ends', () => imageOf(source) === undefined);
  });

  test('a dangling link runs as soon as its target is there', async () => {
    const { root, dir, open } = bench();
    symlinkSync(join(root, 'target'), join(dir, 'web.yaml'));
    const source = await open();
    writeFileSync(join(root, 'target.new'), yaml('x:1'));
    renameSync(join(root, 'target.new'), join(root, 'target'));
    await eventually('it runs', () => imageOf(source) === 'x:1');
  });
});

describe('the agent’s own files', () => {
  const own = 'flotilla_shop_0123456789abcdef.json';
  const owned = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'own', annotations: { 'flotilla.dev/bundle': 'default/shop' } },
    spec: { containers: [{ name: 'app', image: 'x' }] },
  });
  const names = (source: FileSource) =>
    source.snapshot().pods.map(({ manifest }) => manifest.metadata.name);
  const withOwner = (places: FileBench) => {
    const mended: number[] = [];
    const mend = () => {
      mended.push(mended.length);
      writeFileSync(join(places.dir, `.${own}`), owned);
      renameSync(join(places.dir, `.${own}`), join(places.dir, own));
    };
    return { mended, mend };
  };

  test('after rm -r and mkdir they come back at once, and a person’s pods stay', async () => {
    const places = bench();
    const { dir, put } = places;
    const { mended, mend } = withOwner(places);
    mend();
    put('web.yaml', yaml('x:1'));
    const source = await places.open({ explains: () => true, onOwnedInDoubt: mend });
    await eventually('both', () => names(source).join() === 'own,web');
    const told: string[] = [];
    source.onChange(() => told.push(names(source).join()));
    rmSync(dir, { recursive: true });
    await eventually('missing', () =>
      source.snapshot().conditions.some(({ reason }) => reason === 'Missing'),
    );
    mkdirSync(dir);
    await eventually('mended', () => mended.length > 1);
    await eventually('replaced', () =>
      source.snapshot().conditions.some(({ reason }) => reason === 'Replaced'),
    );
    await REAL_CLOCK.sleep(1_500);
    assert.ok(
      told.every(one => one === 'own,web'),
      told.join(' '),
    );
    put('.keep', '');
    await eventually('a person spoke', () => names(source).join() === 'own');
  });

  test('one that the agent takes away goes, also in an empty directory that came meanwhile', async () => {
    const places = bench();
    const { dir, put } = places;
    const { mend } = withOwner(places);
    mend();
    put('web.yaml', yaml('x:1'));
    let isPromised = true;
    const source = await places.open({
      explains: () => true,
      isWithdrawn: name => name === own && !isPromised,
    });
    await eventually('both', () => names(source).join() === 'own,web');
    rmSync(dir, { recursive: true });
    await eventually('missing', () =>
      source.snapshot().conditions.some(({ reason }) => reason === 'Missing'),
    );
    mkdirSync(dir);
    await eventually('replaced', () =>
      source.snapshot().conditions.some(({ reason }) => reason === 'Replaced'),
    );
    await REAL_CLOCK.sleep(1_500);
    assert.equal(names(source).join(), 'own,web', 'while it is promised it may come back');
    isPromised = false;
    await eventually('what was taken away ended', () => names(source).join() === 'web');
  });

  test('one that somebody removes or edits is asked for before its pod is touched', async () => {
    const places = bench();
    const { mended, mend } = withOwner(places);
    mend();
    const explains = (_name: string, bytes: Uint8Array) => Buffer.from(bytes).toString() === owned;
    const source = await places.open({ explains, onOwnedInDoubt: mend });
    await eventually('it runs', () => names(source).join() === 'own');
    const told: string[] = [];
    source.onChange(() => told.push(names(source).join()));
    const before = mended.length;
    rmSync(join(places.dir, own));
    await eventually('mended', () => mended.length > before);
    const then = mended.length;
    writeFileSync(join(places.dir, own), owned.replace('"x"', '"evil"'));
    await eventually('mended again', () => mended.length > then);
    await eventually('no word against it', () =>
      source.snapshot().conditions.every(({ type }) => type !== 'ManifestRefused'),
    );
    assert.ok(
      told.every(one => one === 'own'),
      told.join(' '),
    );
  });
});

describe('an owned file that somebody writes again and again', () => {
  test('is asked for as long as it is not what was promised, also when it says what it said before', async () => {
    const places = bench();
    let asked = 0;
    places.put('flotilla_shop_0123456789abcdef.json', yaml('evil:1'));
    const source = await places.open({ explains: () => false, onOwnedInDoubt: () => asked++ });
    await eventually('in doubt', () => asked > 0);
    const before = asked;
    places.put('flotilla_shop_0123456789abcdef.json', yaml('evil:1'));
    await eventually('in doubt again', () => asked > before);
    await source.stop();
  });
});

describe('who writes', () => {
  test('a file that this process holds open for writing is seen, one open for reading is not', async () => {
    const { root } = bench();
    const [one, two] = [join(root, 'one'), join(root, 'two')];
    writeFileSync(two, '');
    const handles = [openSync(one, 'w'), openSync(two, 'r')];
    const { held } = await openForWriting(new Set([one, two]));
    assert.deepEqual([...held], [one]);
    handles.forEach(closeSync);
    assert.equal((await openForWriting(new Set([one]))).held.size, 0);
  });

  test('it is said when nothing can be seen', async () => {
    const { root } = bench();
    assert.equal((await openForWriting(new Set(), join(root, 'no-proc'))).isBlind, true);
  });
});
