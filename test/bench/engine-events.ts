/** When containers start, as the engine's own event stream tells it: the clock of the benches stops there. */
import Docker from 'dockerode';
import { DOCKER_SOCKET } from '../support/docker.js';

export interface StartEvents {
  /** Resolves with `performance.now()` of the moment when `count` containers that fit have started. */
  started(
    count: number,
    fits: (labels: Readonly<Record<string, string>>) => boolean,
  ): Promise<number>;
  close(): void;
}

interface Waiting {
  left: number;
  readonly fits: (labels: Readonly<Record<string, string>>) => boolean;
  readonly done: (at: number) => void;
}

export async function startEvents(): Promise<StartEvents> {
  const docker = new Docker({ socketPath: DOCKER_SOCKET });
  const stream = await docker.getEvents({ filters: { type: ['container'], event: ['start'] } });
  const waiting = new Set<Waiting>();
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const at = performance.now();
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter(Boolean)) {
      const event = JSON.parse(line) as { Actor: { Attributes: Record<string, string> } };
      for (const one of waiting) {
        if (!one.fits(event.Actor.Attributes)) continue;
        one.left -= 1;
        if (one.left > 0) continue;
        waiting.delete(one);
        one.done(at);
      }
    }
  });
  return {
    started: (count, fits) =>
      new Promise(done => {
        waiting.add({ left: count, fits, done });
      }),
    close: () => (stream as unknown as { destroy(): void }).destroy(),
  };
}
