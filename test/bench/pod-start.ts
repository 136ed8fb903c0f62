/**
 * A file dropped by rename until all containers of its pod have started, and an edit until the replacement has, beside a
 * bare loop of the same Engine API calls, turn by turn.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BlackBox, container, NODE, pod } from '../support/black-box.js';
import { BARE, makeBarePod, removeBare, replaceBare, type BarePod } from './bare-pod.js';
import { startEvents, type StartEvents } from './engine-events.js';
import { median, type Figure } from './figure.js';

const ROUNDS = 20;
/** Before each measurement, so that neither side meets what the other has left the engine to do. */
const QUIET_MS = 300;
const OWNER = 'flotilla.dev/owner';
const TYPE = 'io.kubernetes.docker.type';

type Labels = Readonly<Record<string, string>>;

/** Ends the moment it is told to: how long a container takes to die is not measured here. */
const AT_ONCE = "trap 'exit 0' TERM; sleep 1000000 & wait";

const isApp = (labels: Labels) => labels[TYPE] === 'container';

function containersOf(count: number, value: string): Record<string, unknown>[] {
  const env = [{ name: 'V', value }];
  return Array.from({ length: count }, (_, n) =>
    container(`c${n}`, AT_ONCE, n === 0 ? { env } : {}),
  );
}

class Race {
  readonly box: BlackBox;
  readonly events: StartEvents;

  constructor(box: BlackBox, events: StartEvents) {
    this.box = box;
    this.events = events;
  }

  /** Milliseconds from the rename to the last start. */
  async drop(count: number, value: string, wanted = count): Promise<number> {
    const started = this.events.started(
      wanted,
      labels => labels[OWNER] === this.box.dir && isApp(labels),
    );
    const manifest = pod('bench', containersOf(count, value));
    await sleep(QUIET_MS);
    const from = performance.now();
    this.box.put('bench.json', manifest);
    return (await started) - from;
  }

  async bare<T>(wanted: number, make: () => Promise<T>): Promise<{ ms: number; made: T }> {
    const started = this.events.started(wanted, labels => labels[BARE] === 'bare' && isApp(labels));
    await sleep(QUIET_MS);
    const from = performance.now();
    const made = await make();
    return { ms: (await started) - from, made };
  }

  model(count: number): BarePod {
    return {
      sandbox: this.box.running('bench', 'POD'),
      containers: Array.from({ length: count }, (_, n) => this.box.running('bench', `c${n}`)),
    };
  }

  async clear(): Promise<void> {
    this.box.remove('bench.json');
    await this.box.gone('bench');
  }
}

async function withRace<T>(run: (race: Race) => Promise<T>): Promise<T> {
  const box = new BlackBox({ fileCheckFrequency: '20s' });
  const events = await startEvents();
  try {
    await box.start();
    return await run(new Race(box, events));
  } finally {
    events.close();
    await box.close();
  }
}

export function podStart(): Promise<readonly Figure[]> {
  return withRace(async race => {
    const figures: Figure[] = [];
    for (const count of [1, 3]) {
      const ours: number[] = [];
      const bare: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const mine = await race.drop(count, 'a');
        await race.box.ready('bench');
        const model = race.model(count);
        await race.clear();
        const { ms, made } = await race.bare(count, () => makeBarePod(model));
        await removeBare(made);
        // The first round warms both up.
        if (round > 0) {
          ours.push(mine);
          bare.push(ms);
        }
      }
      figures.push({
        name: `pod-start, ${count} container${count === 1 ? '' : 's'}`,
        ours: median(ours),
        yardstick: median(bare),
        unit: 'ms',
        target: 1.05,
      });
    }
    return figures;
  });
}

export function podEdit(): Promise<readonly Figure[]> {
  return withRace(async race => {
    const figures: Figure[] = [];
    for (const count of [1, 3]) {
      const ours: number[] = [];
      const bare: number[] = [];
      let touched = 0;
      await race.drop(count, 'a');
      await race.box.ready('bench');
      const { made } = await race.bare(count, () => makeBarePod(race.model(count)));
      const [sandbox = '', first = '', ...others] = made;
      let current = first;
      for (let round = 0; round <= ROUNDS; round++) {
        const model = race.model(count);
        const mine = await race.drop(count, `v${round}`, 1);
        await race.box.ready('bench');
        const after = race.model(count);
        touched += after.containers.slice(1).filter((one, n) => {
          return one.Id !== model.containers[n + 1]?.Id;
        }).length;
        const [like] = after.containers;
        if (like === undefined) throw new Error(`no container of ${NODE}`);
        const { ms, made: next } = await race.bare(1, () =>
          replaceBare(like, { id: current, sandbox, graceSeconds: 2 }),
        );
        await removeBare([current]);
        current = next;
        if (round > 0) {
          ours.push(mine);
          bare.push(ms);
        }
      }
      await removeBare([current, ...others, sandbox]);
      await race.clear();
      if (touched > 0) throw new Error(`${touched} unchanged containers were replaced`);
      figures.push({
        name: `pod-edit, 1 of ${count}`,
        ours: median(ours),
        yardstick: median(bare),
        unit: 'ms',
        target: 1.1,
      });
    }
    return figures;
  });
}
