/**
 * What a node may use of its link and its disk becomes a parameter of its assignment, and an annotation of its Node where people see it:
 * one transaction.
 */
import {
  BUDGET_NAMES,
  BUDGET_PARAMETER,
  budgetFault,
  type BudgetName,
} from '../../protocol/budget.js';
import { excerpt } from '../../protocol/excerpt.js';
import type { NodeObject } from '../objects.js';
import { RequestError, type BudgetWish } from '../ports.js';
import type { Actor, Mutation } from '../store/store.js';
import { changeParameters } from './assigned-parameters.js';
import type { ReassignParts } from './reassign.js';

type Texts = Readonly<Record<string, string>>;

/** With those that are given changed, and those that are null gone. Throws `RequestError` BadRequest for what is no budget. Pure. */
export function withBudget(before: Texts, wish: BudgetWish): Texts {
  const after = { ...before };
  for (const name of BUDGET_NAMES) {
    const text = wish[name];
    if (text === undefined) continue;
    const fault = text === null ? null : budgetFault(name, text);
    if (text !== null && fault !== null) {
      throw new RequestError('BadRequest', `${name}: "${excerpt(text)}" is ${fault}`);
    }
    if (text === null) delete after[BUDGET_PARAMETER[name]];
    else after[BUDGET_PARAMETER[name]] = text;
  }
  return after;
}

/** What is in force at the hub then. The same again changes nothing. Throws `RequestError` NotFound, BadRequest, Invalid, Conflict. */
export async function setNodeBudget(
  parts: ReassignParts,
  actor: Actor,
  { node, wish }: { readonly node: string; readonly wish: BudgetWish },
): Promise<Readonly<Partial<Record<BudgetName, string>>>> {
  const { after } = await changeParameters(parts, actor, {
    node,
    change: before => withBudget(before, wish),
    wish: (_before, now) => `budget: ${BUDGET_NAMES.flatMap(name => textOf(now, name)).join(', ')}`,
    beside: object => annotated(object, wish),
  });
  const shown = BUDGET_NAMES.flatMap(name => {
    const text = after[BUDGET_PARAMETER[name]];
    return text === undefined ? [] : [[name, text]];
  });
  return Object.fromEntries(shown) as Partial<Record<BudgetName, string>>;
}

function textOf(parameters: Texts, name: BudgetName): string[] {
  return [`${name} ${parameters[BUDGET_PARAMETER[name]] ?? 'none'}`];
}

function annotated({ kind, metadata, spec, status }: NodeObject, wish: BudgetWish): Mutation {
  const { namespace, name, labels, annotations, resourceVersion } = metadata;
  const object = { namespace, name, labels, annotations: withBudget(annotations, wish) };
  return {
    type: 'put',
    object: { kind, metadata: object, spec, status },
    expect: { resourceVersion },
  };
}
