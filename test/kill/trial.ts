/**
 * One point of one chapter: the past is brought back, the agent is run until it dies there, is started again and
 * left to come to rest, and what is then true is judged. The first passage through a chapter finds the points, and
 * is judged as well.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chapterBefore, withPast, type Chapter } from './chapters.js';
import { judge, runningIn } from './judge.js';
import type { KillWorld, Past } from './world.js';

export interface Trial {
  readonly chapter: Chapter;
  readonly point: string;
  /** How long the agent is left alone when the chapter is over; absent: as long as when the points were found. */
  readonly restMs?: number;
}

export interface Outcome {
  /** False: the agent came to the end of the chapter without passing that point. */
  readonly wasReached: boolean;
  readonly broken: readonly string[];
}

/** The points of a chapter in their order, and what follows it. `broken`: without any kill. */
export async function rehearse(
  world: KillWorld,
  chapter: Chapter,
  past: Past,
): Promise<{ points: string[]; next: Past; broken: string[] }> {
  const trace = join(world.folder, 'points');
  rmSync(trace, { force: true });
  await world.bringBack(past);
  const before = runningIn(world);
  await world.begin(chapter);
  const recorder = { FLOTILLA_KILL_TRACE: trace };
  const ending = await world.run(chapter, { recorder, endsWell: true });
  if (ending !== 'over') {
    const why = typeof ending === 'object' ? ending.never : ending;
    throw new Error(`chapter ${chapter.name} did not end: ${why}\n${world.log()}`);
  }
  await world.hub.close();
  const next = await world.keep(chapter.name);
  const broken = await judge(world, chapter, before);
  const points = readFileSync(trace, 'utf8').trimEnd().split('\n');
  return { points, next, broken };
}

/** What a chapter begins with. `ends`: what those before it left, by name. */
export function pastOf(chapter: Chapter, ends: ReadonlyMap<string, Past>, joined: Past): Past {
  const before = chapterBefore(chapter);
  const past = before === null ? joined : ends.get(before.name);
  if (!past) throw new Error(`nobody has lived through what comes before ${chapter.name}`);
  return past;
}

/** The past of each of these chapters, lived through in this world. */
export async function live(
  world: KillWorld,
  wanted: readonly Chapter[],
  joined: Past,
): Promise<Map<string, Past>> {
  const pasts = new Map<string, Past>();
  const ends = new Map<string, Past>();
  const chapters = withPast(wanted);
  for (const chapter of chapters) {
    const past = pastOf(chapter, ends, joined);
    pasts.set(chapter.name, past);
    if (!chapters.some(one => chapterBefore(one) === chapter)) continue;
    ends.set(chapter.name, (await rehearse(world, chapter, past)).next);
  }
  return pasts;
}

export async function tryPoint(
  world: KillWorld,
  { chapter, point, restMs }: Trial,
  past: Past,
): Promise<Outcome> {
  await world.bringBack(past);
  const before = runningIn(world);
  await world.begin(chapter);
  const recorder = { FLOTILLA_KILL_AT: point };
  const rest = restMs === undefined ? {} : { restMs };
  const first = await world.run(chapter, { recorder, endsWell: true, ...rest });
  if (first === 'over') return { wasReached: false, broken: [] };
  if (first !== 'killed') return { wasReached: false, broken: [`no end: ${first.never}`] };
  const second = await world.run(chapter);
  await world.hub.close();
  if (second !== 'over') {
    const why = typeof second === 'object' ? second.never : 'it was killed by somebody else';
    return { wasReached: true, broken: [`it never came to rest: ${why}`] };
  }
  return { wasReached: true, broken: await judge(world, chapter, before) };
}
