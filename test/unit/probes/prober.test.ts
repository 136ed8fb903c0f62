/** The loop of the probes on a simulated clock: T45, T57, T65, and kubelet behaviour rows 75, 93 to 98, 109 in seeded histories. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../support/properties.js';
import type { ProbeTarget } from '../../../agent/pods/health.js';
import type { PodEvent } from '../../../agent/pods/pod-events.js';
import type { ProbeAnswer } from '../../../agent/probes/answer.js';
import type { ProbeKind } from '../../../agent/probes/decide.js';
import {
  openProber,
  type CountingProber,
  type ProberOptions,
} from '../../../agent/probes/prober.js';
import type { Container, Probe } from '../../../protocol/pod.js';
import { SimulatedClock } from '../../sim/clock.js';
import { containerOf, QUIET, targetOf } from './world.js';

const START = 1_000_000;
const HTTP: Probe = { httpGet: { port: 80 } };
const OK: ProbeAnswer = { is: 'success' };
const BAD: ProbeAnswer = { is: 'failure', message: 'why' };

interface Made {
  readonly id: string;
  readonly kind: ProbeKind;
  /** Since the start of the test, in milliseconds. */
  readonly at: number;
  readonly signal: AbortSignal;
}

type Answering = (made: Made) => ProbeAnswer | Promise<ProbeAnswer>;

class World {
  readonly clock = new SimulatedClock(START);
  readonly made: Made[] = [];
  readonly events: string[] = [];
  changes = 0;
  answer: Answering = () => OK;
  readonly prober: CountingProber;

  constructor(options: Partial<ProberOptions> = {}) {
    this.prober = openProber({
      run: async (kind, { id }, signal) => {
        const made = { id, kind, at: this.clock.now() - START, signal };
        this.made.push(made);
        return this.answer(made);
      },
      clock: this.clock,
      log: QUIET,
      random: () => 0.5,
      remembered: () => null,
      ...options,
    });
    this.prober.onChange(() => (this.changes += 1));
    this.prober.onEvent((_, { reason, message, type, container }: PodEvent) => {
      this.events.push(`${type} ${reason} ${container ?? ''}: ${message}`);
    });
  }

  /** Promises that are under way come to their end. */
  async settle(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve));
  }

  async passes(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    for (;;) {
      await this.settle();
      if (this.clock.now() >= end) return;
      this.clock.advance(end - this.clock.now());
    }
  }

  target(container: Partial<Container>, fields: Partial<ProbeTarget> = {}): ProbeTarget {
    return targetOf(containerOf(container), { startedAt: this.clock.now(), ...fields });
  }

  times(kind: ProbeKind, id = 'id-1'): number[] {
    return this.made.filter(made => made.kind === kind && made.id === id).map(({ at }) => at);
  }

  says(id = 'id-1'): string {
    const health = this.prober.health().get(id);
    if (health === undefined) return 'nothing';
    const { started, ready, kill } = health;
    return `${started ? 'started' : 'waiting'} ${ready ? 'ready' : 'unready'} ${kill?.probe ?? 'alive'}`;
  }
}

describe('the loop', () => {
  test('row 94: probes at the delay, then once a period, and once more for the same targets told again', async () => {
    const world = new World();
    const target = world.target({
      readinessProbe: { ...HTTP, initialDelaySeconds: 3, periodSeconds: 5 },
    });
    world.prober.watch([target]);
    assert.equal(world.says(), 'started unready alive');
    await world.passes(1000);
    world.prober.watch([{ ...target }]);
    await world.passes(13_000);
    assert.deepEqual(world.times('readiness'), [3000, 8000, 13_000]);
    assert.equal(world.says(), 'started ready alive');
    assert.equal(world.changes, 1);
  });

  test('T65: startup gates the others, and readiness is asked as soon as it has passed', async () => {
    const world = new World();
    world.answer = ({ kind, at }) => (kind === 'startup' && at < 7000 ? BAD : OK);
    world.prober.watch([
      world.target({
        startupProbe: { ...HTTP, periodSeconds: 2, failureThreshold: 30 },
        livenessProbe: { ...HTTP, periodSeconds: 30 },
        readinessProbe: { ...HTTP, periodSeconds: 30 },
      }),
    ]);
    await world.passes(7999);
    assert.equal(world.says(), 'waiting unready alive');
    await world.passes(60_001);
    assert.deepEqual(world.times('startup'), [0, 2000, 4000, 6000, 8000]);
    assert.deepEqual(world.times('readiness'), [8000, 38_000, 68_000]);
    assert.deepEqual(world.times('liveness'), [30_000, 60_000]);
    assert.equal(world.says(), 'started ready alive');
  });

  test('row 96: after a kill is wanted no probe comes until there is a new container', async () => {
    const world = new World();
    world.answer = ({ id }) => (id === 'id-1' ? BAD : OK);
    const container = { livenessProbe: { ...HTTP, failureThreshold: 2 } };
    world.prober.watch([world.target(container)]);
    await world.passes(100_000);
    assert.deepEqual(world.times('liveness'), [0, 10_000]);
    assert.equal(world.says(), 'started ready liveness');
    world.prober.watch([world.target(container, { id: 'id-2' })]);
    assert.equal(world.says(), 'nothing');
    await world.passes(20_000);
    assert.deepEqual(world.times('liveness', 'id-2'), [100_000, 110_000, 120_000]);
    assert.equal(world.says('id-2'), 'started ready alive');
  });

  test('a container that was started again under its id begins anew', async () => {
    const world = new World();
    world.answer = () => BAD;
    world.prober.watch([world.target({ livenessProbe: { ...HTTP, failureThreshold: 1 } })]);
    await world.passes(1000);
    assert.equal(world.says(), 'started ready liveness');
    world.answer = () => OK;
    world.prober.watch([world.target({ livenessProbe: { ...HTTP, failureThreshold: 1 } })]);
    assert.equal(world.says(), 'started ready alive');
  });

  test('row 109: while the pod ends liveness is not asked, what is under way is given up, and readiness can turn', async () => {
    const world = new World();
    const fields = {
      livenessProbe: { ...HTTP, failureThreshold: 1 },
      readinessProbe: { ...HTTP, failureThreshold: 1 },
    };
    const target = world.target(fields);
    let end = () => undefined as void;
    world.answer = ({ kind, at }) => {
      if (kind === 'readiness') return at < 10_000 ? OK : BAD;
      return at < 10_000 ? OK : new Promise(resolve => (end = () => resolve(BAD)));
    };
    world.prober.watch([target]);
    await world.passes(10_000);
    const under = world.made.findLast(({ kind }) => kind === 'liveness');
    world.prober.watch([{ ...target, ending: true }]);
    assert.equal(under?.signal.aborted, true);
    end();
    await world.passes(20_000);
    assert.deepEqual(world.times('liveness'), [0, 10_000]);
    assert.deepEqual(world.times('readiness'), [0, 10_000, 20_000, 30_000]);
    assert.equal(world.says(), 'started unready alive');
  });

  test('row 98: containers that ran before the agent wait a part of their period, later ones do not', async () => {
    let next = 0;
    const parts = [0.1, 0.7, 0.4];
    const world = new World({ random: () => parts[next++ % 3] ?? 0 });
    const container = { livenessProbe: HTTP };
    const old = (id: string) => world.target(container, { id, startedAt: START - 60_000 });
    world.prober.watch([old('a'), old('b'), old('c'), world.target(container, { id: 'new' })]);
    await world.passes(9000);
    assert.deepEqual(
      ['a', 'b', 'c', 'new'].map(id => world.times('liveness', id)),
      [[1000], [7000], [4000], [0]],
    );
  });

  test('row 75, T62: after a restart of the agent nothing flips for a container that goes on well', async () => {
    const world = new World({
      remembered: (id, startedAt) =>
        id === 'id-1' && startedAt === START - 5000 ? { started: true, ready: true } : null,
    });
    const fields = { startupProbe: HTTP, readinessProbe: HTTP };
    world.prober.watch([world.target(fields, { startedAt: START - 5000 })]);
    assert.equal(world.says(), 'started ready alive');
    await world.passes(60_000);
    assert.equal(world.says(), 'started ready alive');
    assert.equal(world.changes, 0);
    assert.deepEqual(world.times('startup'), []);
    world.prober.watch([world.target(fields, { startedAt: START + 50_000 })]);
    assert.equal(world.says(), 'waiting unready alive');
  });

  test('a clock of the wall that jumps changes nothing', async () => {
    const world = new World();
    let jump = 0;
    const clock = {
      ...world.clock,
      now: () => world.clock.now() + jump,
      monotonic: () => world.clock.monotonic(),
      sleep: (ms: number, signal?: AbortSignal) => world.clock.sleep(ms, signal),
    };
    const made: number[] = [];
    const prober = openProber({
      run: () => {
        made.push(world.clock.now() - START);
        return Promise.resolve(OK);
      },
      clock,
      log: QUIET,
      random: () => 0,
      remembered: () => null,
    });
    prober.watch([world.target({ livenessProbe: { ...HTTP, initialDelaySeconds: 20 } })]);
    jump = 1_700_000_000_000;
    await world.passes(30_000);
    assert.deepEqual(made, [20_000, 30_000]);
  });

  test('a container without probes costs nothing and has no entry: it is ready', async () => {
    const world = new World();
    world.prober.watch([world.target({})]);
    await world.passes(100_000);
    assert.equal(world.prober.health().size, 0);
    assert.equal(world.made.length, 0);
  });

  test('stopped, it makes no probe more, and what is under way does not count', async () => {
    const world = new World();
    world.answer = ({ signal }) =>
      new Promise(resolve => signal.addEventListener('abort', () => resolve(OK)));
    world.prober.watch([world.target({ readinessProbe: HTTP, livenessProbe: HTTP })]);
    await world.passes(10);
    await world.prober.stop();
    await world.passes(60_000);
    assert.equal(world.made.length, 2);
    assert.equal(world.changes, 0);
  });
});

describe('what is told', () => {
  test('events in the kubelet’s words, on the container', async () => {
    const world = new World();
    const answers: ProbeAnswer[] = [
      { is: 'failure', message: 'HTTP probe failed with statuscode: 503' },
      { is: 'warning', message: 'Probe terminated redirects' },
      { is: 'error', message: "couldn't find port: web" },
      { is: 'nothing', message: 'the engine is away' },
      OK,
    ];
    world.answer = () => answers.shift() ?? OK;
    world.prober.watch([world.target({ readinessProbe: HTTP })]);
    await world.passes(60_000);
    assert.deepEqual(world.events, [
      'Warning Unhealthy web: Readiness probe failed: HTTP probe failed with statuscode: 503',
      'Warning ProbeWarning web: Readiness probe warning: Probe terminated redirects',
      "Warning Unhealthy web: Readiness probe errored and resulted in failure state: couldn't find port: web",
    ]);
  });

  test('row 97: an error counts as failure, an engine that is away for nothing', async () => {
    const world = new World();
    world.answer = ({ id }) => ({ is: id === 'a' ? 'error' : 'nothing', message: 'why' });
    const container = { livenessProbe: HTTP };
    world.prober.watch([
      world.target(container, { id: 'a' }),
      world.target(container, { id: 'b' }),
    ]);
    await world.passes(60_000);
    assert.equal(world.says('a'), 'started ready liveness');
    assert.equal(world.says('b'), 'started ready alive');
  });

  test('a listener that fails does not end the probing', async () => {
    const world = new World();
    const refuse = () => {
      throw new Error('the disk is full');
    };
    world.prober.onChange(refuse);
    world.prober.onEvent(refuse);
    world.answer = ({ at }) => (at < 20_000 ? OK : BAD);
    world.prober.watch([world.target({ readinessProbe: HTTP })]);
    await world.passes(60_000);
    assert.equal(world.times('readiness').length, 7);
    assert.equal(world.says(), 'started unready alive');
  });

  test('prober_probe_total counts by type and result', async () => {
    const world = new World();
    world.answer = ({ kind, at }) => (kind === 'liveness' && at === 0 ? BAD : OK);
    world.prober.watch([world.target({ livenessProbe: HTTP, readinessProbe: HTTP })]);
    await world.passes(20_000);
    assert.deepEqual(
      world.prober
        .totals()
        .map(({ labels, count }) => `${labels.probe_type} ${labels.result} ${count}`)
        .sort(),
      ['Liveness failed 1', 'Liveness successful 2', 'Readiness successful 3'],
    );
  });
});

describe('thousands of histories', () => {
  const probe = fc.record({
    periodSeconds: fc.integer({ min: 1, max: 5 }),
    initialDelaySeconds: fc.integer({ min: 0, max: 6 }),
    failureThreshold: fc.integer({ min: 1, max: 3 }),
  });
  const container = fc.record(
    { startupProbe: probe, livenessProbe: probe, readinessProbe: probe },
    { requiredKeys: [] },
  );
  /** What happens at the end of each second. */
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.constant('nothing' as const) },
    { weight: 1, arbitrary: fc.constant('replaced' as const) },
    { weight: 1, arbitrary: fc.constant('ends' as const) },
    { weight: 1, arbitrary: fc.constant('gone' as const) },
  );

  test('T45: containers that are well are never killed, and turn ready and stay so', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(container, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 900 }),
        async (containers, slowMs) => {
          const world = new World();
          world.answer = async ({ signal }) => {
            await world.clock.sleep(slowMs, signal);
            return OK;
          };
          world.prober.watch(
            containers.map((fields, index) => world.target(fields, { id: `id-${index}` })),
          );
          await world.passes(20_000);
          for (const { kill, ready } of world.prober.health().values())
            assert.ok(kill === null && ready);
          const turned = containers.filter(
            ({ readinessProbe, startupProbe }) => readinessProbe ?? startupProbe,
          );
          // Started and ready may be two changes.
          assert.ok(world.changes >= turned.length && world.changes <= 2 * turned.length);
          await world.prober.stop();
        },
      ),
      { numRuns: 300 },
    );
  });

  test('whatever happens: no probe before its delay, none of what ends or was killed, never two at once, none faster than its period', async () => {
    await fc.assert(
      fc.asyncProperty(
        container,
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.infiniteStream(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 1500 }))),
        async (fields, steps, stream) => {
          const world = new World();
          const underWay = new Set<string>();
          const lastAt = new Map<string, number>();
          let target = world.target(fields);
          world.answer = async ({ id, kind, at, signal }) => {
            const key = `${id} ${kind}`;
            assert.ok(!underWay.has(key), `two at once: ${key}`);
            const { ending, startedAt } = target;
            const spec = fields[`${kind}Probe`];
            assert.ok(spec !== undefined && id === target.id);
            assert.ok(!ending || kind === 'readiness', 'an ending pod');
            assert.ok(
              world.clock.now() >= startedAt + spec.initialDelaySeconds * 1000,
              'before its delay',
            );
            const health = world.prober.health().get(id);
            assert.ok(kind === 'startup' ? !health?.started : health?.started, 'the gate');
            assert.ok(health?.kill?.probe !== kind, 'after a kill');
            const [isGood, ms] = stream.next().value as [boolean, number];
            const before = lastAt.get(key);
            assert.ok(before === undefined || at - before >= spec.periodSeconds * 1000, 'too fast');
            lastAt.set(key, at);
            underWay.add(key);
            await world.clock.sleep(ms, signal);
            underWay.delete(key);
            return isGood ? OK : BAD;
          };
          let failed: unknown = null;
          const asserted = world.answer;
          world.answer = async made => {
            try {
              return await asserted(made);
            } catch (error) {
              failed = error;
              throw error;
            }
          };
          world.prober.watch([target]);
          let runs = 1;
          for (const what of steps) {
            await world.passes(1000);
            if (what === 'replaced') target = world.target(fields, { id: `id-${++runs}` });
            if (what === 'ends') target = { ...target, ending: true };
            world.prober.watch(what === 'gone' ? [] : [target]);
            if (what === 'gone') {
              target = world.target(fields, { id: `id-${++runs}` });
              assert.equal(world.prober.health().size, 0);
            }
          }
          if (failed !== null) throw failed as Error;
          await world.prober.stop();
        },
      ),
      { numRuns: 1500 },
    );
  });
});
