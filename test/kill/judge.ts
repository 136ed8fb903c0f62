/**
 * What must be true of a node that was killed and has come to rest again, whatever the moment was. Each promise
 * that is broken is a sentence.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readProof } from '../../agent/journal/proof.js';
import { verifyProof } from '../../agent/journal/verify-proof.js';
import { sha256Hex } from '../../protocol/canonical.js';
import { unmountBelow } from '../support/mounts.js';
import type { Chapter } from './chapters.js';
import { leakedIn } from './passwords.js';
import { bundleEvents, type KillWorld } from './world.js';

/** Container id and image by pod. */
export type Running = ReadonlyMap<string, { readonly id: string; readonly image: string }>;

export function runningIn(world: KillWorld): Running {
  return new Map(world.engine.running().map(({ pod, id, image }) => [pod, { id, image }]));
}

/** `before`: what ran when the chapter began. */
export async function judge(
  world: KillWorld,
  chapter: Chapter,
  before: Running,
): Promise<string[]> {
  await world.engine.settle();
  return [
    ...world.hub.broken,
    ...world.engine.twice,
    ...unverified(world, chapter),
    ...restarted(world, chapter, before),
    ...directory(world),
    ...journal(world, chapter),
    ...leaked(world),
  ];
}

function unverified({ engine }: KillWorld, { mayStart }: Chapter): string[] {
  return [...engine.started]
    .filter(started => !mayStart.includes(started))
    .map(started => `${started} was started, which no assignment of this chapter asks for`);
}

/** A pod that the chapter changes, and be it back again, may have another container; the others may not. */
function restarted(world: KillWorld, { runs, mayStart }: Chapter, before: Running): string[] {
  const now = runningIn(world);
  return [...before].flatMap(([pod, { id, image }]) => {
    const isChanged = runs[pod] !== image || mayStart.some(one => one.startsWith(`${pod} `));
    return isChanged || now.get(pod)?.id === id
      ? []
      : [`${pod} did not change and has another container`];
  });
}

/** Old or new, never half: exactly the files that the journal promises, with exactly those bytes. */
function directory({ dataDir }: KillWorld): string[] {
  const { files } = readProof(dataDir);
  const folder = join(dataDir, 'manifests');
  const found = readdirSync(folder).filter(file => /^\.?flotilla_/.test(file));
  const promised = new Map(files.map(({ file, content }) => [file, content]));
  return [
    ...found.flatMap(file => {
      const content = promised.get(file);
      if (content === undefined) return [`${file} lies in the directory and nothing explains it`];
      const bytes = readFileSync(join(folder, file));
      return sha256Hex(bytes) === content ? [] : [`${file} is not what the journal says`];
    }),
    ...[...promised.keys()]
      .filter(file => !found.includes(file))
      .map(file => `${file} is promised and is not there`),
  ];
}

/** What the pods are given lies in memory. */
function leaked({ dataDir }: KillWorld): string[] {
  unmountBelow(dataDir);
  return leakedIn(dataDir).map(path => `a Secret lies open in ${path}`);
}

function journal({ dataDir, hub }: KillWorld, chapter: Chapter): string[] {
  const proof = readProof(dataDir);
  const { findings } = verifyProof(proof, null);
  const heard = hub.events();
  const generation = proof.assignments.at(-1)?.generation ?? 0;
  const wanted = hub.assignment()?.generation ?? 0;
  const told = bundleEvents(proof.events);
  const last = proof.events.at(-1)?.n ?? 0;
  const others = proof.events.filter(event => {
    const known = heard[event.n - 1];
    return known && (known.reason !== event.reason || known.message !== event.message);
  });
  return [
    ...findings,
    ...(generation === wanted ? [] : [`generation ${generation} is accepted, not ${wanted}`]),
    ...(told.join() === chapter.events.join() ? [] : [`events are ${told.join(', ')}`]),
    ...(heard.length > last ? [`the hub has ${heard.length} events, the journal ${last}`] : []),
    ...others.map(({ n, reason }) => `event ${n} (${reason}) is another at the hub`),
  ];
}
