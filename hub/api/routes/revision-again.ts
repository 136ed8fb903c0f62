/** `bundles/NAME/undo` and `restart`: what was a revision becomes the next one. The request is read here alone. */
import { RequestError } from '../../ports.js';
import type { AgainWish, MadeAgain, RevisionAgain } from '../../rollout/again.js';
import { changeCauseFault } from '../../rollout/change-cause.js';
import { toApiObject } from '../api-object.js';
import { fieldsAt, refuseUnknown, type Fields } from '../body-fields.js';
import { json, param, type Answer, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';
import { parseDryRun } from '../write-options.js';

const SUBJECT = { group: BUNDLES.group, resource: BUNDLES.name };

export interface AgainRouteParts {
  readonly again: RevisionAgain;
}

/** Null: not said. */
function revisionAt(fields: Fields, name: string): number | null {
  const value = fields[name];
  if (value === undefined || value === null) return null;
  if (Number.isSafeInteger(value) && Number(value) > 0) return Number(value);
  throw new RequestError('BadRequest', `${name}: must be the number of a revision, from 1`);
}

async function wishOf(
  request: ApiRequest,
  more: readonly string[],
): Promise<{ readonly wish: AgainWish; readonly body: Fields }> {
  const body = fieldsAt((await request.json()) ?? {}, '');
  refuseUnknown(body, ['reason', 'seen', ...more], '');
  const { reason = '' } = body;
  // It becomes the change cause.
  const fault = typeof reason === 'string' ? changeCauseFault(reason) : 'must be a string';
  if (typeof reason !== 'string' || fault !== null) {
    throw new RequestError('BadRequest', `reason: ${fault}`);
  }
  const [namespace, name] = [param(request, 'namespace'), param(request, 'name')];
  const [seen, dryRun] = [revisionAt(body, 'seen'), parseDryRun(request.query)];
  return { wish: { namespace, name, reason, seen, dryRun }, body };
}

function answer({ object, from, to }: MadeAgain): Answer {
  const head = { kind: 'RevisionAgain', apiVersion: 'flotilla.dev/v1' };
  return json({ ...head, from, to, bundle: toApiObject(object) });
}

export function revisionAgainRoutes({ again }: AgainRouteParts): readonly Route[] {
  const path = `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles/:name`;
  const common = { access: 'admin', subject: SUBJECT, method: 'POST' } as const;
  return [
    {
      ...common,
      path: `${path}/undo`,
      handle: async request => {
        const { wish, body } = await wishOf(request, ['toRevision']);
        const toRevision = revisionAt(body, 'toRevision');
        return answer(await again.undo(request.actor, { ...wish, toRevision }));
      },
    },
    {
      ...common,
      path: `${path}/restart`,
      handle: async request =>
        answer(await again.restart(request.actor, (await wishOf(request, [])).wish)),
    },
  ];
}
