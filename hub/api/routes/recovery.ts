/** How far a restored hub is with learning from its fleet, and the operator's word that it has learned enough. */
import type { Recovery, RecoveryState } from '../../recovery/recovery.js';
import { json, type Route } from '../request.js';
import { groupPath, groupVersion } from '../resources.js';

export interface RecoveryParts {
  readonly recovery: Pick<Recovery, 'state' | 'finish'>;
}

const GROUP = 'flotilla.dev';
const SUBJECT = { group: GROUP, resource: 'recoveries' } as const;

function toObject(state: RecoveryState): object {
  return {
    apiVersion: groupVersion(GROUP),
    kind: 'Recovery',
    metadata: { name: 'hub' },
    status: state,
  };
}

export function recoveryRoutes({ recovery }: RecoveryParts): readonly Route[] {
  const path = `${groupPath(GROUP)}/recoveries/hub`;
  const common = { access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, method: 'GET', path, handle: async () => json(toObject(await recovery.state())) },
    {
      ...common,
      method: 'POST',
      path: `${path}/finish`,
      handle: async ({ actor }) => json(toObject(await recovery.finish(actor))),
    },
  ];
}
