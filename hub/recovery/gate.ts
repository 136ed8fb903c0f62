/** What waits while a restored hub learns: bundles and members are changed only by a hub that knows the newest of them. */
import { RequestError, type BundleWriter, type Enrolment, type SecretWriter } from '../ports.js';
import type { RolloutDesk } from '../rollout/desk.js';
import type { Actor, Store } from '../store/store.js';
import { recoveryState } from './recovery.js';

const NAMES_MAX = 10;

/** Throws `ServiceUnavailable` with whom it waits for and how to go on without them. */
export async function refuseWhileLearning(store: Store): Promise<void> {
  const { learning, unheard } = await recoveryState(store);
  if (!learning) return;
  const names = unheard.slice(0, NAMES_MAX).join(', ');
  const more = unheard.length > NAMES_MAX ? ` and ${unheard.length - NAMES_MAX} more` : '';
  throw new RequestError(
    'ServiceUnavailable',
    `this hub was restored and still learns what its nodes have; not heard yet: ${names}${more}. ` +
      'Wait for them, or go on without them with `flotilla hub recovery --finish`',
  );
}

export function gatedBundles(writer: BundleWriter, store: Store): BundleWriter {
  return {
    apply: async (actor, request) => {
      await refuseWhileLearning(store);
      return writer.apply(actor, request);
    },
    remove: async (actor, bundle) => {
      await refuseWhileLearning(store);
      return writer.remove(actor, bundle);
    },
  };
}

/** Of what changes the assignments of some nodes. */
export function gatedByBundle<Asked, Changed>(
  change: (actor: Actor, bundle: Asked) => Promise<Changed>,
  store: Store,
): typeof change {
  return async (actor, bundle) => {
    await refuseWhileLearning(store);
    return change(actor, bundle);
  };
}

/** Looking is free. */
export function gatedRollouts(desk: RolloutDesk, store: Store): RolloutDesk {
  return {
    ...desk,
    say: async (actor, word) => {
      await refuseWhileLearning(store);
      return desk.say(actor, word);
    },
  };
}

export function gatedSecrets(writer: SecretWriter, store: Store): SecretWriter {
  return {
    ...writer,
    seal: async (actor, request) => {
      await refuseWhileLearning(store);
      return writer.seal(actor, request);
    },
    remove: async (actor, secret) => {
      await refuseWhileLearning(store);
      return writer.remove(actor, secret);
    },
  };
}

export function gatedEnrolment(enrolment: Enrolment, store: Store): Enrolment {
  return {
    ...enrolment,
    join: async (envelope, address) => {
      await refuseWhileLearning(store);
      return enrolment.join(envelope, address);
    },
    rotate: async (envelope, address) => {
      await refuseWhileLearning(store);
      return enrolment.rotate(envelope, address);
    },
  };
}
