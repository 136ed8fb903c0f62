/**
 * A small world for histories of plans: wishes, an engine in one value, what the agent remembers. Things happen to it;
 * then it is planned and applied until nothing is left to do.
 */
import assert from 'node:assert/strict';
import { actingWishes, type ActingWishes } from '../../../agent/pods/acting-wishes.js';
import {
  crashKey,
  EMPTY_MEMORY,
  failureKey,
  keepFetched,
  noteExits,
  noteFailure,
  noteFetched,
  noteKills,
  noteSuccess,
  type Memory,
} from '../../../agent/pods/back-off.js';
import { completionOf, rememberedCompletion } from '../../../agent/pods/completion.js';
import type { Completion } from '../../../agent/pods/completion.js';
import { stillNamed } from '../../../agent/pods/completion-book.js';
import { NOTHING_DESIRED, type Desired, type DesiredPod } from '../../../agent/pods/desired.js';
import type { Health } from '../../../agent/pods/health.js';
import { without } from '../../../agent/pods/observed-views.js';
import { plan, type PodPlan } from '../../../agent/pods/plan.js';
import { instancesOf } from '../../../agent/pods/pod-reports.js';
import { waitFor, type Step } from '../../../agent/pods/steps.js';
import { Versions } from '../../../agent/pods/versions.js';
import type {
  ObservedContainer,
  ObservedPods,
  ObservedSandbox,
} from '../../../agent/runtime/runtime.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { apply, CALM, shorthand, T0, wishes } from '../../support/pods.js';

/** More rounds than any history needs between two events. */
const ROUNDS_MAX = 20;

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

function versionsOn(disk: Map<string, string>): Versions {
  const store = {
    all: () => disk,
    remember: (uid: string, version: string) => void disk.set(uid, version),
    forget: (uids: readonly string[]) => uids.forEach(uid => disk.delete(uid)),
  };
  return new Versions(store, SILENT);
}

export class World {
  wanted: ValidPod[];
  there: ObservedPods = { sandboxes: [], containers: [] };
  memory: Memory = EMPTY_MEMORY;
  health: Health = new Map();
  completions = new Map<string, Completion>();
  /** How often a pod was found to be over. */
  #ended = 0;
  condemned = new Set<string>();
  /** Names of pods that admission holds up, as they are in the manifest. */
  held = new Set<string>();
  /** Images that cannot be had: a pull of one fails, and with it all that needs it. */
  unavailable = new Set<string>();
  /** On the disk: what pods were made from. */
  readonly #kept = new Map<string, string>();
  #versions = versionsOn(this.#kept);
  #acting: ActingWishes = { desired: NOTHING_DESIRED, waiting: [], changing: [] };
  now = T0;
  /** Every step that was ever taken. */
  readonly taken: Step[] = [];
  /** Hears of each plan before it is applied. */
  onPlan: (plans: readonly PodPlan[]) => void = () => undefined;

  constructor(...wanted: ValidPod[]) {
    this.wanted = wanted;
  }

  get desired(): Desired {
    const rejection = { phase: 'Pending', reason: 'Held', message: '', againAt: null } as const;
    const desired = wishes(this.wanted);
    const names = [...this.held].map(name => `default/${name}-`);
    const isHeld = ({ key }: DesiredPod) => names.some(name => key.startsWith(name));
    const pods = desired.pods.map(pod => (isHeld(pod) ? { ...pod, rejection } : pod));
    return { ...desired, pods };
  }

  /** What is acted on since the last look. */
  get acting(): ActingWishes {
    return this.#acting;
  }

  /** As the loop does it. */
  #look(): ActingWishes {
    const { desired } = this;
    const acting = actingWishes({
      desired,
      versions: this.#versions.ran,
      observed: this.there,
      condemned: this.condemned,
      memory: this.memory,
      completions: this.completions,
    });
    const { pods } = acting.desired;
    this.memory = keepFetched(this.memory, acting.changing);
    this.#versions.note({
      acting: pods,
      kept: new Set([...desired.pods, ...pods].map(({ uid }) => uid)),
      observed: this.there,
      isObserved: true,
      isBusyWith: () => false,
    });
    this.#acting = acting;
    return acting;
  }

  plan(): readonly PodPlan[] {
    this.memory = noteExits(this.memory, this.there, this.now);
    this.memory = noteKills(this.memory, this.there, this.health);
    const ids = new Set([...this.there.sandboxes, ...this.there.containers].map(({ id }) => id));
    for (const id of this.condemned) if (!ids.has(id)) this.condemned.delete(id);
    const { desired, waiting } = this.#look();
    this.#noteCompletions(desired);
    return plan({
      ...CALM,
      desired,
      waiting,
      observed: this.there,
      memory: this.memory,
      health: this.health,
      completions: this.completions,
      condemned: this.condemned,
      podData: new Set(),
      now: this.now,
    });
  }

  #noteCompletions(desired: Desired): void {
    const observed = without(this.there, this.condemned);
    for (const pod of desired.pods) {
      if (rememberedCompletion(this.completions, pod) !== null) continue;
      const mine = instancesOf(observed, pod.uid);
      if (pod.rejection !== null && mine.containers.length === 0) continue;
      const context = { pod, memory: this.memory, startedAt: null, now: this.now };
      const completion = completionOf(context, mine);
      if (completion === null) continue;
      this.completions.set(pod.uid, completion);
      this.#ended++;
    }
    const kept = stillNamed(desired, observed);
    for (const uid of this.completions.keys()) if (!kept.has(uid)) this.completions.delete(uid);
  }

  /** What has begun to end, ends fully. */
  #condemn(plans: readonly PodPlan[], count: number): void {
    const ending = new Set(
      plans.flatMap(({ desired, steps }) =>
        steps.slice(0, count).flatMap(step => {
          const isEnding = step.do === 'stopContainer' || step.do === 'stopSandbox';
          return isEnding && step.uid !== desired?.uid ? [step.uid] : [];
        }),
      ),
    );
    for (const { id, pod } of [...this.there.sandboxes, ...this.there.containers]) {
      if (ending.has(pod.uid)) this.condemned.add(id);
    }
  }

  /** One plan, and at most `limit` steps of each pod. Returns what was tried in short. */
  round(limit = Number.POSITIVE_INFINITY): string[] {
    const plans = this.plan();
    this.onPlan(plans);
    const cut = plans.map(one => ({ ...one, steps: this.#possible(one).slice(0, limit) }));
    this.#condemn(cut, limit);
    this.there = apply(this.there, cut, this.now);
    this.taken.push(...cut.flatMap(({ steps }) => steps));
    // A pull that failed is something that happened, too.
    return shorthand(plans.map(one => ({ ...one, steps: one.steps.slice(0, limit) })));
  }

  /** The steps that succeed; what becomes of the images is remembered. */
  #possible({ steps, desired, isFetching }: PodPlan): readonly Step[] {
    const failed = new Set<Step>();
    for (const [at, step] of steps.entries()) {
      const needsFailed = steps
        .slice(0, at)
        .some(earlier => failed.has(earlier) && waitFor(step, earlier) === 'success');
      if (needsFailed) failed.add(step);
      if (step.do !== 'pullImage') continue;
      const key = failureKey('image', step.uid, step.image);
      if (this.unavailable.has(step.image)) {
        failed.add(step);
        const failure = { kind: 'image', key, reason: 'ErrImagePull', message: 'no' } as const;
        this.memory = noteFailure(this.memory, failure, this.now);
        continue;
      }
      this.memory = noteSuccess(this.memory, key);
      if (!isFetching) continue;
      const hash = desired?.containerHashes.get(step.container) ?? '';
      this.memory = noteFetched(this.memory, crashKey(step.uid, step.container, hash));
    }
    return steps.filter(step => !failed.has(step));
  }

  /** Until nothing is left to do now; the steps of each round. */
  settle(): string[][] {
    const rounds: string[][] = [];
    for (;;) {
      const over = this.#ended;
      const steps = this.round();
      // What has ended in this round may make room: the loop looks again.
      if (steps.length === 0 && this.#ended > over) continue;
      if (steps.length === 0) return rounds;
      rounds.push(steps);
      assert.ok(rounds.length < ROUNDS_MAX, `no end of it:\n${JSON.stringify(rounds, null, 1)}`);
    }
  }

  newest(name: string): ObservedContainer | undefined {
    return this.there.containers
      .filter(one => one.name === name && !this.condemned.has(one.id))
      .sort((a, b) => b.attempt - a.attempt)[0];
  }

  runs(name: string): boolean {
    return this.newest(name)?.state === 'running';
  }

  exit(name: string, exitCode: number): void {
    const one = this.newest(name);
    assert.equal(one?.state, 'running', `${name} does not run`);
    this.#change(one?.id ?? '', {
      state: 'exited',
      exitCode,
      finishedAt: new Date(this.now),
      reason: exitCode === 0 ? 'Completed' : 'Error',
    });
  }

  #change(id: string, change: Partial<ObservedContainer>): void {
    const containers = this.there.containers.map(one =>
      one.id === id ? { ...one, ...change } : one,
    );
    this.there = { ...this.there, containers };
  }

  /** As `docker rm -f`. */
  remove(name: string): void {
    const id = this.newest(name)?.id;
    const containers = this.there.containers.filter(one => one.id !== id);
    this.there = { ...this.there, containers };
  }

  /** As `docker kill` on every pause container of this pod: what joined them ends too. */
  killSandboxes(name: string): void {
    const isMeant = ({ pod }: ObservedSandbox | ObservedContainer) =>
      pod.name.startsWith(`${name}-`) || pod.name === name;
    for (const one of this.there.containers) {
      if (one.state !== 'running' || !isMeant(one)) continue;
      this.#change(one.id, { state: 'exited', exitCode: 137, finishedAt: new Date(this.now) });
    }
    const sandboxes = this.there.sandboxes.map(one =>
      isMeant(one) ? { ...one, ready: false } : one,
    );
    this.there = { ...this.there, sandboxes };
  }

  /** A new agent: what only the old one knew is gone. */
  restartAgent(): void {
    this.memory = EMPTY_MEMORY;
    this.health = new Map();
    this.condemned = new Set();
    this.#versions = versionsOn(this.#kept);
  }

  later(ms: number): void {
    this.now += ms;
  }
}
