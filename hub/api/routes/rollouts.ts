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

function say({ rollouts }: RolloutRouteParts, verb: Verb) {
  return async (request: ApiRequest) => {
    const [namespace, name] = [param(request, 'namespace'), param(request, 'name')];
    const body = fieldsAt((await request.json()) ?? {}, '');
    refuseUnknown(body, verb === 'promote' ? ['reason', 'force'] : ['reason'], '');
    const { reason = '', force = false } = body;
    if (typeof reason !== 'string' || reason.length > REASON_MAX || /\p{Cc}/u.test(reason)) {
      const message = `reason: must be a line of at most ${REASON_MAX} characters`;
      throw new RequestError('BadRequest', message);
    }
    if (typeof force !== 'boolean') {
      throw new RequestError('BadRequest', 'force: must be true or false');
    }
    const wish = { namespace, name, verb, reason, isForced: force };
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
