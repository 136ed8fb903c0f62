/** `npm run test:kill`: the real agent, killed with SIGKILL at every point where something leaves the process and stays. */
import { join } from 'node:path';
import { wordsOf } from '../support/command-words.js';
import { noEngine } from '../support/docker.js';
import { CHAPTERS, withPast, type Chapter } from './chapters.js';
import { withScratch, type Scratch } from './scratch.js';
import { quoted, spread } from './spread.js';
import { live, pastOf, rehearse, tryPoint, type Outcome, type Trial } from './trial.js';
import { ENGINES, KillWorld, type EngineKind, type Past } from './world.js';

const KNOWN = CHAPTERS.map(({ name }) => name).join(', ');
const USAGE = `usage: npm run test:kill [-- OPTIONS]
The agent, killed at every point where something leaves it and stays. Ends with "N kill points, M invariants broken".

  --share N               about N points, spread evenly (all)
  --chapter NAME[,NAME]   of ${KNOWN} (all)
  --point 'POINT'         that one alone, with --chapter, and with the agent's log
  --workers N             so many side by side (4)
  --list                  the points, and no kill
  --engine NAME           memory, or docker: the Docker Engine of this machine (memory)
`;

const {
  values: options,
  number,
  refuse,
} = wordsOf(USAGE, {
  share: { type: 'string' },
  chapter: { type: 'string' },
  point: { type: 'string' },
  workers: { type: 'string' },
  list: { type: 'boolean', default: false },
  engine: { type: 'string', default: 'memory' },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);

function chosen(): readonly Chapter[] {
  const { chapter, point } = options;
  const wanted = chapter?.split(',');
  const unknown = wanted?.find(name => !CHAPTERS.some(one => one.name === name));
  if (unknown !== undefined) refuse(`--chapter ${unknown}: use one of ${KNOWN}`);
  const found = CHAPTERS.filter(({ name }) => wanted?.includes(name) !== false);
  if (point !== undefined && found.length !== 1) {
    refuse(`--point: say its --chapter, one of ${KNOWN}`);
  }
  return found;
}

function engineKind(): EngineKind {
  const found = ENGINES.find(kind => kind === options.engine);
  if (!found) return refuse(`--engine ${options.engine}: use one of ${ENGINES.join(', ')}`);
  const missing = found === 'docker' && noEngine();
  if (missing !== false) refuse(`--engine docker: ${missing}`);
  return found;
}

interface Place {
  readonly world: KillWorld;
  readonly pasts: ReadonlyMap<string, Past>;
}

/** After one thing and before the next is one moment: nothing that stays has happened in between. */
function momentsOf(points: readonly string[]): { point: string; nth: number }[] {
  const numbered = points.map((point, i) => ({ point, nth: i + 1 }));
  return numbered.filter(
    ({ point }, i) => !(point.startsWith('before ') && points[i - 1]?.startsWith('after ')),
  );
}

function report({ chapter, point }: Trial, broken: readonly string[]): void {
  say(`BROKEN ${chapter.name}, ${point}`);
  for (const why of broken) say(`  ${why}`);
  const engine = options.engine === 'memory' ? '' : ` --engine ${options.engine}`;
  say(`  replay: npm run test:kill -- --chapter ${chapter.name}${engine} --point ${quoted(point)}`);
}

/**
 * How often a report is told, and what is committed with it, is not the same in every passage: one that did not come
 * to a point is lived again, and left alone for longer when it is over, so that more is told.
 */
const RESTS_MS = [undefined, undefined, 1_500, 3_000, 3_000, 6_000, 6_000] as const;

/** By the name first; where the order of things was another this time, by the number. */
async function attempt(place: Place, trial: Trial, nth: number): Promise<Outcome> {
  const past = place.pasts.get(trial.chapter.name);
  if (!past) throw new Error(`no past of ${trial.chapter.name}`);
  const points = nth === 0 ? [trial.point] : [trial.point, `#${nth}`];
  for (const restMs of RESTS_MS) {
    for (const point of points) {
      const rest = restMs === undefined ? {} : { restMs };
      const outcome = await tryPoint(place.world, { ...trial, ...rest, point }, past);
      if (outcome.wasReached || outcome.broken.length > 0) return outcome;
    }
  }
  return { wasReached: false, broken: [] };
}

interface Tally {
  tried: number;
  unreached: number;
  broken: number;
}

async function tryAll(places: readonly Place[], trials: readonly (Trial & { nth: number })[]) {
  const tally: Tally = { tried: 0, unreached: 0, broken: 0 };
  const queue = [...trials];
  const work = async (place: Place) => {
    for (let trial = queue.shift(); trial; trial = queue.shift()) {
      const { wasReached, broken } = await attempt(place, trial, trial.nth);
      if (wasReached) tally.tried++;
      else if (broken.length === 0) {
        tally.unreached++;
        say(`not reached: ${trial.chapter.name}, ${trial.point}`);
      }
      tally.broken += broken.length;
      if (broken.length > 0) report(trial, broken);
      if (options.point !== undefined) say(place.world.log());
      if (tally.tried % 50 === 0 && tally.tried > 0) say(`${tally.tried} of ${trials.length}`);
    }
  };
  await Promise.all(places.map(work));
  return tally;
}

async function main(scratch: Scratch): Promise<number> {
  const chapters = chosen();
  const kind = engineKind();
  const make = async (name: string) => {
    const made = await KillWorld.make(join(scratch.folder, name), kind);
    scratch.keep(made.world);
    return made;
  };
  const { world, past: joined } = await make('0');
  const trials: (Trial & { nth: number })[] = [];
  const pasts = new Map<string, Past>();
  let broken = 0;
  const ends = new Map<string, Past>();
  for (const chapter of withPast(chapters)) {
    const past = pastOf(chapter, ends, joined);
    pasts.set(chapter.name, past);
    const found = await rehearse(world, chapter, past);
    ends.set(chapter.name, found.next);
    broken += found.broken.length;
    if (found.broken.length > 0) report({ chapter, point: 'nothing' }, found.broken);
    if (!chapters.includes(chapter)) continue;
    say(
      `${chapter.name}: ${found.points.length} points, ${momentsOf(found.points).length} moments`,
    );
    trials.push(...momentsOf(found.points).map(moment => ({ chapter, ...moment })));
  }
  if (options.list) {
    for (const { chapter, point } of trials) say(`${chapter.name}\t${point}`);
    return 0;
  }
  const { point } = options;
  const [only] = chapters;
  const wanted =
    point === undefined || !only
      ? spread(trials, number('share', trials.length))
      : [{ chapter: only, point, nth: 0 }];
  const more = Math.min(number('workers', 4), wanted.length) - 1;
  const others = await Promise.all(
    Array.from({ length: more }, async (_, i): Promise<Place> => {
      const other = await make(String(i + 1));
      return { world: other.world, pasts: await live(other.world, chapters, other.past) };
    }),
  );
  const tally = await tryAll([{ world, pasts }, ...others], wanted);
  if (tally.unreached > 0) say(`${tally.unreached} of ${wanted.length} points were not reached`);
  say(`${tally.tried} kill points, ${tally.broken + broken} invariants broken`);
  return tally.broken + broken > 0 || tally.unreached > 0 ? 1 : 0;
}

process.exitCode = await withScratch('flk-', main);
