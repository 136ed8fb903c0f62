/**
 * What kind of history a seed is. Most are short: a node or two, one rollout, one fault at a chosen moment of it, and rest. All pairs of
 * fault and moment come round by turns. Some are of the usual size, in which much befalls three nodes for minutes; a few are of two dozen. Pure.
 */
import { randomOf } from '../support/random.js';

/** How far a node is with what it is to run: the least settled of its bundles counts. */
export const PHASES = [
  'beginning',
  'told',
  'fetching',
  'switching',
  'proving',
  'healthy',
  'given up',
  'away',
] as const;
export type Phase = (typeof PHASES)[number];

/** A fault, and the moment at which it is to befall a node. */
export interface Aim {
  readonly fault: string;
  readonly phase: Phase;
}

export interface Plan {
  readonly nodes: number;
  /** How many bundles, and nodes, have maintenance windows: what waits for one is not short. */
  readonly windowShare: number;
  /** Of a short history; null: faults come as they come. */
  readonly aims: readonly Aim[] | null;
  /** Aimed at one promise, instead; null: at none. */
  readonly scene: string | null;
}

/** Every so many seeds there is a fleet, and one of the usual size. */
const FLEET_EVERY = 500;
const USUAL_EVERY = 25;
/** Of so many seeds one is aimed at a promise; the promises come round by turns. */
const SCENE_EVERY = 5;
const FLEET_NODES = 24;
const USUAL_NODES = 3;
const USUAL_WINDOWS = 0.3;
const SHORT_WINDOWS = 0.05;

/** `nodes`: that many, and a history of the usual kind. */
export function planOf(seed: number, { faults, nodes, scenes, scene = null }: Kinds): Plan {
  const usual = { windowShare: USUAL_WINDOWS, aims: null, scene: null };
  if (scene !== null) return sceneOf(seed, scene);
  if (nodes !== null) return { nodes, ...usual };
  if (seed % FLEET_EVERY === 0) return { nodes: FLEET_NODES, ...usual };
  if (seed % USUAL_EVERY === 1) return { nodes: USUAL_NODES, ...usual };
  if (seed % SCENE_EVERY === 3) {
    return sceneOf(seed, scenes[Math.floor(seed / SCENE_EVERY) % scenes.length] ?? null);
  }
  const random = randomOf(seed ^ 0x3117);
  const turn = seed - Math.floor((seed + 1) / SCENE_EVERY);
  const round = Math.floor(turn / faults.length);
  const fault = faults[turn % faults.length] ?? '';
  const phase = PHASES[(turn + round) % PHASES.length] ?? 'healthy';
  const drawn = random();
  const nodesDrawn = drawn < 0.75 ? 1 : drawn < 0.95 ? 2 : 3;
  const aims: Aim[] = [{ fault, phase }];
  // What comes upon what was not over yet.
  if (random() < 0.2) {
    const other = faults[Math.floor(random() * faults.length)] ?? '';
    aims.push({ fault: other, phase: PHASES[Math.floor(random() * PHASES.length)] ?? 'healthy' });
  }
  return { nodes: nodesDrawn, windowShare: SHORT_WINDOWS, aims, scene: null };
}

interface Kinds {
  readonly faults: readonly string[];
  readonly nodes: number | null;
  readonly scenes: readonly string[];
  /** All of them are aimed at this one. */
  readonly scene?: string | null;
}

/** Its windows are the scene's. */
function sceneOf(seed: number, scene: string | null): Plan {
  const nodes = randomOf(seed ^ 0x3117)() < 0.7 ? 1 : 2;
  return { nodes, windowShare: 0, aims: null, scene };
}
