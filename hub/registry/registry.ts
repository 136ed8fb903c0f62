/** Sends what `protocol/registry-repository.ts` asks of a registry: one answer in half a minute. */
import type { SendRequest } from '../../protocol/registry-repository.js';

const ANSWER_MS = 30_000;

export function registrySender(signal: AbortSignal): SendRequest {
  return (url, headers) => {
    const limit = AbortSignal.timeout(ANSWER_MS);
    return fetch(url, { headers, signal: AbortSignal.any([signal, limit]) });
  };
}
