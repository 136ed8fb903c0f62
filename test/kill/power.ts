/**
 * `npm run test:power`: the power goes at every call that the agent makes to its file system, SQLite's own included, as
 * strace saw them; what was not synced by then is kept, lost, torn, or a part of it is there. From each directory that may
 * be found afterwards the agent's start must come to what was promised.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { wordsOf } from '../support/command-words.js';
import { randomOf } from '../support/random.js';
import { CHAPTERS, withPast, type Chapter } from './chapters.js';
import { ALL, cutsOf, digestOf, Disk, writeContent, type Content } from './disk.js';
import { withScratch, type Scratch } from './scratch.js';
import { onDisk, readTrace, straced, type FileCall } from './trace.js';
import { pastOf } from './trial.js';
import { promisedIn, wake, type Reached } from './wake.js';
import { KillWorld, type Past } from './world.js';

const NAMES = CHAPTERS.map(({ name }) => name).join(', ');
const USAGE = `usage: npm run test:power [-- OPTIONS]
The power goes at every call of the agent to its disk. Ends with "N power cuts, M invariants broken".

  --chapter NAME              of ${NAMES} (all)
  --every N                   each n-th call (1)
  --seed N                    of what a cut leaves (1)
  --cut 'CHAPTER CALL NAME'   that cut alone
`;

const {
  values: options,
  number,
  refuse,
} = wordsOf(USAGE, {
  chapter: { type: 'string' },
  cut: { type: 'string' },
  seed: { type: 'string' },
  every: { type: 'string' },
});
const seed = number('seed', 1);
const every = options.cut === undefined ? number('every', 1) : 1;
const say = (line: string) => void process.stdout.write(`${line}\n`);

interface Tally {
  cuts: number;
  folders: number;
  broken: number;
}

async function record(world: KillWorld, chapter: Chapter, past: Past): Promise<FileCall[]> {
  const trace = join(world.folder, 'trace');
  rmSync(trace, { force: true });
  await world.bringBack(past);
  await world.begin(chapter);
  const ending = await world.run(chapter, { under: straced(trace), endsWell: true });
  if (ending !== 'over') {
    const why = typeof ending === 'object' ? ending.never : ending;
    throw new Error(`chapter ${chapter.name} did not end: ${why}\n${world.log()}`);
  }
  await world.hub.close();
  return readTrace(trace, world.dataDir);
}

function materialize(folder: string, content: Content): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  writeContent(folder, content);
}

function tryContent(folder: string, content: Content, floor: Reached | null): string[] {
  materialize(folder, content);
  try {
    return wake(folder, floor);
  } catch (error) {
    return [`it does not start: ${String(error)}`];
  }
}

const told = (call: FileCall) =>
  `${call.is} ${call.path}${call.is === 'rename' ? ` ${call.to}` : ''}`;

function tryChapter(
  folder: string,
  chapter: Chapter,
  { past, calls }: { past: Past; calls: FileCall[] },
) {
  const tally: Tally = { cuts: 0, folders: 0, broken: 0 };
  const disk = new Disk(past.folder);
  const seen = new Set<string>();
  const random = randomOf(seed);
  let floor: Reached | null = null;
  calls.forEach((call, n) => {
    disk.do(call);
    for (const cut of cutsOf(random)) {
      const content = disk.after(cut);
      const name = `${chapter.name} ${n + 1} ${cut.name}`;
      tally.cuts++;
      if (options.cut !== undefined && options.cut !== name) continue;
      const digest = `${digestOf(content)} ${JSON.stringify(floor)}`;
      if (seen.has(digest)) continue;
      seen.add(digest);
      if (seen.size % every !== 0) continue;
      tally.folders++;
      const broken = tryContent(folder, content, floor);
      if (broken.length === 0) continue;
      tally.broken += broken.length;
      say(`BROKEN ${name}: after ${told(call)}`);
      for (const why of broken) say(`  ${why}`);
      say(`  replay: npm run test:power -- --seed ${seed} --cut '${name}'`);
    }
    // From here on it is promised: what is told to the hub stands on it.
    if (call.is === 'sync' && /^journal\.db(-wal)?$/.test(call.path)) {
      materialize(folder, disk.after(ALL));
      floor = promisedIn(folder) ?? floor;
    }
  });
  return tally;
}

async function main(scratch: Scratch): Promise<number> {
  const wanted = options.chapter ?? options.cut?.split(' ')[0];
  if (wanted !== undefined && !CHAPTERS.some(({ name }) => name === wanted))
    refuse(`there is no chapter ${wanted}; use one of ${NAMES}`);
  const { world, past: joined } = await KillWorld.make(join(scratch.folder, '0'));
  scratch.keep(world);
  const total: Tally = { cuts: 0, folders: 0, broken: 0 };
  const ends = new Map<string, Past>();
  const chapters = CHAPTERS.filter(({ name }) => wanted === undefined || name === wanted);
  for (const chapter of withPast(chapters)) {
    const past = pastOf(chapter, ends, joined);
    const made = await record(world, chapter, past);
    const next = await world.keep(chapter.name);
    const calls = onDisk(made, [...past.memory.mounts, ...next.memory.mounts]);
    ends.set(chapter.name, next);
    if (!chapters.includes(chapter)) continue;
    const found = tryChapter(join(scratch.folder, 'found'), chapter, { past, calls });
    const { cuts, folders, broken } = found;
    say(`${chapter.name}: ${calls.length} calls, ${cuts} power cuts, ${folders} folders tried`);
    total.cuts += cuts;
    total.folders += folders;
    total.broken += broken;
  }
  say(`${total.cuts} power cuts, ${total.broken} invariants broken`);
  return total.broken > 0 ? 1 : 0;
}

process.exitCode = await withScratch('flp-', main);
