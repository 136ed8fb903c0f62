/**
 * One input through one target, and what is wrong with how it went: a throw, a hang, memory, a message without a bound, a prototype
 * that is another one afterwards.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beginRun } from './coverage.js';
import type { Outcome, Target } from './target.js';

export type FindingKind = 'throw' | 'hang' | 'memory' | 'log' | 'prototype';

export interface Finding {
  readonly kind: FindingKind;
  /** What makes two inputs the same finding. */
  readonly signature: string;
  readonly detail: string;
}

export interface Verdict {
  readonly outcome: Outcome;
  readonly finding: Finding | null;
}

/** Of one input. */
const HANG_MS = 1000;
const MEMORY_BYTES_MAX = 64 * 1024 * 1024;
/** Characters: a message goes into logs and statuses, and 120 KiB of it into every line of them. */
const MESSAGE_MAX = 4096;
/** Slower ones are looked at for memory: as much cannot be written faster. */
const SUSPECT_MS = 10;
const PROTOTYPES = [Object, Array, Function, String, Number, Map, Set, Uint8Array].map(
  one => one.prototype as object,
);

const keysOf = () => PROTOTYPES.map(prototype => Reflect.ownKeys(prototype));
const known = keysOf();

function pollution(): string | null {
  const added = keysOf().flatMap((keys, n) => keys.filter(key => !known[n]?.includes(key)));
  for (const [n, prototype] of PROTOTYPES.entries()) {
    for (const key of Reflect.ownKeys(prototype)) {
      if (!known[n]?.includes(key)) Reflect.deleteProperty(prototype, key);
    }
  }
  return added.length === 0 ? null : added.map(String).join(', ');
}

function hasEnumerable(): boolean {
  for (const _ in {}) return true;
  return false;
}

/** The first line of the stack that is of this project. */
function placeOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const line = stack.split('\n').find(one => /\/(protocol|agent|hub|test)\//.test(one));
  return line?.replace(/^.*\/(?=(?:protocol|agent|hub|test)\/)/, '').replace(/\)$/, '') ?? '';
}

function thrown(error: unknown): Finding {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const detail = error instanceof Error ? (error.stack ?? what) : what;
  const name = error instanceof Error ? error.name : 'throw';
  return { kind: 'throw', signature: `${name} ${placeOf(error)}`, detail: detail.slice(0, 4000) };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function bytesInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function quietly(target: Target, input: Buffer): Promise<void> {
  try {
    await target.run(Buffer.from(input));
  } catch {
    // Found already.
  }
}

/** The least of three runs: the machine may have been busy with something else. */
async function leastMs(target: Target, input: Buffer, first: number): Promise<number> {
  let least = first;
  for (let again = 0; again < 2 && least > HANG_MS; again += 1) {
    const begin = performance.now();
    await quietly(target, input);
    least = Math.min(least, performance.now() - begin);
  }
  return least;
}

async function slowness(target: Target, input: Buffer, ms: number): Promise<Finding | null> {
  const least = ms > HANG_MS ? await leastMs(target, input, ms) : ms;
  if (least > HANG_MS) {
    const detail = `${input.length} bytes take ${Math.round(least)} ms`;
    return { kind: 'hang', signature: 'slow', detail };
  }
  collect();
  const before = bytesInUse();
  await quietly(target, input);
  const grown = bytesInUse() - before;
  if (grown <= MEMORY_BYTES_MAX) return null;
  const detail = `${input.length} bytes take ${Math.round(grown / 1024 / 1024)} MiB of memory`;
  return { kind: 'memory', signature: 'memory', detail };
}

function unbounded({ message }: Outcome): Finding | null {
  if (message.length <= MESSAGE_MAX) return null;
  const detail = `a message of ${message.length} characters: ${message.slice(0, 200)}…`;
  const [signature = ''] = /^[A-Za-z ]{0,20}/.exec(message) ?? [];
  return { kind: 'log', signature: `log ${signature}`, detail };
}

/** `onRun` is called once, right after the run: coverage is that of the run alone then. */
export async function judge(target: Target, input: Buffer, onRun: () => void): Promise<Verdict> {
  let outcome: Outcome = { stage: 'refused', message: '' };
  let finding: Finding | null = null;
  beginRun();
  const begin = performance.now();
  try {
    // Without a turn of the event loop for what answers at once.
    const answer = target.run(input);
    outcome = answer instanceof Promise ? await answer : answer;
    finding = unbounded(outcome);
  } catch (error) {
    finding = thrown(error);
  }
  const ms = performance.now() - begin;
  onRun();
  if (hasEnumerable()) finding = hiddenPollution();
  if (finding === null && ms > SUSPECT_MS) finding = await slowness(target, input, ms);
  return { outcome, finding };
}

/** Also what no loop over keys shows; asked now and then, for it costs. What was added is taken away again. */
export function hiddenPollution(): Finding | null {
  const keys = pollution();
  if (keys === null) return null;
  return { kind: 'prototype', signature: 'prototype', detail: `a prototype got: ${keys}` };
}
