/**
 * The controller on the real store, and a rehearsal of the same rollout over the same three nodes: the same waves with the same members in
 * the same order, the same end for the same reason. Nodes do what they did before, so that chance decides nothing.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BasisNode, RehearsalBasis } from '../../../hub/foresight/basis.js';
import { foresight } from '../../../hub/foresight/read.js';
import { replayOf } from '../../../hub/foresight/replay.js';
import { run } from '../../../hub/foresight/run.js';
import { DEFAULT_PLAN, plainPlan, type RolloutPlan } from '../../../hub/rollout/waves/plan.js';
import type { RolloutStatus } from '../../../hub/rollout/waves/rollout-object.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { trustedRoot } from '../../support/fleet.js';
import { NODES, eachOnSettledHub, type RolloutHub } from '../../support/rollout-hub.js';
import { eventually } from '../../support/wait.js';

interface Course {
  readonly waveOf: Readonly<Record<string, number>>;
  readonly began: number;
  readonly phase: RolloutStatus['phase'];
  readonly reason: RolloutStatus['reason'];
  readonly message: string;
}

const courseOf = (status: RolloutStatus, waves: Iterable<readonly [string, number]>): Course => ({
  waveOf: Object.fromEntries([...waves].sort()),
  ...{ began: status.waves.length, phase: status.phase },
  ...{ reason: status.reason, message: status.message },
});

/** Goes on from where the hub is; `fails`: who gives the revision up. */
function rehearsed(basis: RehearsalBasis, fails: readonly string[]): Course {
  const { now, rollout, rows } = basis;
  assert.ok(rollout);
  const { status, waveOf } = run({
    ...{ rollout, rows, isWithdrawn: false, windows: [], now, promoteAfterMs: 0, stepMs: 200 },
    horizonMs: 3_600_000,
    nodes: basis.nodes.map((node: BasisNode) => {
      const replay = replayOf([], { isOnlineNow: node.isOnline, now, chance: 0 });
      return {
        node,
        isHeld: false,
        replay,
        temper: { fails: fails.includes(node.name), takesMs: 5000 },
      };
    }),
  });
  return courseOf(status, waveOf);
}

describe('a rehearsal and the controller', () => {
  let hub: RolloutHub;
  eachOnSettledHub(settled => (hub = settled));

  const basis = () =>
    foresight({ store: hub.store, root: () => trustedRoot(), clock: REAL_CLOCK }).basis({
      ...{ namespace: 'default', name: 'shop', nodeSelector: null },
    });

  /** Each node that is told says what it will, until the rollout has ended. */
  const lived = async (fails: readonly string[]): Promise<Course> => {
    const spoken = new Set<string>();
    await eventually('the rollout ends', async () => {
      const { status } = (await hub.rollout()) ?? {};
      if (status !== undefined && status.phase !== 'progressing') return true;
      for (const node of NODES) {
        const assigned = await hub.assigned(node);
        if (assigned?.revision !== 2 || spoken.has(node)) continue;
        spoken.add(node);
        await hub.says(node, fails.includes(node) ? 'failed' : 'healthy');
      }
      return false;
    });
    const rollout = await hub.rollout();
    const rows = await hub.store.rolloutNodes('default', 'shop');
    assert.ok(rollout);
    const waves = rows.filter(({ wave }) => wave >= 0).map(row => [row.node, row.wave] as const);
    return courseOf(rollout.status, waves);
  };

  const plans: readonly [string, Partial<RolloutPlan>, readonly string[]][] = [
    ['a canary, then the rest', { waves: [{ nodes: 1 }], maxUnavailable: 3 }, []],
    ['two counted waves, one node at a time', { waves: [{ nodes: 1 }, { nodes: 2 }] }, []],
    ['a canary by label', { waves: [{ selector: 'canary=yes' }], maxUnavailable: 3 }, []],
    ['a canary by label that fails', { waves: [{ selector: 'canary=yes' }] }, ['a']],
    [
      'more failures than may be, in the last wave',
      { waves: [{ selector: 'canary=yes' }], maxUnavailable: 3, onMaxFailures: 'rollback' },
      ['b', 'c'],
    ],
  ];
  for (const [name, plan, fails] of plans) {
    test(`come to the same waves and the same end: ${name}`, async () => {
      // Nobody decides before the rehearsal has begun from the same place.
      await hub.controller?.close();
      await hub.apply('web:2', plainPlan({ ...DEFAULT_PLAN, ...plan }));
      const expected = rehearsed(await basis(), fails);
      hub.start();
      const came = await lived(fails);
      // Who of two fails first is named; both may have, by the time that the hub looks.
      const plainly = ({ message, ...course }: Course) => ({
        ...course,
        message: message.slice(2),
      });
      assert.deepEqual(plainly(came), plainly(expected));
    });
  }
});
