/**
 * Threads that fuzz, one after the other, under a watchdog: an input that does not end is a finding, its thread is ended, and the
 * targets after it go on in another.
 */
import { Worker } from 'node:worker_threads';
import type { Report } from './engine.js';
import type { Finding } from './judge.js';
import type { Outcome } from './target.js';
import {
  BEAT,
  LENGTH,
  SHARED_BYTES,
  type Job,
  type NamedShare,
  type Plan,
  type TargetJob,
  type ToParent,
} from './worker-messages.js';

/** No input takes as long that ends, however busy the machine is. */
const STUCK_MS = 20_000;
const LOOK_MS = 250;
/** A seed that never ends would be met by every thread. */
const THREADS_MAX = 40;

export interface SessionOptions extends Omit<Job, 'memory'> {
  readonly plan: (targets: readonly NamedShare[]) => readonly TargetJob[];
  /** Milliseconds for all together; infinite where there is no limit. */
  readonly limitMs: number;
  /** After which an input counts as one that does not end. */
  readonly stuckMs?: number;
  readonly onReport: (report: Report) => void;
}

/** What an input got stuck in. */
interface Stuck {
  readonly target: string;
  readonly input: Buffer;
}

export interface Judged {
  readonly outcome: Outcome;
  readonly finding: Finding | null;
}

interface Orders {
  readonly plan: (targets: readonly NamedShare[]) => Plan;
  readonly told: (message: ToParent) => void;
  readonly stuckMs?: number | undefined;
}

/** Null when all was done. Rejects when the thread dies of an error. */
function thread(job: Omit<Job, 'memory'>, orders: Orders): Promise<Stuck | null> {
  const { plan, told, stuckMs = STUCK_MS } = orders;
  const memory = new SharedArrayBuffer(SHARED_BYTES);
  const numbers = new Int32Array(memory, 0, 2);
  const url = new URL('./worker.js', import.meta.url);
  const worker = new Worker(url, { workerData: { ...job, memory } satisfies Job });
  let current: string | null = null;
  let [beat, quietMs] = [0, 0];
  return new Promise((resolve, reject) => {
    const end = (stuck: Stuck | null) => {
      clearInterval(timer);
      void worker.terminate().then(() => resolve(stuck));
    };
    const timer = setInterval(() => {
      const now = Atomics.load(numbers, BEAT);
      quietMs = now === beat && current !== null ? quietMs + LOOK_MS : 0;
      beat = now;
      if (quietMs < stuckMs || current === null) return;
      const length = Atomics.load(numbers, LENGTH);
      end({ target: current, input: Buffer.from(memory.slice(8, 8 + length)) });
    }, LOOK_MS);
    worker.on('message', (message: ToParent) => {
      if (message.is === 'targets') worker.postMessage(plan(message.targets));
      if (message.is === 'begun') current = message.target;
      if (message.is === 'report') current = null;
      told(message);
      if (message.is === 'done') end(null);
    });
    worker.on('error', error => {
      clearInterval(timer);
      reject(error);
    });
  });
}

function stuckReport(target: string, input: Buffer): Report {
  const detail = `${input.length} bytes do not end`;
  const findings = [{ kind: 'hang' as const, signature: 'stuck', detail, input }];
  const stages = { refused: 0, parsed: 0, accepted: 0 };
  return { target, runs: 0, seconds: 0, corpus: 0, edges: 0, stages, findings };
}

/** Resolves when every target has its runs, or the time is up. Rejects when a thread dies. */
export async function fuzz(options: SessionOptions): Promise<void> {
  const { roots, modules, seed, limitMs, onReport } = options;
  const end = performance.now() + limitMs;
  const done = new Set<string>();
  for (let threads = 0; threads < THREADS_MAX; threads += 1) {
    const stuck = await thread(
      { roots, modules, seed },
      {
        stuckMs: options.stuckMs,
        plan: targets => {
          const jobs = options.plan(targets).filter(({ target }) => !done.has(target));
          return { jobs, limitMs: Math.max(0, end - performance.now()) };
        },
        told: message => {
          if (message.is !== 'report') return;
          const { report } = message;
          done.add(report.target);
          // A message turns a Buffer into a plain Uint8Array.
          const findings = report.findings.map(one => ({ ...one, input: Buffer.from(one.input) }));
          onReport({ ...report, findings });
        },
      },
    );
    if (stuck === null) return;
    done.add(stuck.target);
    onReport(stuckReport(stuck.target, stuck.input));
  }
}

/** One input through one target; null where there is no such target. */
export async function judgeOne(
  options: Pick<SessionOptions, 'roots' | 'modules'>,
  target: string,
  input: Uint8Array,
): Promise<Judged | null> {
  const { roots, modules } = options;
  let judged: Judged | null = null;
  const stuck = await thread(
    { roots, modules, seed: 0 },
    {
      plan: () => ({ jobs: [{ target, runs: 0, input }], limitMs: Number.POSITIVE_INFINITY }),
      told: message => {
        if (message.is === 'judged') judged = message;
      },
    },
  );
  if (stuck === null) return judged;
  const finding = { kind: 'hang' as const, signature: 'stuck', detail: 'it does not end' };
  return { outcome: { stage: 'refused', message: '' }, finding };
}
