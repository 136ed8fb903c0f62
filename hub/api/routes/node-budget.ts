/** What a node may use, as an action of Flotilla's own group. Null takes a budget away; what is left out stays. */
import { BUDGET_NAMES } from '../../../protocol/budget.js';
import { RequestError, type BudgetWish, type SetNodeBudget } from '../../ports.js';
import { fieldsAt, refuseUnknown } from '../body-fields.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { groupPath, TOKENS } from '../resources.js';

function wishOf(body: unknown): BudgetWish {
  const fields = fieldsAt(body ?? {}, '');
  refuseUnknown(fields, BUDGET_NAMES, '');
  const given = BUDGET_NAMES.filter(name => fields[name] !== undefined);
  for (const name of given) {
    if (fields[name] === null || typeof fields[name] === 'string') continue;
    throw new RequestError('BadRequest', `${name}: must be a string such as "20Mi", or null`);
  }
  return Object.fromEntries(given.map(name => [name, fields[name]]));
}

export function nodeBudgetRoutes(parts: { readonly nodeBudget: SetNodeBudget }): readonly Route[] {
  const handle = async (request: ApiRequest) => {
    const node = param(request, 'name');
    const budget = await parts.nodeBudget(request.actor, {
      node,
      wish: wishOf(await request.json()),
    });
    return json({ kind: 'NodeBudget', apiVersion: 'flotilla.dev/v1', node, budget });
  };
  const path = `${groupPath(TOKENS.group)}/nodes/:name/budget`;
  const subject = { group: '', resource: 'nodes' };
  return [{ method: 'POST', access: 'admin', subject, path, handle }];
}
