/** Whom the agent asks whether the kernel's clock is disciplined, and how it reads the answers. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { askKernel } from '../../../agent/time/kernel-clock.js';

const PATH = process.env['PATH'];
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-kernel-'));
  process.env['PATH'] = folder;
});
afterEach(() => {
  process.env['PATH'] = PATH;
  rmSync(folder, { recursive: true });
});

function program(name: string, says: string, code: number): void {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho '${says}'\nexit ${code}\n`);
  chmodSync(path, 0o755);
}

const SYNCED = '    return value: 0 (clock synchronized)';
const UNSYNCED = '    return value: 5 (clock not synchronized)';

describe('the kernel’s word on its clock', () => {
  const rows: [string, [string, string, number][], boolean][] = [
    ['systemd says yes', [['timedatectl', 'yes', 0]], true],
    [
      'systemd says no: nobody else is asked',
      [
        ['timedatectl', 'no', 0],
        ['busybox', SYNCED, 0],
      ],
      false,
    ],
    [
      'systemd does not run, busybox says yes',
      [
        ['timedatectl', 'System has not been booted with systemd', 1],
        ['busybox', SYNCED, 0],
      ],
      true,
    ],
    ['busybox says no, and ends with 5', [['busybox', UNSYNCED, 5]], false],
    ['nobody can tell', [], false],
  ];
  for (const [sentence, programs, expected] of rows) {
    test(sentence, async () => {
      for (const one of programs) program(...one);
      assert.equal(await askKernel(new AbortController().signal), expected);
    });
  }
});
