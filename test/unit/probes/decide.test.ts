/** What probes make of their results: kubelet behaviour rows 91 to 98, 107 to 109, against tables and against the kubelet's worker. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../support/properties.js';
import {
  beginProbes,
  countResult,
  dueAt,
  healthOfProbes,
  skipProbe,
  type ContainerProbes,
  type ProbeKind,
  type ProbeResult,
} from '../../../agent/probes/decide.js';
import type { Container, Probe } from '../../../protocol/pod.js';
import { containerOf } from './world.js';

const HTTP: Probe = { httpGet: { port: 80 } };

function begin(
  container: Container,
  beginning: Partial<Parameters<typeof beginProbes>[1]> = {},
): ContainerProbes {
  return beginProbes(container, {
    startedAt: 0,
    now: 0,
    remembered: null,
    jitter: null,
    ...beginning,
  });
}

/** One result per period. */
function after(probes: ContainerProbes, kind: ProbeKind, results: string): ContainerProbes {
  return [...results].reduce((state, letter, index) => {
    const at = index * 10_000;
    const result: ProbeResult = letter === '+' ? 'success' : 'failure';
    return countResult(state, kind, { begunAt: at, now: at, result });
  }, probes);
}

const said = (probes: ContainerProbes) => {
  const { started, ready, kill } = healthOfProbes(probes);
  return `${started ? 'started' : 'waiting'} ${ready ? 'ready' : 'unready'} ${kill?.probe ?? 'alive'}`;
};

describe('what probes say together', () => {
  const startup = { ...HTTP, failureThreshold: 2 };
  const rows: [string, Partial<Container>, ProbeKind, string, string][] = [
    [
      'row 92: not ready before a result',
      { readinessProbe: HTTP },
      'readiness',
      '',
      'started unready alive',
    ],
    [
      'row 92: alive before a result',
      { livenessProbe: HTTP },
      'liveness',
      '',
      'started ready alive',
    ],
    [
      'row 93: not started before a result',
      { startupProbe: HTTP },
      'startup',
      '',
      'waiting unready alive',
    ],
    [
      'row 108: without a readiness probe ready once started',
      { startupProbe: HTTP },
      'startup',
      '+',
      'started ready alive',
    ],
    ['ready after one success', { readinessProbe: HTTP }, 'readiness', '+', 'started ready alive'],
    [
      'row 95: still ready after two failures of three',
      { readinessProbe: HTTP },
      'readiness',
      '+--',
      'started ready alive',
    ],
    [
      'row 91: unready after three failures',
      { readinessProbe: HTTP },
      'readiness',
      '+---',
      'started unready alive',
    ],
    [
      'row 95: a success between starts the count anew',
      { livenessProbe: HTTP },
      'liveness',
      '--+--',
      'started ready alive',
    ],
    [
      'three failures in a row kill',
      { livenessProbe: HTTP },
      'liveness',
      '+---',
      'started ready liveness',
    ],
    [
      'row 96: nothing counts after that',
      { livenessProbe: HTTP },
      'liveness',
      '---+++',
      'started ready liveness',
    ],
    [
      'a startup probe that fails kills',
      { startupProbe: startup },
      'startup',
      '--',
      'waiting unready startup',
    ],
    [
      'one failure of two does not',
      { startupProbe: startup },
      'startup',
      '-',
      'waiting unready alive',
    ],
    [
      'row 95: successes are counted too',
      { readinessProbe: { ...HTTP, successThreshold: 3 } },
      'readiness',
      '++-++',
      'started unready alive',
    ],
    [
      'three in a row are enough',
      { readinessProbe: { ...HTTP, successThreshold: 3 } },
      'readiness',
      '++-+++',
      'started ready alive',
    ],
    [
      'row 91: zeros are defaults',
      { livenessProbe: { ...HTTP, failureThreshold: 0 } },
      'liveness',
      '--',
      'started ready alive',
    ],
  ];
  for (const [sentence, fields, kind, results, expected] of rows) {
    test(sentence, () => {
      assert.equal(said(after(begin(containerOf(fields)), kind, results)), expected);
    });
  }

  test('row 107: a probe brings its own grace into the kill, or leaves the pod’s', () => {
    const kill = (grace: Partial<Probe>) =>
      healthOfProbes(
        after(begin(containerOf({ livenessProbe: { ...HTTP, ...grace } })), 'liveness', '---'),
      ).kill;
    assert.deepEqual(kill({ terminationGracePeriodSeconds: 5 }), {
      probe: 'liveness',
      message: 'Container web failed liveness probe',
      graceSeconds: 5,
    });
    assert.equal(kill({})?.graceSeconds, null);
  });
});

describe('when a probe is due', () => {
  const slow = { ...HTTP, initialDelaySeconds: 7, periodSeconds: 20 };

  test('row 94: the delay counts from the start of the container', () => {
    assert.equal(
      dueAt(
        begin(containerOf({ livenessProbe: slow }), { startedAt: 1000, now: 1500 }),
        'liveness',
        false,
      ),
      8000,
    );
    assert.equal(
      dueAt(
        begin(containerOf({ livenessProbe: slow }), { startedAt: 0, now: 9000 }),
        'liveness',
        false,
      ),
      9000,
    );
  });
  test('then once a period, counted from the beginning of the last; a beat missed is made up for at once', () => {
    const probes = begin(containerOf({ readinessProbe: HTTP }));
    const quick = countResult(probes, 'readiness', { begunAt: 0, now: 500, result: 'success' });
    assert.equal(dueAt(quick, 'readiness', false), 10_000);
    const late = countResult(probes, 'readiness', { begunAt: 0, now: 12_000, result: 'failure' });
    assert.equal(dueAt(late, 'readiness', false), 12_000);
  });
  test('row 93: liveness and readiness wait for startup; then readiness is asked at once, liveness at its beat', () => {
    const container = containerOf({
      startupProbe: { ...HTTP, periodSeconds: 1 },
      livenessProbe: { ...HTTP, periodSeconds: 30 },
      readinessProbe: { ...HTTP, periodSeconds: 30 },
    });
    const probes = begin(container);
    assert.equal(dueAt(probes, 'liveness', false), null);
    assert.equal(dueAt(probes, 'readiness', false), null);
    const started = countResult(probes, 'startup', { begunAt: 5000, now: 5100, result: 'success' });
    assert.equal(dueAt(started, 'startup', false), null);
    assert.equal(dueAt(started, 'readiness', false), 5100);
    assert.equal(dueAt(started, 'liveness', false), 30_000);
  });
  test('row 94: a readiness probe with a longer delay waits for it though startup has passed', () => {
    const container = containerOf({
      startupProbe: HTTP,
      readinessProbe: { ...HTTP, initialDelaySeconds: 60 },
    });
    const started = countResult(begin(container), 'startup', {
      begunAt: 0,
      now: 0,
      result: 'success',
    });
    assert.equal(dueAt(started, 'readiness', false), 60_000);
  });
  test('row 109: an ending pod is asked for its readiness alone', () => {
    const probes = begin(containerOf({ livenessProbe: HTTP, readinessProbe: HTTP }));
    assert.equal(dueAt(probes, 'liveness', true), null);
    assert.equal(dueAt(probes, 'readiness', true), 0);
  });
  test('row 98: a container that ran before the agent waits a part of its period', () => {
    const container = containerOf({ livenessProbe: HTTP });
    const probes = begin(container, { startedAt: -60_000, now: 1000, jitter: () => 0.25 });
    assert.equal(dueAt(probes, 'liveness', false), 3500);
  });
  test('a probe that could not be made counts for nothing and is made again in the next period', () => {
    const twice = after(begin(containerOf({ livenessProbe: HTTP })), 'liveness', '--');
    const skipped = skipProbe(twice, 'liveness', { begunAt: 20_000, now: 20_000 });
    assert.equal(dueAt(skipped, 'liveness', false), 30_000);
    assert.equal(said(skipped), 'started ready alive');
    assert.equal(
      said(countResult(skipped, 'liveness', { begunAt: 30_000, now: 30_000, result: 'failure' })),
      'started ready liveness',
    );
  });
});

describe('row 75: an agent that was started again', () => {
  const container = containerOf({ startupProbe: HTTP, readinessProbe: HTTP });
  const again = (remembered: { started: boolean; ready: boolean }) =>
    begin(container, { remembered });

  test('takes a ready container as ready, and asks on', () => {
    const probes = again({ started: true, ready: true });
    assert.equal(said(probes), 'started ready alive');
    assert.equal(dueAt(probes, 'startup', false), null);
    assert.equal(dueAt(probes, 'readiness', false), 0);
    assert.equal(said(after(probes, 'readiness', '--')), 'started ready alive');
    assert.equal(said(after(probes, 'readiness', '---')), 'started unready alive');
  });
  test('takes one that was not ready as not ready', () => {
    assert.equal(said(again({ started: true, ready: false })), 'started unready alive');
    assert.equal(said(again({ started: false, ready: false })), 'waiting unready alive');
  });
});

/**
 * The kubelet's worker, as its source tells it (`doProbe`), for one container: what is counted and what is set.
 */
class KubeletWorker {
  result: 'success' | 'failure' | 'unknown';
  onHold = false;
  #last: ProbeResult | null = null;
  #run = 0;
  readonly #kind: ProbeKind;
  readonly #spec: Probe;

  constructor(kind: ProbeKind, spec: Probe) {
    this.#kind = kind;
    this.#spec = spec;
    this.result = kind === 'liveness' ? 'success' : kind === 'readiness' ? 'failure' : 'unknown';
  }

  probe(result: ProbeResult): void {
    if (this.#last === result) this.#run += 1;
    else [this.#last, this.#run] = [result, 1];
    const { failureThreshold = 3, successThreshold = 1 } = this.#spec;
    if (result === 'failure' && this.#run < failureThreshold) return;
    if (result === 'success' && this.#run < successThreshold) return;
    this.result = result;
    if ((this.#kind === 'liveness' && result === 'failure') || this.#kind === 'startup') {
      this.onHold = true;
      this.#run = 0;
    }
  }
}

test('in any history the kubelet’s workers say the same', () => {
  const probe = (success: fc.Arbitrary<number>) =>
    fc.record({
      failureThreshold: fc.integer({ min: 1, max: 4 }),
      successThreshold: success,
      periodSeconds: fc.integer({ min: 1, max: 5 }),
    });
  const one = fc.constant(1);
  const fields = fc.record(
    {
      startupProbe: probe(one),
      livenessProbe: probe(one),
      readinessProbe: probe(fc.integer({ min: 1, max: 3 })),
    },
    { requiredKeys: [] },
  );
  const results = fc.array(fc.constantFrom<ProbeResult>('success', 'success', 'failure'), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(fields, results, (given, outcomes) => {
      const container = containerOf(given);
      const kinds = (['startup', 'liveness', 'readiness'] as const).filter(
        kind => given[`${kind}Probe`] !== undefined,
      );
      const workers = new Map(
        kinds.map(kind => [kind, new KubeletWorker(kind, given[`${kind}Probe`] ?? {})]),
      );
      let probes = begin(container);
      let now = 0;
      for (const result of outcomes) {
        const isStarted = workers.get('startup')?.result === 'success' || !workers.has('startup');
        const open = kinds.filter(
          kind => workers.get(kind)?.onHold === false && (kind === 'startup') !== isStarted,
        );
        const ours = kinds.filter(kind => dueAt(probes, kind, false) !== null);
        assert.deepEqual(
          ours,
          open.filter(kind => kind !== 'startup' || !isStarted),
        );
        const [kind] = ours.sort(
          (a, b) => (dueAt(probes, a, false) ?? 0) - (dueAt(probes, b, false) ?? 0),
        );
        if (kind === undefined) break;
        now = Math.max(now, dueAt(probes, kind, false) ?? 0);
        probes = countResult(probes, kind, { begunAt: now, now, result });
        workers.get(kind)?.probe(result);
        const started = !workers.has('startup') || workers.get('startup')?.result === 'success';
        const isKilled = (['startup', 'liveness'] as const).some(
          name => workers.get(name)?.onHold === true && workers.get(name)?.result === 'failure',
        );
        const { started: says, ready, kill } = healthOfProbes(probes);
        assert.equal(says, started);
        assert.equal(
          ready,
          started && (workers.get('readiness')?.result ?? 'success') === 'success',
        );
        assert.equal(kill !== null, isKilled);
      }
    }),
    { numRuns: 3000 },
  );
});
