/** The policy's list of host paths against links on a real disk: what a path leads to counts, not how it is written. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import { followedHostPaths } from '../../../agent/volumes/host-path-links.js';
import { MountError } from '../../../agent/volumes/mount-error.js';
import { manifest, wish } from '../../support/pods.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'flotilla-links-')));
after(() => rmSync(root, { recursive: true, force: true }));
const at = (path: string) => join(root, path);
for (const path of ['foo/sub', 'foobar', 'ro', 'secret']) mkdirSync(at(path), { recursive: true });
symlinkSync('../secret', at('foo/out'));
symlinkSync('sub', at('foo/in'));
symlinkSync('../ro', at('foo/to-ro'));
symlinkSync('../secret/later', at('foo/dangling'));
symlinkSync('foo', at('link'));

const rules = [
  { prefix: at('foo'), readOnly: false },
  { prefix: at('ro'), readOnly: true },
  { prefix: at('link'), readOnly: false },
];
const policy = { ...DEFAULT_POLICY, file: { ...DEFAULT_POLICY.file, hostPaths: rules } };

/** Where the engine is led; the message when it is not. */
async function target(path: string, readOnly = false): Promise<string> {
  const pod = wish(
    manifest('web', {
      containers: [
        { name: 'a', image: 'a:1', volumeMounts: [{ name: 'v', mountPath: '/v', readOnly }] },
      ],
      spec: { volumes: [{ name: 'v', hostPath: { path: at(path) } }] },
    }),
  );
  try {
    return (await followedHostPaths(policy)(pod)).get(at(path)) ?? '';
  } catch (error) {
    if (error instanceof MountError) return error.message;
    throw error;
  }
}

describe('row 163 better: host paths that the owner of the node lists, links followed', () => {
  const ROWS: Readonly<Record<string, [string, string | RegExp]>> = {
    'a directory below is itself': ['foo/sub', 'foo/sub'],
    'a link that stays inside is what it leads to': ['foo/in', 'foo/sub'],
    'a link that leads out is refused, with field and list': [
      'foo/out',
      /^symbolic links followed: spec\.volumes\[0\]\.hostPath\.path: .*\/secret is not in admission\.file\.hostPaths/,
    ],
    'what lies behind such a link too': ['foo/out/x/y', /\/secret\/x\/y is not in/],
    'a link to nothing leads where it would lead': ['foo/dangling', /\/secret\/later is not in/],
    'a link into what may only be read is not written': [
      'foo/to-ro',
      /must be true: .* reading only/,
    ],
    'a longer name is another directory': ['foobar', /foobar is not in/],
    'what is missing is taken below what is there': ['foo/in/new/deep', 'foo/sub/new/deep'],
    'a prefix that is a link stands for what it leads to': ['link/sub', 'foo/sub'],
  };
  for (const [sentence, [path, expected]] of Object.entries(ROWS)) {
    test(sentence, async () => {
      const made = await target(path);
      if (typeof expected === 'string') assert.equal(made, at(expected));
      else assert.match(made, expected);
    });
  }

  test('for reading the same link is allowed', async () => {
    assert.equal(await target('foo/to-ro', true), at('ro'));
  });

  test('where nothing is listed nothing is looked up', async () => {
    const pod = wish(
      manifest('web', { spec: { volumes: [{ name: 'v', hostPath: { path: at('foo/out') } }] } }),
    );
    assert.equal((await followedHostPaths(DEFAULT_POLICY)(pod)).size, 0);
  });
});
