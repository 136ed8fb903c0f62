/**
 * The thread that fuzzes: counters are put into the modules first, then the targets are loaded, then each gets its runs. Says in
 * shared memory what it is about to run, so that the one outside knows what never ended.
 */
import { once } from 'node:events';
import { register } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { corpusOf } from './vectors.js';
import { installCoverage } from './coverage.js';
import { Fuzzer } from './engine.js';
import type { HookOptions } from './hook.js';
import { judge } from './judge.js';
import type { Target } from './target.js';
import {
  BEAT,
  INPUT_BYTES_MAX,
  LENGTH,
  type Job,
  type Plan,
  type ToParent,
} from './worker-messages.js';

const { memory, roots, modules, seed } = workerData as Job;
const numbers = new Int32Array(memory, 0, 2);
const bytes = new Uint8Array(memory, 8, INPUT_BYTES_MAX);

function say(message: ToParent): void {
  parentPort?.postMessage(message);
}

function onInput(input: Buffer): void {
  const length = Math.min(input.length, INPUT_BYTES_MAX);
  bytes.set(input.subarray(0, length));
  Atomics.store(numbers, LENGTH, length);
  Atomics.add(numbers, BEAT, 1);
}

/** What once was a finding, and what cannot be made anew, comes before all else. */
function withCorpus(target: Target): Target {
  return { ...target, seeds: [...target.seeds, ...corpusOf(target.name)] };
}

async function loaded(): Promise<Target[]> {
  if (roots.length > 0) {
    installCoverage();
    const data: HookOptions = { roots };
    register(new URL('./hook.js', import.meta.url), { data });
  }
  const found: Target[] = [];
  for (const url of modules) {
    const { targets } = (await import(url)) as { targets: () => Target[] | Promise<Target[]> };
    found.push(...(await targets()).map(withCorpus));
  }
  return found;
}

const targets = await loaded();
const planned =
  parentPort === null ? Promise.reject(new Error('a thread')) : once(parentPort, 'message');
say({ is: 'targets', targets: targets.map(({ name, share = 1 }) => ({ name, share })) });
const [{ jobs, limitMs }] = (await planned) as [Plan];
const end = performance.now() + limitMs;
for (const job of jobs) {
  const target = targets.find(({ name }) => name === job.target);
  if (target === undefined) continue;
  say({ is: 'begun', target: target.name });
  if (job.input !== null) {
    onInput(Buffer.from(job.input));
    const { outcome, finding } = await judge(target, Buffer.from(job.input), () => undefined);
    say({ is: 'judged', outcome, finding });
    continue;
  }
  const isOver = () => performance.now() > end;
  const report = await new Fuzzer(target, { seed, runs: job.runs, isOver, onInput }).run();
  say({ is: 'report', report });
}
say({ is: 'done' });
