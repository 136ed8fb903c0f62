/** Sends what `protocol/registry-repository.ts` asks of a registry: one answer in half a minute, and no secret in a message. */
import { RegistryError, whyNot, type SendRequest } from '../../protocol/registry-repository.js';

const ANSWER_MS = 30_000;

export function registrySender(signal: AbortSignal): SendRequest {
  return async (url, headers) => {
    try {
      return await fetch(url, {
        headers,
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
      });
    } catch (error) {
      signal.throwIfAborted();
      const message = `${new URL(url).host} does not answer: ${whyNot(error)}`;
      throw new RegistryError('Unreachable', message);
    }
  };
}
