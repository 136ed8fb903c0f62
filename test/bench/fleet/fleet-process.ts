/** The process in which a fleet lives, as a bench sees it: questions and their answers. */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { BareReplies } from './bare.js';
import type { Counts } from './counts.js';

export type Question =
  | {
      readonly ask: 'join';
      readonly names: readonly string[];
      readonly lines: readonly { readonly text: string; readonly uses: number }[];
    }
  | { readonly ask: 'connect'; readonly atOnce: number }
  | { readonly ask: 'speak'; readonly times: number }
  | {
      readonly ask:
        'cut' | 'hold' | 'release' | 'begin' | 'counts' | 'keys' | 'bareCounts' | 'bareCut';
    }
  | ({ readonly ask: 'bare'; readonly atOnce: number } & BareReplies);

export interface Answer {
  readonly id: number;
  readonly result: unknown;
  readonly fault: string | null;
}

/** `unsaid`: nodes whose newest status the hub has not confirmed. */
export type FleetCounts = Counts & { readonly unsaid: number };

export class FleetProcess {
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, (answer: Answer) => void>();
  #ids = 0;

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'worker.js'), { stdio: 'inherit' });
    this.#child.on('message', (answer: Answer) => {
      this.#asked.get(answer.id)?.(answer);
      this.#asked.delete(answer.id);
    });
    this.#child.on('exit', code => {
      const fault = `the fleet's process ended with ${code}`;
      for (const [id, answered] of this.#asked) answered({ id, result: null, fault });
    });
  }

  /** Rejects with what the fleet's process says, or that it ended. */
  async ask(question: Question): Promise<unknown> {
    const id = ++this.#ids;
    const answer = await new Promise<Answer>(resolve => {
      this.#asked.set(id, resolve);
      this.#child.send({ id, ...question });
    });
    if (answer.fault !== null) throw new Error(answer.fault);
    return answer.result;
  }

  async counts(): Promise<FleetCounts> {
    return (await this.ask({ ask: 'counts' })) as FleetCounts;
  }

  /** Public identity keys by node. */
  async keys(): Promise<Readonly<Record<string, string>>> {
    return (await this.ask({ ask: 'keys' })) as Readonly<Record<string, string>>;
  }

  async bareCounts(): Promise<Counts> {
    return (await this.ask({ ask: 'bareCounts' })) as Counts;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
