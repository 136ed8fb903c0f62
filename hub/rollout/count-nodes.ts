/**
 * How many nodes have a bundle, how its newest revision stands under the root and on its way, and how many nodes lack a Secret: counted anew whenever
 * something changed, at most once a second.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject, BundleObjectStatus, NodeObject } from '../objects.js';
import { dropForgotten } from '../secrets/forgotten.js';
import { rollUpSecrets } from '../secrets/roll-up.js';
import { isRace } from '../store/retry.js';
import type { Actor, Store } from '../store/store.js';
import { bundleCounts, nodeCounts, type BundleCounts, type FleetCounts } from './fleet-counts.js';
import { rollUpFates } from './rollout.js';
import type { Fleet } from './watch-fleet.js';
import type { RolloutObject } from './waves/rollout-object.js';
import { standingOf } from './withdrawn.js';

const ACTOR: Actor = { kind: 'hub', name: 'controller' };
/** Between two counts. */
const COUNT_MS = 1000;
/** Time changes counts too: looked at this often. */
const TICK_MS = 3_600_000;

export interface CountParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly clock: Clock;
  readonly log: Log;
  /** Is told what was counted; absent: nobody asks. */
  readonly counts?: FleetCounts;
}

export async function countLoop(
  parts: CountParts,
  fleet: Fleet,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = parts;
  for (;;) {
    await fleet.rollUp.next(clock, TICK_MS, signal);
    if (signal.aborted) return;
    try {
      await rollUpAll(parts);
    } catch (error) {
      if (!isRace(error))
        log.error('counting the nodes of bundles failed; again in a second', { error });
      fleet.rollUp.mark();
    }
    await clock.sleep(COUNT_MS, signal);
  }
}

async function rollUpAll({ store, root, clock, counts }: CountParts): Promise<void> {
  const [bundles, nodes, rollouts] = await Promise.all([
    store.list('Bundle'),
    store.list('Node'),
    store.list('Rollout'),
  ]);
  const rolloutOf = ({ metadata: { namespace, name } }: BundleObject) =>
    (rollouts.items as readonly RolloutObject[]).find(
      ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
    ) ?? null;
  const counted: BundleCounts[] = [];
  for (const bundle of bundles.items as readonly BundleObject[]) {
    const record = await store.revisionByDigest(bundle.status.digest);
    const look = { former: bundle.status, now: clock.now() };
    const rolled = rollUpFates(bundle, nodes.items as readonly NodeObject[], rolloutOf(bundle));
    counted.push(bundleCounts(bundle, rolled));
    const status: BundleObjectStatus = {
      ...rolled.status,
      ...(record ? standingOf(root().document, record, look) : {}),
    };
    if (canonicalJson(status) === canonicalJson(bundle.status)) continue;
    const { kind, spec } = bundle;
    const { namespace, name, labels, annotations, resourceVersion } = bundle.metadata;
    const object = { kind, metadata: { namespace, name, labels, annotations }, spec, status };
    await store.commit(ACTOR, [{ type: 'put', object, expect: { resourceVersion } }]);
  }
  counts?.counted({ nodes: nodeCounts(nodes.items as readonly NodeObject[]), bundles: counted });
  await rollUpSecrets(store, ACTOR, {
    bundles: bundles.items as readonly BundleObject[],
    nodes: nodes.items as readonly NodeObject[],
  });
  await dropForgotten(store, ACTOR, nodes.items as readonly NodeObject[]);
}
