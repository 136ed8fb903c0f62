/**
 * `npm run test:disk`: the real agent on a disk that is full or fails from its n-th write on, for every n of each chapter;
 * then, where it may mount one, on a small disk with a few pages left.
 */
import { join } from 'node:path';
import { wordsOf } from '../support/command-words.js';
import { CHAPTERS, type Chapter } from './chapters.js';
import { rootsOf, tryDisk, tryRoom, WHERE, type DiskTrial, type Where } from './disk-trial.js';
import { buildLibrary, FailingDisk, FAULTS, type FaultName } from './failing-disk.js';
import { withScratch, type Scratch } from './scratch.js';
import { SmallDisk } from './small-disk.js';
import { spread } from './spread.js';
import { live } from './trial.js';
import { KillWorld, type Past } from './world.js';

const USAGE = `usage: npm run test:disk [-- OPTIONS]
The agent on a disk that refuses from its n-th write on, for every n. Ends with "N failing writes, M invariants broken".

  --share N        about N trials, spread evenly (all)
  --chapter NAME   of ${CHAPTERS.map(({ name }) => name).join(', ')} (all)
  --fault NAME     of ${Object.keys(FAULTS).join(', ')} (all)
  --where NAME     of ${[...WHERE, 'small'].join(', ')}; small: a small disk that is full (all)
  --nth N          that write alone, with the agent's log
  --workers N      so many side by side (8)
  --list           the writes, and none of them fails
`;

const {
  values: options,
  number,
  refuse,
} = wordsOf(USAGE, {
  share: { type: 'string' },
  chapter: { type: 'string' },
  fault: { type: 'string' },
  where: { type: 'string' },
  nth: { type: 'string' },
  workers: { type: 'string' },
  list: { type: 'boolean', default: false },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);

function chosen<T extends string>(option: 'chapter' | 'fault' | 'where', all: readonly T[]): T[] {
  const wanted = options[option];
  const found = all.filter(name => wanted === undefined || name === wanted);
  if (found.length === 0) refuse(`--${option} ${wanted}: use one of ${all.join(', ')}`);
  return found;
}

interface Place {
  readonly world: KillWorld;
  readonly disk: FailingDisk;
  readonly pasts: ReadonlyMap<string, Past>;
}

interface Writes {
  readonly chapter: Chapter;
  readonly where: Where;
  readonly calls: readonly string[];
}

/** A passage in which nothing fails. */
async function count({ world, disk, pasts }: Place, chapter: Chapter, where: Where) {
  const past = pasts.get(chapter.name);
  if (!past) throw new Error(`no past of ${chapter.name}`);
  await world.bringBack(past);
  await world.begin(chapter);
  const env = disk.environment(rootsOf(world, where), true);
  const ending = await world.run(chapter, { env, endsWell: true });
  if (ending !== 'over') throw new Error(`chapter ${chapter.name} did not end\n${world.log()}`);
  await world.hub.close();
  const calls = disk.trace().map(line => line.replace(world.dataDir, ''));
  if (calls.length !== disk.calls()) throw new Error('the count and the trace differ');
  return { chapter, where, calls };
}

/** A full disk refuses no removal: that trial is the one after it. And a call that writes nothing cannot be torn. */
function fails(call: string, fault: FaultName): boolean {
  const { code, torn } = FAULTS[fault];
  if (torn) return /^p?writev? /.test(call);
  return code !== 'ENOSPC' || !/^(unlink|rmdir|chmod|fchmod|open|ftruncate64) /.test(call);
}

function trialsOf({ chapter, where, calls }: Writes): (DiskTrial & { call: string })[] {
  const faults = chosen('fault', Object.keys(FAULTS) as FaultName[]);
  return calls.flatMap((call, i) =>
    faults
      .filter(fault => fails(call, fault))
      .map(fault => ({ chapter, where, nth: i + 1, fault, call })),
  );
}

function report({ chapter, where, nth, fault, call }: DiskTrial & { call: string }, why: string[]) {
  say(`BROKEN ${chapter.name}, ${where}, ${fault} from ${nth} (${call})`);
  for (const one of why) say(`  ${one}`);
  const parts = `--chapter ${chapter.name} --where ${where} --fault ${fault} --nth ${nth}`;
  say(`  replay: npm run test:disk -- ${parts}`);
}

async function tryAll(places: readonly Place[], trials: readonly (DiskTrial & { call: string })[]) {
  const tally = { tried: 0, unreached: 0, broken: 0 };
  const queue = [...trials];
  const work = async ({ world, disk, pasts }: Place) => {
    for (let trial = queue.shift(); trial; trial = queue.shift()) {
      const past = pasts.get(trial.chapter.name);
      if (!past) throw new Error(`no past of ${trial.chapter.name}`);
      const { wasReached, broken, log } = await tryDisk(world, disk, { trial, past });
      if (wasReached) tally.tried++;
      else tally.unreached++;
      tally.broken += broken.length;
      if (broken.length > 0) report(trial, [...broken]);
      if (options.nth !== undefined) say(log);
      if (tally.tried % 100 === 0 && tally.tried > 0) say(`${tally.tried} of ${trials.length}`);
    }
  };
  await Promise.all(places.map(work));
  return tally;
}

/** KiB that are left when the agent is started. */
const ROOMS = [0, 4, 12, 24, 40, 64, 96, 144, 208, 320, 480, 720];

/** On a disk that is nothing but small. */
async function tryRooms(scratch: Scratch, chapters: readonly Chapter[]) {
  const tally = { tried: 0, broken: 0 };
  const folder = join(scratch.folder, 'small');
  const disk = SmallDisk.mount(folder);
  if (disk === null) {
    say('no small disk: needs the right to mount');
    return tally;
  }
  scratch.keep(disk);
  const { world, past: joined } = await KillWorld.make(folder);
  scratch.keep({ close: () => world.quit() });
  const pasts = await live(world, chapters, joined);
  for (const chapter of chapters) {
    for (const room of ROOMS) {
      const past = pasts.get(chapter.name);
      if (!past) throw new Error(`no past of ${chapter.name}`);
      const outcome = await tryRoom(world, disk, { chapter, room: room * 1024, past });
      if (outcome.wasReached) tally.tried++;
      tally.broken += outcome.broken.length;
      if (outcome.broken.length === 0) continue;
      say(`BROKEN ${chapter.name}, ${room} KiB left`);
      for (const one of outcome.broken) say(`  ${one}`);
      say(outcome.log);
    }
  }
  return tally;
}

async function main(scratch: Scratch): Promise<number> {
  const names = chosen(
    'chapter',
    CHAPTERS.map(({ name }) => name),
  );
  const chapters = CHAPTERS.filter(({ name }) => names.includes(name));
  const library = buildLibrary(scratch.folder);
  const make = async (name: string): Promise<Place> => {
    const { world, past } = await KillWorld.make(join(scratch.folder, name));
    scratch.keep(world);
    const pasts = await live(world, chapters, past);
    return { world, pasts, disk: new FailingDisk(library, world.folder) };
  };
  const first = await make('0');
  const writes: Writes[] = [];
  const wheres: readonly string[] = chosen('where', [...WHERE, 'small']);
  for (const chapter of chapters) {
    for (const where of WHERE.filter(one => wheres.includes(one)))
      writes.push(await count(first, chapter, where));
  }
  for (const { chapter, where, calls } of writes) {
    say(`${chapter.name}: ${calls.length} writes ${where}`);
    if (options.list) for (const [i, call] of calls.entries()) say(`${i + 1}\t${call}`);
  }
  if (options.list) return 0;
  const all = writes.flatMap(trialsOf);
  const nth = options.nth === undefined ? null : number('nth', 1);
  const wanted = all.filter(trial => nth === null || trial.nth === nth);
  const trials = spread(wanted, number('share', wanted.length));
  const more = Math.min(number('workers', 8), trials.length) - 1;
  const others = Array.from({ length: more }, (_, i) => make(String(i + 1)));
  const tally = await tryAll([first, ...(await Promise.all(others))], trials);
  const isPart = nth !== null || options.share !== undefined || options.fault !== undefined;
  const isWhole = wheres.includes('small') && !isPart;
  const rooms = isWhole ? await tryRooms(scratch, chapters) : { tried: 0, broken: 0 };
  if (isWhole) say(`${rooms.tried} passages on a small disk that was full`);
  tally.broken += rooms.broken;
  if (tally.unreached > 0) say(`${tally.unreached} of ${trials.length} were not reached`);
  say(`${tally.tried} failing writes, ${tally.broken} invariants broken`);
  return tally.broken > 0 || tally.tried + rooms.tried === 0 ? 1 : 0;
}

process.exitCode = await withScratch('fld-', main);
