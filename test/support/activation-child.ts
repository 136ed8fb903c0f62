/**
 * Tells chapters of the story (activation-story.ts) and kills itself (SIGKILL) before the n-th step that a disk remembers: a commit
 * of the journal, a rename or removal in the directory. Arguments: data directory, n, chapters. Ends with 0 when there are fewer.
 */
import Database from 'better-sqlite3';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { openStory, tell, type Chapter } from './activation-story.js';

type Call = (this: { source?: string }, ...args: unknown[]) => unknown;

let left = Number.POSITIVE_INFINITY;

function counted(holder: object, name: string, counts: (source: string) => boolean): void {
  const target = holder as Record<string, Call>;
  const original = target[name] as Call;
  target[name] = function (...args) {
    if (counts(this?.source ?? '') && --left < 0) process.kill(process.pid, 'SIGKILL');
    return original.apply(this, args);
  };
}

const [dataDir = '', n = '', ...chapters] = process.argv.slice(2);
const memory = new Database(':memory:');
const statement = Object.getPrototypeOf(memory.prepare('SELECT 1')) as object;
counted(statement, 'run', source => source === 'COMMIT');
memory.close();
for (const name of ['renameSync', 'rmSync']) counted(fs, name, () => true);
syncBuiltinESMExports();

const world = openStory(dataDir);
left = Number(n);
for (const chapter of chapters as Chapter[]) tell(world, chapter);
