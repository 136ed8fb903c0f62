/**
 * Processes that live histories, one each at a time: the simulation takes over what belongs to a whole process. One that has lived a
 * good many makes room for another, so that memory does not grow with their number.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Told } from './history.js';

/** Of one process. Warm code is worth more than the memory of this many. */
const LIVED_MAX = 400;

/** Which history: lived again it is the same. */
export interface Life {
  readonly seed: number;
  /** What is aimed at; null: what the seed says. */
  readonly scene: string | null;
}

export interface Lived extends Told, Life {
  /** What this history cost, in seconds of CPU. */
  readonly cpuSeconds: number;
}

export interface CrewParts {
  /** A program that answers each `Life` that it is sent with a `Lived`. */
  readonly program: string;
  readonly args: readonly string[];
  readonly workers: number;
  /** Null: no more. */
  readonly next: () => Life | null;
  readonly onLived: (lived: Lived) => void;
}

/** Two at the least: where there is one core only, they share it. */
export function usualWorkers(): number {
  return Math.max(2, availableParallelism());
}

/** Resolves when there is none left. @throws when a process ends without an answer: with its seed */
export async function liveTogether(parts: CrewParts): Promise<void> {
  await Promise.all(Array.from({ length: parts.workers }, () => work(parts)));
}

async function work({ program, args, next, onLived }: CrewParts): Promise<void> {
  for (let life = next(); life !== null;) {
    const child = fork(program, [...args], { execArgv: process.execArgv });
    for (let lived = 0; life !== null && lived < LIVED_MAX; lived++, life = next()) {
      onLived(await answerOf(child, life));
    }
    child.disconnect();
  }
}

function answerOf(child: ChildProcess, life: Life): Promise<Lived> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null, signal: string | null) =>
      reject(new Error(`the process that lived seed ${life.seed} ended: ${signal ?? code}`));
    child.once('exit', ended);
    child.once('message', message => {
      child.off('exit', ended);
      resolve(message as Lived);
    });
    child.send(life);
  });
}
