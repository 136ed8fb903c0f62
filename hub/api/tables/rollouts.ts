/** The Table of rollouts: how far each is. Counts of nodes are asked for with `rollout status`. */
import type { RolloutSpec, RolloutStatus } from '../../rollout/waves/rollout-object.js';
import { age } from '../../../protocol/human-duration.js';
import { column, integerColumn, nameColumn, wideColumn, type TableShape } from './table.js';

export const ROLLOUT_TABLE: TableShape = {
  columns: [
    nameColumn(),
    integerColumn('Revision', 'Revision that goes through the fleet'),
    column('Wave', 'Wave under way, of how many'),
    column('Status', 'progressing, paused, completed or aborted'),
    column('Reason', 'Why it stands as it does'),
    column('Since', 'How long it has stood so'),
    column('Age', 'Time since the revision was applied'),
    wideColumn('From', 'Revision that nodes go back to'),
    wideColumn('By', 'Who applied the revision'),
  ],
  cells(object, nowMs) {
    const { plan, to, base, begun } = object['spec'] as RolloutSpec;
    const { phase, reason, since, waves } = object['status'] as RolloutStatus;
    return [
      object.metadata.name,
      to.revision,
      `${waves.length}/${plan.waves.length}`,
      phase,
      reason,
      age(since, nowMs),
      age(begun.at, nowMs),
      base === null ? '<none>' : base.revision,
      begun.by,
    ];
  },
};
