/** S15: a node that dies at any point of taking a root has the former or the new one, and goes on from there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openJournal } from '../../agent/journal/open.js';
import { openNextRoot } from '../../protocol/verify-root.js';
import { fastClock } from '../support/fast-clock.js';
import { NOW, trustedRoot } from '../support/fleet.js';
import { chainedRoot } from '../support/root-chain.js';

const CHILD = fileURLToPath(new URL('../support/root-child.js', import.meta.url));
const WRITES_MAX = 50;
let ids = 0;
const open = (dataDir: string) =>
  openJournal({ dataDir, clock: fastClock(NOW), randomId: () => String(++ids).padStart(32, '0') });

/** Whether the child came to its end before the n-th write. */
function killedBefore(n: number, check: (dataDir: string) => void): boolean {
  const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-roots-'));
  try {
    const first = open(dataDir);
    first.acceptRoot(trustedRoot());
    first.close();
    const { signal, status, stderr } = spawnSync(process.execPath, [CHILD, dataDir, String(n)]);
    assert.ok(signal === 'SIGKILL' || status === 0, stderr.toString());
    check(dataDir);
    return status === 0;
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}

test('S15: kill -9 before each write of a root change: the root is N or N + 1, and N + 2 can follow', () => {
  const versions = new Set<number>();
  let writes = 0;
  const check = (dataDir: string) => {
    const journal = open(dataDir);
    let root = journal.root();
    versions.add(root?.document.version ?? 0);
    assert.deepEqual(journal.conditions(), [], 'the counters are trusted');
    for (const version of [2, 3]) {
      assert.ok(root);
      if (root.document.version >= version) continue;
      const next = openNextRoot(chainedRoot(version), root);
      assert.ok(next.ok);
      journal.acceptRoot(next.value);
      root = journal.root();
    }
    assert.equal(journal.root()?.document.version, 3);
    journal.close();
  };
  while (writes < WRITES_MAX && !killedBefore(writes, check)) writes++;
  assert.ok(writes > 5 && writes < WRITES_MAX, `${writes} writes`);
  assert.deepEqual([...versions].sort(), [1, 2]);
});
