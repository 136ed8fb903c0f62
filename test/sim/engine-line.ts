/**
 * The way from an agent to the engine of its machine: each call takes its time there and back, is carried out whether or
 * not whoever asked lives to hear of it, and fails as the history says. Events come as they come from a socket.
 */
import type { RuntimeEvent } from '../../agent/runtime/runtime.js';
import { RuntimeError } from '../../agent/runtime/runtime.js';
import type { SimulatedEngine } from './engine.js';
import { step } from './steps.js';
import { SimulatedRuntime } from './runtime.js';
import type { Actor, Scheduler } from './scheduler.js';

export type EngineLine = Omit<SimulatedRuntime, 'engine' | 'owner'>;

export interface EngineLineParts {
  readonly scheduler: Scheduler;
  /** One life of the agent. */
  readonly actor: Actor;
  /** Its machine, which lives on. */
  readonly machine: Actor;
  readonly engine: SimulatedEngine;
  readonly random: () => number;
  /** How long a call takes to be carried out. */
  readonly tookMs: (call: string) => number;
  /** Before it is carried out. Throws to make it fail. */
  readonly before: (call: string, args: readonly unknown[]) => void;
  /** The answer is lost although it was carried out. */
  readonly losesAnswer: (call: string) => boolean;
}

export const OWNER = 'own';

const READS = new Set(['info', 'observe', 'imageStatus', 'images', 'imageFilesystem', 'layers']);
const READS_TOO = new Set(['imagesInUse', 'exec', 'stats', 'logs', 'events']);

type Method = (...args: unknown[]) => Promise<unknown>;

export function lineTo(parts: EngineLineParts): EngineLine {
  const runtime = new SimulatedRuntime(parts.engine, OWNER);
  return new Proxy(runtime, {
    get: (target, name) => {
      if (name === 'events') return (signal: AbortSignal) => eventsOf(parts, signal);
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      // Container output is a stream; nobody waits between its parts here.
      if (name === 'logs') return member.bind(target) as unknown;
      return (...args: unknown[]) =>
        call(parts, name, () => (member as Method).apply(target, args), args);
    },
  });
}

function call(
  parts: EngineLineParts,
  name: string,
  carryOut: () => Promise<unknown>,
  args: readonly unknown[],
): Promise<unknown> {
  const { scheduler, actor, machine } = parts;
  const isLasting = !READS.has(name) && !READS_TOO.has(name);
  if (isLasting) step(0);
  else if (actor.isDead) return new Promise(() => undefined);
  return new Promise((resolve, reject) => {
    const answer = (tell: () => void) => scheduler.after(1, actor, tell);
    scheduler.after(parts.tookMs(name), machine, () => {
      let work: Promise<unknown>;
      try {
        parts.before(name, args);
        work = carryOut();
      } catch (error) {
        return void answer(() => reject(failed(error)));
      }
      work.then(
        value => {
          if (parts.losesAnswer(name)) {
            const lost = new RuntimeError('EngineUnavailable', 'the answer was lost');
            return void answer(() => reject(lost));
          }
          return void answer(() => {
            if (isLasting) step(0.5);
            resolve(value);
          });
        },
        (error: unknown) => void answer(() => reject(failed(error))),
      );
    });
  });
}

function failed(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

async function* eventsOf(
  { scheduler, actor, engine }: EngineLineParts,
  signal: AbortSignal,
): AsyncGenerator<RuntimeEvent> {
  if (!engine.up) throw new RuntimeError('EngineUnavailable', 'the simulated engine is down');
  const queue: RuntimeEvent[] = [];
  let wake: () => void = () => undefined;
  const stop = engine.listen(({ owner: _, ...event }) => {
    scheduler.after(1, actor, () => {
      queue.push(event);
      wake();
    });
  });
  const closing = { close: stop };
  actor.belongings.add(closing);
  const aborted = () => wake();
  signal.addEventListener('abort', aborted);
  try {
    while (!signal.aborted) {
      const event = queue.shift();
      if (event) yield event;
      else if (!engine.up) throw new RuntimeError('EngineUnavailable', 'the engine went down');
      else await new Promise<void>(done => (wake = done));
    }
  } finally {
    actor.belongings.delete(closing);
    stop();
    signal.removeEventListener('abort', aborted);
  }
}
