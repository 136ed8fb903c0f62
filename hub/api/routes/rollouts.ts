/** The rollout of a bundle: how far it is and why, and a person's word on it. */
import { API_VERSION } from '../../objects.js';
import { RequestError } from '../../ports.js';
import type { RolloutDesk } from '../../rollout/desk.js';
import { VERBS, type Verb } from '../../rollout/waves/verbs.js';
import { fieldsAt, refuseUnknown } from '../body-fields.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';

const SUBJECT = { group: BUNDLES.group, resource: BUNDLES.name };
const REASON_MAX = 256;

export interface RolloutRouteParts {
  readonly rollouts: RolloutDesk;
}

function view({ rollouts }: RolloutRouteParts) {
  return async (request: ApiRequest) => {
    const [namespace, name] = [param(request, 'namespace'), param(request, 'name')];
    const node = request.query.get('node');
    const seen = await rollouts.view({ namespace, name, node });
    const head = { kind: 'Rollout', apiVersion: API_VERSION.Rollout };
    return json({ ...head, metadata: { namespace, name }, ...seen });
  };
}

/** Of promote: `{revision, wave}`, so that what moved on meanwhile is not promoted unseen; absent: whatever is under way. */
function seenIn(value: unknown): { readonly revision: number; readonly wave: number } | null {
  if (value === undefined) return null;
  const seen = fieldsAt(value, 'seen');
  refuseUnknown(seen, ['revision', 'wave'], 'seen');
  const { revision, wave } = seen;
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && Number(n) > 0;
  if (isCount(revision) && isCount(wave)) return { revision, wave };
  throw new RequestError('BadRequest', 'seen: revision and wave must be whole numbers from 1');
}

function say({ rollouts }: RolloutRouteParts, verb: Verb) {
  return async (request: ApiRequest) => {
    const [namespace, name] = [param(request, 'namespace'), param(request, 'name')];
    const body = fieldsAt((await request.json()) ?? {}, '');
    refuseUnknown(body, verb === 'promote' ? ['reason', 'force', 'seen'] : ['reason'], '');
    const { reason = '', force = false } = body;
    if (typeof reason !== 'string' || reason.length > REASON_MAX || /\p{Cc}/u.test(reason)) {
      const message = `reason: must be a line of at most ${REASON_MAX} characters`;
      throw new RequestError('BadRequest', message);
    }
    if (typeof force !== 'boolean') {
      throw new RequestError('BadRequest', 'force: must be true or false');
    }
    const wish = { namespace, name, verb, reason, isForced: force, seen: seenIn(body['seen']) };
    const message = await rollouts.say(request.actor, wish);
    return json({ kind: 'RolloutAnswer', apiVersion: API_VERSION.Rollout, message });
  };
}

export function rolloutRoutes(parts: RolloutRouteParts): readonly Route[] {
  const path = `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles/:name/rollout`;
  const common = { access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, method: 'GET', path, handle: view(parts) },
    ...VERBS.map(verb => {
      return {
        ...common,
        method: 'POST',
        path: `${path}/${verb}`,
        handle: say(parts, verb),
      } as const;
    }),
  ];
}
