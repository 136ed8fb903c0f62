/** What a revision waits for before anything is touched: a parameter of the node without which one of its pods would not begin. Pure. */
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { MISSING_PARAMETER } from '../../protocol/bundle-reasons.js';
import {
  givenParameters,
  neededParameters,
  parameterHint,
  type Parameters,
} from '../../protocol/node-parameters.js';
import type { ValidPod } from '../../protocol/pod.js';

/** Null: nothing. `parameters`: of the accepted assignment. The sentence is the same on every node, so that a hub can count it. */
export function lackingParameter(
  pods: readonly ValidPod[],
  { parameters: declared = [] }: Pick<BundleDocument, 'parameters'>,
  parameters: Parameters,
): { readonly event: 'obstacle'; readonly reason: string; readonly message: string } | null {
  const given = givenParameters(parameters);
  const lacking = neededParameters(pods).filter(
    ({ key }) => !declared.includes(key) || !Object.hasOwn(given, key),
  );
  const [first] = lacking;
  if (first === undefined) return null;
  const what = `pod ${first.pod} needs the node's parameter "${first.key}" (${first.path})`;
  if (!declared.includes(first.key)) {
    const message = `${what}, which the bundle does not declare: build it anew`;
    return { event: 'obstacle', reason: MISSING_PARAMETER, message };
  }
  const keys = lacking.filter(({ key }) => declared.includes(key)).map(({ key }) => key);
  const rest = keys.length > 1 ? ` and ${keys.length - 1} more` : '';
  const message = `${what}${rest}, which has no value here: ${parameterHint('NODE', keys)}`;
  return { event: 'obstacle', reason: MISSING_PARAMETER, message };
}
