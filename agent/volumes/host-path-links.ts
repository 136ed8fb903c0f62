/**
 * Holds mounts to the policy's list of host paths after links are followed: what a path leads to is known only on the node, when
 * it is mounted. What is found is what the engine gets. Whoever may write below an allowed path and puts a link there between
 * this look and the engine's own could still lead astray. Reads, changes nothing.
 */
import { whereItLeads } from './host-path.js';
import { MountError } from './mount-error.js';
import type { HostPathTargets } from './set-up.js';
import { linkOffence, pathsToFollow, type AdmissionPolicy } from '../admission/policy.js';

export function followedHostPaths(policy: AdmissionPolicy): HostPathTargets {
  return async ({ pod, source }) => {
    const paths = pathsToFollow(pod, policy[source]);
    const real = new Map<string, string>();
    for (const path of new Set(paths)) real.set(path, await whereItLeads(path));
    const offence = linkOffence(pod, source, { policy, real });
    if (offence !== null) throw new MountError(offence);
    return real;
  };
}
