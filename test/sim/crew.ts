/**
 * Processes that live histories, one each at a time: the simulation takes over what belongs to a whole process. One that has lived a
 * good many makes room for another, so that memory does not grow with their number.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Told } from './history.js';

/** Started as one of several it answers each `Life` that it is sent with a `Lived`. */
const PROGRAM = join(import.meta.dirname, 'main.js');
const FLAGS = ['--enable-source-maps', '--max-semi-space-size=32'];
/** Of one process. Warm code is worth more than the memory of this many. */
const LIVED_MAX = 400;

/** Of the command that lives it as the only one. */
export interface Life {
  readonly seed: number;
  /** Null: as the seed says. */
  readonly nodes: number | null;
  /** The promise that it is aimed at; null: as the seed says. */
  readonly scene: string | null;
}

export interface Lived extends Told, Life {
  /** What this history cost, in seconds of CPU. */
  readonly cpuSeconds: number;
}

export interface CrewParts {
  readonly workers: number;
  /** Null: no more. */
  readonly next: () => Life | null;
  readonly onLived: (lived: Lived) => void;
}

/** Two at the least: where there is one core only, they share it. */
export function usualWorkers(): number {
  return Math.max(2, availableParallelism());
}

export function commandOf({ seed, nodes, scene }: Life): string {
  const ofNodes = nodes === null ? '' : ` --nodes ${nodes}`;
  const ofScene = scene === null ? '' : ` --scene ${scene}`;
  return `npm run sim -- --seed ${seed}${ofNodes}${ofScene} --trace`;
}

/** Of all that these traced, whatever process lived which of them. */
export function tracedBy(lived: readonly Lived[]): string {
  const digest = createHash('sha256');
  for (const one of [...lived].sort((a, b) => a.seed - b.seed)) digest.update(one.digest);
  return digest.digest('hex').slice(0, 16);
}

/** Resolves when none is left. @throws when a process ends without an answer: with the command that lives it again */
export async function liveTogether(parts: CrewParts): Promise<void> {
  await Promise.all(Array.from({ length: parts.workers }, () => work(parts)));
}

async function work({ next, onLived }: CrewParts): Promise<void> {
  for (let life = next(); life !== null;) {
    const child = fork(PROGRAM, [], { execArgv: FLAGS });
    for (let lived = 0; life !== null && lived < LIVED_MAX; lived++, life = next()) {
      onLived(await answerOf(child, life));
    }
    child.disconnect();
  }
}

function answerOf(child: ChildProcess, life: Life): Promise<Lived> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null, signal: string | null) =>
      reject(
        new Error(`the process that lived this one ended (${signal ?? code}): ${commandOf(life)}`),
      );
    child.once('exit', ended);
    child.once('message', message => {
      child.off('exit', ended);
      resolve(message as Lived);
    });
    child.send(life);
  });
}
