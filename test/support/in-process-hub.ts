/** A hub as `flotilla hub run` builds it, in the test's own process: for what has no other door yet. */
import { randomBytes } from 'node:crypto';
import { runHub, type RunningHub } from '../../hub/main.js';
import { realClock } from '../../hub/clock.js';
import type { NodeStreams } from '../../hub/streams/streams.js';
import { freePort } from './ports.js';
import { Playground } from './programs.js';

export class InProcessHub {
  readonly play = new Playground();
  readonly log: string[] = [];
  #running: RunningHub | null = null;

  get streams(): NodeStreams {
    if (!this.#running) throw new Error('the hub does not run');
    return this.#running.streams;
  }

  /** `init`: options of `flotilla hub init`, else an embedded broker; `between`: before it runs. */
  async begin(
    init?: readonly string[],
    between: () => Promise<void> = async () => undefined,
  ): Promise<void> {
    const listen = ['--listen', `127.0.0.1:${await freePort()}`];
    const broker = init ?? ['--mqtt-listen', `127.0.0.1:${await freePort()}`];
    await this.play.ok('hub', 'init', '--data-dir', this.play.path('hub'), ...listen, ...broker);
    await between();
    await this.start();
  }

  async start(): Promise<void> {
    const say = (message: string, fields: object = {}) =>
      void this.log.push(`${message} ${JSON.stringify(fields)}`);
    this.#running = await runHub({
      dataDir: this.play.path('hub'),
      clock: realClock(),
      random: size => randomBytes(size),
      log: { info: say, warn: say, error: say },
    });
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    this.#running = null;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.play.close();
  }
}
