/**
 * Random fleets that live through a rollout: nodes come and go, are slow, fail, and are told things late, twice and in any order, by a hub
 * that is killed between any two looks. What must hold at every step and at the end.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { beginRollout, carriedRows } from '../../../hub/rollout/waves/begin.js';
import { decide, type Outcome, type Rollout } from '../../../hub/rollout/waves/decide.js';
import { DEFAULT_PLAN, plainPlan, type RolloutPlan } from '../../../hub/rollout/waves/plan.js';
import type {
  RevisionName,
  RolloutNode,
  RolloutSpec,
} from '../../../hub/rollout/waves/rollout-object.js';
import { sharedUp } from '../../../hub/rollout/waves/share.js';
import type { FleetNode, Word } from '../../../hub/rollout/waves/stand.js';
import type { Fate } from '../../../hub/rollout/fate.js';
import { fc } from '../../support/properties.js';
import { at, named, row, T0 } from '../../support/rollout-values.js';

const STEP_S = 10;

/** How a device is, and what the hub knows of it. */
class Device {
  online: boolean;
  /** In the assignment that lies at the broker. */
  assigned: RevisionName | null = named(1);
  /** What it runs and is healthy with, or fell back to. */
  runs: RevisionName = named(1);
  /** What it is on the way to, and for how many steps still. */
  way: { readonly to: RevisionName; left: number } | null = null;
  readonly gaveUp = new Set<string>();
  readonly begun: string[] = [];
  /** What reached the hub. */
  heard: Word = {
    digest: named(1).digest,
    active: named(1).digest,
    fate: 'healthy',
    isFormer: false,
  };

  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly of: { readonly slow: number; readonly fails: ReadonlySet<string> };

  constructor({ name, labels, of, online }: Pick<Device, 'name' | 'labels' | 'of' | 'online'>) {
    this.name = name;
    this.labels = labels;
    this.of = of;
    this.online = online;
  }

  /** No assignment says another revision. */
  isFull = false;
  /** It was on its way, or away, when it was told last. */
  wasDisturbed = false;

  isDisturbed(): boolean {
    const { assigned, runs, way, gaveUp } = this;
    const isThere = assigned === null || runs.digest === assigned.digest;
    return way !== null || !(isThere || gaveUp.has(assigned.digest));
  }

  live(): void {
    if (this.online && this.assigned !== null) this.take(this.assigned);
    if (this.way === null || --this.way.left > 0) return;
    const { to } = this.way;
    this.way = null;
    if (this.of.fails.has(to.digest)) this.gaveUp.add(to.digest);
    else this.runs = to;
  }

  private take(to: RevisionName): void {
    if (this.way?.to.digest === to.digest || this.gaveUp.has(to.digest)) return;
    if (this.runs.digest === to.digest) this.way = null;
    else {
      this.way = { to, left: this.of.slow };
      this.begun.push(to.digest);
    }
  }

  word(): Word {
    const digest = this.assigned?.digest ?? '';
    const wanted = this.way?.to.digest ?? digest;
    const fate: Fate =
      this.way !== null ? 'underWay' : this.gaveUp.has(wanted) ? 'failed' : 'healthy';
    const spoken = this.way !== null || this.gaveUp.has(wanted) ? wanted : this.runs.digest;
    return { digest: spoken, active: this.runs.digest, fate, isFormer: false };
  }

  seen(): FleetNode {
    const { name, labels, online: isOnline, assigned, heard: word } = this;
    return { name, labels, isOnline, barrier: null, assigned, word };
  }
}

/** Open in minute 0, 2, 4 … of the history. */
const EVEN_MINUTES = [{ schedule: '*/2 * * * *', duration: '1m', timeZone: 'UTC' }];

const plans: fc.Arbitrary<RolloutPlan> = fc
  .record({
    maxUnavailable: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom('10%', '50%')),
    maxFailures: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom('0%', '30%')),
    waves: fc.constantFrom<RolloutPlan['waves']>(
      [{ nodes: '100%' }],
      [{ nodes: 1 }],
      [{ nodes: 1 }, { nodes: '25%' }, { nodes: '50%' }],
      [{ selector: 'site=n' }, { selector: 'site=s' }],
      [{ selector: 'site=nowhere' }, { nodes: 2 }],
      [{ nodes: 1 }, { nodes: '50%', windows: EVEN_MINUTES }, { nodes: '100%' }],
      [
        { nodes: 2, windows: EVEN_MINUTES },
        { nodes: '100%', windows: EVEN_MINUTES },
      ],
    ),
    updateStrategy: fc.constantFrom('rolling', 'rolling', 'rolling', 'onDelete'),
    minSample: fc.constantFrom('auto', 1, 2, '100%'),
    bakeSeconds: fc.constantFrom(0, 25),
    offlinePolicy: fc.constantFrom('wait' as const, 'skip' as const),
    // Longer than any history: who was told is never given up, so the count is exact.
    offlineDeadlineSeconds: fc.constant(1_000_000),
    onMaxFailures: fc.constantFrom('pause' as const, 'rollback' as const),
    nodesPerMinute: fc.constantFrom(0, 0, 3),
  })
  .map(plan => {
    const all = plainPlan({ ...DEFAULT_PLAN, ...plan });
    // A person is its gate: it has one wave.
    return all.updateStrategy === 'onDelete' ? { ...all, waves: DEFAULT_PLAN.waves } : all;
  });

const devices = fc.array(
  fc.record({
    site: fc.constantFrom('n', 's', 'e'),
    slow: fc.integer({ min: 1, max: 4 }),
    online: fc.boolean(),
    fails: fc.integer({ min: 0, max: 9 }).map(n => n === 0),
  }),
  { minLength: 1, maxLength: 14 },
);

/** What happens between two looks; `who` is taken modulo the fleet. */
type Event =
  | { readonly type: 'flip'; readonly who: number }
  /** More is meant for it than an assignment holds, or no more. */
  | { readonly type: 'full'; readonly who: number }
  /** A person lets it begin. */
  | { readonly type: 'release'; readonly who: number }
  | { readonly type: 'deaf' }
  | { readonly type: 'killed' }
  | { readonly type: 'abort' }
  | { readonly type: 'apply' };

const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('flip' as const), who: fc.nat(13) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('full' as const), who: fc.nat(13) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('release' as const), who: fc.nat(13) }) },
  { weight: 3, arbitrary: fc.constant({ type: 'deaf' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'killed' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'abort' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'apply' as const }) },
);

interface History {
  readonly plan: RolloutPlan;
  readonly fleet: readonly {
    readonly site: string;
    readonly slow: number;
    readonly online: boolean;
    readonly fails: boolean;
  }[];
  readonly events: readonly Event[];
}

/** The hub's store and the devices. */
class World {
  readonly devices: readonly Device[];
  rollout: Rollout;
  rows = new Map<string, RolloutNode>();
  seconds = 0;
  newest = 2;
  /** Of revisions that were aborted, or another took their place before they completed: as of the hub's next look nobody begins with one. */
  readonly over = new Set<string>();

  private readonly history: History;

  constructor(history: History) {
    this.history = history;
    this.devices = history.fleet.map(({ site, slow, online, fails }, i) => {
      const bad = new Set(fails ? [2, 3, 4, 5, 6, 7, 8].map(n => named(n).digest) : []);
      const name = `n${String(i).padStart(2, '0')}`;
      return new Device({ name, labels: { site }, of: { slow, fails: bad }, online });
    });
    this.rollout = this.began(named(2), null, named(1));
  }

  private began(to: RevisionName, rollout: Rollout | null, former: RevisionName): Rollout {
    const { plan } = this.history;
    const names = { namespace: 'default', name: 'shop' };
    const by = { by: 'ann', at: at(this.seconds) };
    const { spec, status } = beginRollout({ ...names, plan, to, former, rollout, ...by });
    return { spec, status };
  }

  apply(): void {
    if (this.newest >= 8) return;
    const { to } = this.rollout.spec;
    this.newest++;
    const now = T0 + this.seconds * 1000;
    const fleet = this.devices.map(device => device.seen());
    const carried = carriedRows(this.rollout, { fleet, rows: this.rows, now });
    this.rollout = this.began(named(this.newest), this.rollout, to);
    this.rows = new Map(carried.map(row => [row.node, row]));
  }

  abort(): void {
    const { phase } = this.rollout.status;
    if (phase === 'completed' || phase === 'aborted') return;
    const aborted = { by: 'ann', at: at(this.seconds), reason: '' };
    this.change({ aborted });
  }

  release(device: Device | undefined): void {
    if (!device) return;
    const known = this.rows.get(device.name) ?? row(device.name, { wave: -1 });
    this.rows.set(device.name, { ...known, isReleased: true });
  }

  change(change: Partial<RolloutSpec>): void {
    this.rollout = { ...this.rollout, spec: { ...this.rollout.spec, ...change } };
  }

  /** One look of the hub; killed before its commit it leaves nothing, and the next one is the same. */
  look(isKilled: boolean): void {
    const now = T0 + this.seconds * 1000;
    const fleet = this.devices.map(device => device.seen());
    const seen = { fleet, rows: this.rows, isWithdrawn: false };
    const outcome = decide(this.rollout, seen, now);
    if (isKilled) {
      assert.deepEqual(decide(this.rollout, seen, now), outcome);
      return;
    }
    const before = this.rollout.status;
    const { status } = outcome;
    this.gatesHold(before.waves.length, outcome.decisions.length === 0 ? 0 : status.waves.length);
    this.rollout = { ...this.rollout, status };
    this.windowsHold(before.waves.length, outcome);
    const unacted = new Map(outcome.rowsUnacted.map(row => [row.node, row]));
    for (const row of outcome.rows) {
      const known = unacted.get(row.node) ?? this.rows.get(row.node) ?? { ...row, toldAt: null };
      const isLost = this.isLost(row.node, outcome);
      this.rows.set(row.node, isLost ? { ...known, obstacle: 'too much' } : row);
    }
    for (const { member, offer, action } of outcome.decisions) {
      const device = this.devices.find(one => one.name === member.node.name);
      if (!device || this.isLost(device.name, outcome)) continue;
      const isReleased = this.rows.get(device.name)?.isReleased === true;
      const needsPerson = this.history.plan.updateStrategy === 'onDelete' && !isReleased;
      assert.ok(action !== 'tell' || !needsPerson, `${device.name} is told, and nobody let it go`);
      if (action !== 'keep') device.wasDisturbed = !device.online || device.isDisturbed();
      device.assigned = offer;
    }
    if (status.phase === 'aborted') this.over.add(this.rollout.spec.to.digest);
    for (const digest of this.rollout.spec.unproven) this.over.add(digest);
    this.budgetHolds();
  }

  private isLost(name: string, { decisions }: Outcome): boolean {
    const isFull = this.devices.some(device => device.name === name && device.isFull);
    return isFull && decisions.some(one => one.member.node.name === name && one.action === 'tell');
  }

  /** A wave that began left none behind that could be reached and had not got there, and enough that had spoken. */
  private gatesHold(before: number, after: number): void {
    if (after <= Math.max(1, before)) return;
    for (let wave = Math.max(0, before - 1); wave < after - 1; wave++) this.sampleHolds(wave);
    for (const device of this.devices) {
      const row = this.rows.get(device.name);
      // What passed before stays passed: who was away then may be on its way now.
      const isPassed = row !== undefined && row.wave >= before - 1 && row.wave < after - 1;
      if (!isPassed || row.wave < 0 || !device.online) continue;
      const { digest } = this.rollout.spec.to;
      const isThere = device.heard.digest === digest && device.heard.fate !== 'underWay';
      assert.ok(
        isThere,
        `wave ${after} began before ${device.name} of wave ${row.wave + 1} was done`,
      );
    }
  }

  private sampleHolds(wave: number): void {
    const own = this.devices.filter(({ name }) => this.rows.get(name)?.wave === wave);
    const { digest } = this.rollout.spec.to;
    const spoke = own.filter(({ heard }) => heard.digest === digest && heard.fate !== 'underWay');
    const { minSample } = this.history.plan;
    const least = Math.min(own.length, minSample === 'auto' ? 1 : sharedUp(minSample, own.length));
    assert.ok(spoke.length >= least, `wave ${wave + 1} passed on ${spoke.length} of ${own.length}`);
  }

  /** Nobody is told, and no wave begins, while the wave has windows that are shut. */
  private windowsHold(before: number, { status, decisions }: Outcome): void {
    if (status.phase !== 'progressing' || Math.floor(this.seconds / 60) % 2 === 0) return;
    const { waves } = this.history.plan;
    for (const { member, action } of decisions) {
      const isShut = waves[member.wave ?? 0]?.windows !== undefined;
      assert.ok(action !== 'tell' || !isShut, `${member.node.name} is told in an odd minute`);
    }
    const begun = waves.slice(before, status.waves.length);
    assert.ok(
      begun.every(one => one.windows === undefined),
      'a wave begins in an odd minute',
    );
  }

  /** Of those that ran well and were connected when they were told: on the way in truth, whatever the hub heard. */
  private budgetHolds(): void {
    if (this.rollout.status.phase === 'completed') return;
    const most = Math.max(1, sharedUp(this.history.plan.maxUnavailable, this.devices.length));
    const disturbed = this.devices.filter(one => !one.wasDisturbed && one.isDisturbed());
    const names = disturbed.map(one => one.name).join();
    assert.ok(disturbed.length <= most, `${disturbed.length} on the way, ${most} may: ${names}`);
  }

  step(event: Event | null): void {
    this.seconds += STEP_S;
    if (event?.type === 'flip') {
      const device = this.devices[event.who % this.devices.length];
      if (device) device.online = !device.online;
    }
    if (event?.type === 'release') this.release(this.devices[event.who % this.devices.length]);
    if (event?.type === 'full') {
      const device = this.devices[event.who % this.devices.length];
      if (device) device.isFull = !device.isFull;
    }
    if (event?.type === 'abort') this.abort();
    if (event?.type === 'apply') this.apply();
    const begunBefore = new Map(this.devices.map(d => [d.name, d.begun.length]));
    for (const device of this.devices) {
      device.live();
      if (device.online && event?.type !== 'deaf') device.heard = device.word();
      for (const digest of device.begun.slice(begunBefore.get(device.name))) {
        assert.ok(!this.over.has(digest), `${device.name} begins with a revision that is over`);
      }
    }
    this.look(event?.type === 'killed');
  }
}

const histories: fc.Arbitrary<History> = fc.record({
  plan: plans,
  fleet: devices,
  events: fc.array(events, { maxLength: 40 }),
});

describe('whatever happens to a fleet', () => {
  test('never more on the way than may be, no wave before its gate, no aborted revision begun, always an end', () => {
    let [completed, aborted, paused] = [0, 0, 0];
    fc.assert(
      fc.property(histories, history => {
        const world = new World(history);
        for (const event of history.events) world.step(event);
        // Whoever is away stays so for a while.
        for (let i = 0; i < 30; i++) world.step(null);
        // All nodes answer from now on.
        for (const device of world.devices) Object.assign(device, { online: true, isFull: false });
        const isOver = () => {
          const { phase } = world.rollout.status;
          const isBack = world.devices.every(
            d => d.assigned?.digest !== world.rollout.spec.to.digest,
          );
          return phase === 'completed' || phase === 'paused' || (phase === 'aborted' && isBack);
        };
        for (let i = 0; i < 400 && !isOver(); i++) {
          // What waits for a person gets one.
          const { spec, status } = world.rollout;
          if (status.reason === 'OnDelete') world.devices.forEach(device => world.release(device));
          if (status.reason === 'NoSuchNode')
            world.rollout = { status, spec: { ...spec, promoted: status.waves.length } };
          world.step(null);
        }
        const { phase, reason } = world.rollout.status;
        assert.ok(isOver(), `no end: ${phase} ${reason}`);
        for (let i = 0; i < 10; i++) world.step(null);
        const { spec } = world.rollout;
        for (const device of world.devices) {
          if (phase === 'completed') assert.equal(device.assigned?.digest, spec.to.digest);
          if (phase === 'aborted') assert.notEqual(device.runs.digest, spec.to.digest);
        }
        if (phase === 'completed') completed++;
        if (phase === 'aborted') aborted++;
        if (phase === 'paused') paused++;
      }),
      { numRuns: 400, includeErrorInReport: true },
    );
    // Each kind of end was seen: the histories are not all alike.
    for (const seen of [completed, aborted, paused])
      assert.ok(seen > 20, `${completed} ${aborted} ${paused}`);
  });
});
