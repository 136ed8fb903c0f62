/**
 * Accepts root 2 into a journal that has root 1, and kills itself (SIGKILL) before the n-th write to the disk that this takes. Arguments:
 * data directory, n. Ends with 0 when there are fewer writes.
 */
import Database from 'better-sqlite3';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { openJournal } from '../../agent/journal/open.js';
import { openNextRoot } from '../../protocol/verify-root.js';
import { fastClock } from './fast-clock.js';
import { NOW, trustedRoot } from './fleet.js';
import { chainedRoot } from './root-chain.js';

type Call = (...args: unknown[]) => unknown;

let left = Number.POSITIVE_INFINITY;

/** Each call counts as one write. */
function counted(holder: object, name: string): void {
  const target = holder as Record<string, Call>;
  const original = target[name] as Call;
  target[name] = function (this: unknown, ...args: unknown[]) {
    if (--left < 0) process.kill(process.pid, 'SIGKILL');
    return original.apply(this, args);
  };
}

const [dataDir = '', n = ''] = process.argv.slice(2);
const memory = new Database(':memory:');
counted(Object.getPrototypeOf(memory.prepare('SELECT 1')) as object, 'run');
memory.close();
for (const name of ['openSync', 'writeSync', 'fsyncSync', 'renameSync']) counted(fs, name);
syncBuiltinESMExports();

const randomId = () => randomBytes(16).toString('hex');
const journal = openJournal({ dataDir, clock: fastClock(NOW), randomId });
const next = openNextRoot(chainedRoot(2), journal.root() ?? trustedRoot());
if (!next.ok) throw new Error(next.refusal.detail);
left = Number(n);
journal.acceptRoot(next.value);
