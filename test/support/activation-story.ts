/**
 * One story of a bundle of two pods, for tests that interrupt it anywhere: a bad revision replaces a good one and is undone, a
 * good one follows, the bundle goes. Each chapter can be told again from wherever the last telling ended.
 */
import { ActivationWorld, made } from './activation-world.js';

const PODS = { pods: ['one', 'other'], strategy: { progressDeadlineSeconds: 20 } };
export const GOOD = made('shop', 1, PODS);
export const BAD = made('shop', 2, PODS);
export const BETTER = made('shop', 3, PODS);

export const CHAPTERS = ['bad', 'better', 'gone'] as const;
export type Chapter = (typeof CHAPTERS)[number];

/** A node on which revision 1 is healthy. */
export function beginning(): string {
  const world = new ActivationWorld();
  world.assign(GOOD);
  world.wait(11);
  world.leave();
  return world.dataDir;
}

export function openStory(dataDir: string): ActivationWorld {
  const world = new ActivationWorld({}, dataDir);
  world.fates.set('shop:2', 'crash');
  world.pass();
  return world;
}

/** The assignment is taken once; the rest is what the node does by itself. */
export function tell(world: ActivationWorld, chapter: Chapter): void {
  const bundles = { bad: [BAD], better: [BETTER], gone: [] }[chapter];
  const wanted = bundles.map(({ document }) => document.revision);
  const accepted = world.journal.accepted()?.document.bundles.map(({ revision }) => revision);
  if (JSON.stringify(accepted) === JSON.stringify(wanted)) {
    bundles.forEach(one => world.store(one));
    world.pass();
  } else {
    world.assign(...bundles);
  }
  world.wait(chapter === 'bad' ? 40 : 12);
}

/** Images in the directory when the chapter is over. */
export const ENDING: Readonly<Record<Chapter, readonly string[]>> = {
  bad: ['shop:1', 'shop:1'],
  better: ['shop:3', 'shop:3'],
  gone: [],
};
