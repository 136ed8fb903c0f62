/** A refused document as the API's answer: the codes of refusals in Kubernetes' reasons. Pure. */
import type { Refusal, Result } from '../../protocol/refusal.js';
import { RequestError } from '../ports.js';

/** The value, or the refusal as an answer of the API. */
export function required<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw requestErrorOf(result.refusal);
}

function requestErrorOf({ code, detail }: Refusal): RequestError {
  switch (code) {
    case 'TooLarge':
      return new RequestError('RequestEntityTooLarge', detail);
    case 'BadSignature':
    case 'BadKey':
    case 'WrongFleet':
      return new RequestError('Forbidden', detail);
    default:
      return new RequestError('BadRequest', detail);
  }
}
