/** What the agent learns of whether it may mount, from a `mount` program that says it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { openHostMounts } from '../../../agent/volumes/host-mounts.js';
import { mountMemory, unmountBelow } from '../../support/mounts.js';

const root = mkdtempSync(join(tmpdir(), 'fl-mounts-'));
const programs = join(root, 'bin');
mkdirSync(programs);
const path = process.env['PATH'];
afterEach(() => {
  process.env['PATH'] = path;
});
after(() => {
  unmountBelow(root);
  rmSync(root, { recursive: true, force: true });
});

function mountSays(script: string): void {
  writeFileSync(join(programs, 'mount'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env['PATH'] = `${programs}:${path}`;
}

function mayMount(): boolean {
  try {
    mountMemory(join(root, 'tried'));
    return true;
  } catch {
    return false;
  }
}

let count = 0;
const probed = async () => {
  const directory = join(root, `pods-${++count}`);
  const told = await openHostMounts().probe(directory);
  return { told, left: readdirSync(directory) };
};

describe('whether the agent may mount', () => {
  test('is denied where the program is refused it, and nothing stays behind', async () => {
    mountSays('echo "mount: $6: permission denied." >&2; exit 32');
    const { told, left } = await probed();
    assert.match(told ?? '', /^the agent may not mount: mount failed: .*permission denied/);
    assert.deepEqual(left, []);
  });

  test('is denied where there is no such program', async () => {
    process.env['PATH'] = join(root, 'nowhere');
    assert.match((await probed()).told ?? '', /^the agent may not mount: .*ENOENT/);
  });

  test('stays open where the system has no memory for it at this moment', async () => {
    mountSays('echo "mount: out of memory" >&2; exit 2');
    assert.equal((await probed()).told, null);
  });

  const skip = mayMount() ? false : 'needs the right to mount';
  test('stays open where the disk is full at this moment', { skip }, async () => {
    const mount = spawnSync('sh', ['-c', 'command -v mount']).stdout.toString().trim();
    // The last argument is where; nothing more can be made in it.
    mountSays(`for at; do :; done; exec ${mount} -t tmpfs -o nr_inodes=1 tmpfs "$at"`);
    const { told, left } = await probed();
    assert.equal(told, null);
    assert.deepEqual(left, []);
  });

  test('is said where it may', { skip }, async () => {
    const { told, left } = await probed();
    assert.equal(told, null);
    assert.deepEqual(left, []);
  });
});
