/**
 * One passage of one chapter on a disk that refuses everything from the n-th write on: what runs goes on, the agent
 * says what is wrong (or ends, and says it), nothing is half done; when the disk is well again the chapter comes to its
 * end by itself. An agent that ended is started again, as systemd does it. The same on a small disk that is full.
 */
import { join } from 'node:path';
import type { StatusDocument } from '../../protocol/documents/node.js';
import type { Chapter } from './chapters.js';
import { FAULTS, type FailingDisk, type FaultName } from './failing-disk.js';
import { judge, runningIn, type Running } from './judge.js';
import type { KillWorld, Past } from './world.js';

/** Which files lie on that disk. */
export const WHERE = ['everywhere', 'manifests'] as const;
export type Where = (typeof WHERE)[number];

export interface DiskTrial {
  readonly chapter: Chapter;
  /** Number of the first call that fails. */
  readonly nth: number;
  readonly fault: FaultName;
  readonly where: Where;
}

export interface DiskOutcome {
  readonly wasReached: boolean;
  readonly broken: readonly string[];
  readonly log: string;
}

/** What a person reads, of a disk that is full or fails; never a stack of calls. */
const TELLS =
  /ENOSPC|EIO|no space|disk is full|disk fails|disk I\/O error|i\/o error|unable to open database/i;
const STACK = /^\s+at .*:\d+:\d+\)?$/m;
const ENDS_CLEARLY = /^error: .*/m;
/** As long as it suffers at least, and at most while nobody says why. */
const SUFFERS_MS = { least: 300, most: 20_000, uncertain: 4_000 };

export function rootsOf(world: KillWorld, where: Where): string[] {
  return [where === 'manifests' ? join(world.dataDir, 'manifests') : world.dataDir];
}

/** Conditions that say that the disk refuses something. */
function complaints(status: StatusDocument | null): string[] {
  const conditions = status?.conditions ?? [];
  return conditions
    .filter(({ type, status: is }) => type === 'JournalWritable' && is === 'False')
    .map(({ type, message }) => `${type}: ${message}`);
}

/** What refuses, and can be mended. */
export interface BadDisk {
  /** Whether something was refused as soon as `failed` says so; else it may have been. */
  readonly isCertain: boolean;
  /** 0: nothing was refused yet. */
  failed(): number;
  mend(): void;
}

/** What happens while a chapter goes on: the disk fails until somebody said so. */
class Suffering {
  readonly #world: KillWorld;
  readonly #disk: BadDisk;
  readonly #chapter: Chapter;
  readonly #before: Running;
  #since: number | null = null;
  #isOver = false;
  readonly broken: string[] = [];

  constructor(world: KillWorld, disk: BadDisk, parts: { chapter: Chapter; before: Running }) {
    this.#world = world;
    this.#disk = disk;
    this.#chapter = parts.chapter;
    this.#before = parts.before;
  }

  /** What is still to come. */
  look(): string {
    if (this.#isOver) return complaints(this.#world.hub.status).join();
    if (this.#disk.failed() === 0) return '';
    const now = performance.now();
    this.#since ??= now;
    const lasts = now - this.#since;
    const isTold = TELLS.test(this.#world.log());
    const isWell = this.#world.lacks(this.#chapter) === '';
    if (lasts < SUFFERS_MS.least) return 'the disk fails';
    const patienceMs = this.#disk.isCertain ? SUFFERS_MS.most : SUFFERS_MS.uncertain;
    if (!isTold && !isWell && lasts < patienceMs) return 'the disk fails, and nobody says so';
    if (!isTold && !isWell && this.#disk.isCertain)
      this.broken.push('the log does not say that the disk fails');
    this.#end();
    return 'the disk is well again';
  }

  hasBegun(): boolean {
    return this.#since !== null;
  }

  /** Whatever the chapter leaves as it is runs on. */
  #end(): void {
    const now = runningIn(this.#world);
    const { runs, mayStart } = this.#chapter;
    for (const [pod, { id, image }] of this.#before) {
      const isChanged = runs[pod] !== image || mayStart.some(one => one.startsWith(`${pod} `));
      if (!isChanged && now.get(pod)?.id !== id) this.broken.push(`${pod} does not run on`);
    }
    this.#isOver = true;
    this.#disk.mend();
  }
}

/** From the n-th call on. */
export async function tryDisk(
  world: KillWorld,
  disk: FailingDisk,
  { trial, past }: { trial: DiskTrial; past: Past },
): Promise<DiskOutcome> {
  const { chapter, nth, fault, where } = trial;
  await world.bringBack(past);
  await world.begin(chapter);
  const env = disk.environment(rootsOf(world, where));
  disk.failFrom(nth, fault);
  return passage(world, disk, { chapter, env, isLasting: !FAULTS[fault].once });
}

/** On a disk with so many bytes left. */
export async function tryRoom(
  world: KillWorld,
  disk: BadDisk & { fill(room: number): void },
  { chapter, room, past }: { chapter: Chapter; room: number; past: Past },
): Promise<DiskOutcome> {
  disk.mend();
  await world.bringBack(past);
  await world.begin(chapter);
  disk.fill(room);
  return passage(world, disk, { chapter, env: {}, isLasting: true });
}

interface Passage {
  readonly chapter: Chapter;
  readonly env: Readonly<Record<string, string>>;
  /** Until it is mended. */
  readonly isLasting: boolean;
}

async function passage(
  world: KillWorld,
  disk: BadDisk,
  { chapter, env, isLasting }: Passage,
): Promise<DiskOutcome> {
  const before = runningIn(world);
  const suffering = new Suffering(world, disk, { chapter, before });
  const meanwhile = isLasting ? () => suffering.look() : healed(world);
  const first = await world.run(chapter, { env, meanwhile, endsWell: true });
  let log = world.log();
  const wasReached = disk.failed() > 0 || suffering.hasBegun();
  disk.mend();
  const broken = [...suffering.broken];
  const end = async (found: readonly string[]): Promise<DiskOutcome> => {
    await world.hub.close();
    return { wasReached, broken: [...broken, ...found], log };
  };
  if (STACK.test(log)) broken.push('the log has a stack of calls');
  if (typeof first === 'object') {
    if (first.hasEnded !== true) return end([`it never came to rest: ${first.never}`]);
    if (!wasReached) return end([`${first.never}, and nothing had failed`]);
    if (!ENDS_CLEARLY.test(log)) broken.push(`${first.never} without an error that says why`);
    const second = await world.run(chapter, { meanwhile: healed(world) });
    log += `--- started again\n${world.log()}`;
    const why = typeof second === 'object' ? second.never : second;
    if (second !== 'over') return end([`it never came to rest when started again: ${why}`]);
  }
  return end(await judge(world, chapter, before));
}

const healed = (world: KillWorld) => () => complaints(world.hub.status).join();
