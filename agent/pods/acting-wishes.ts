/**
 * What is acted on while a new version of a pod may not begin, because admission holds it or its images are not there: the
 * version that runs goes on with all that it had, its restarts, probes and hooks among it, as if the edit had not been
 * made. A version that has begun to take effect is never held. Pure.
 */
import type { Memory } from './back-off.js';
import { rememberedCompletion, type Completions } from './completion.js';
import { objectsFor } from './config-objects.js';
import type { Desired, DesiredPod, Rejection } from './desired.js';
import { imageHold, missingImages, type MissingImage } from './image-hold.js';
import { hasBegun, isAlive, type Instances } from './plan-views.js';
import { portHold } from './port-hold.js';
import { instancesOf } from './pod-reports.js';
import { isSameVersion } from './versions.js';
import { without } from './observed-views.js';
import type { EngineId, ObservedPods } from '../runtime/runtime.js';
import { boundPorts, hostPortsOf, portsClash } from '../../protocol/host-ports.js';

/** A new version that is not acted on yet. */
export interface WaitingVersion {
  readonly pod: DesiredPod;
  /** What is to be fetched for it; none while admission does not let it begin. */
  readonly images: readonly MissingImage[];
  /** What goes on in its place. */
  readonly former: DesiredPod;
}

export interface ActingWishes {
  /** One pod per name: the new version, or the one that goes on, which then bears `heldEdit`. */
  readonly desired: Desired;
  readonly waiting: readonly WaitingVersion[];
  /** Every version that is to take the place of another, whether it waits or not. */
  readonly changing: readonly DesiredPod[];
}

export interface ActingInput {
  readonly desired: Desired;
  /** By uid: what is on the engine was made from these, and ran. */
  readonly versions: ReadonlyMap<string, DesiredPod>;
  readonly observed: ObservedPods;
  /** What has begun to end for good. */
  readonly condemned: ReadonlySet<EngineId>;
  readonly memory: Memory;
  readonly completions: Completions;
}

/** Something of this version ran that was not of the former one. */
function hasTakenEffect(next: DesiredPod, former: DesiredPod, observed: ObservedPods): boolean {
  const there = instancesOf(observed, next.uid);
  if (next.uid !== former.uid) return hasBegun(there);
  const { sandboxHash, containerHashes } = former;
  const isForeign = ({ name, hash }: { name: string; hash: string }) =>
    containerHashes.get(name) !== hash;
  return (
    there.sandboxes.some(one => one.ready && one.hash !== sandboxHash) ||
    there.containers.some(one => one.startedAt !== null && isForeign(one))
  );
}

/** Its sandbox is dead, and another pod has got a port of the node that it would need again. */
function hasLostItsPorts(
  { uid, pod }: DesiredPod,
  { sandboxes }: Instances,
  observed: ObservedPods,
): boolean {
  if (sandboxes.some(({ ready }) => ready)) return false;
  const taken = observed.sandboxes
    .filter(one => one.ready && one.pod.uid !== uid)
    .flatMap(({ ports }) => boundPorts(ports));
  return hostPortsOf(pod).some(own => taken.some(other => portsClash(own, other)));
}

/** Something of it is there; of what is over, something that has still to be ended, and that its successor does not use. */
function goesOn(former: DesiredPod, next: DesiredPod, input: ActingInput): boolean {
  const there = instancesOf(without(input.observed, input.condemned), former.uid);
  if (hasLostItsPorts(former, there, input.observed)) return false;
  if (rememberedCompletion(input.completions, former) === null) {
    return there.sandboxes.length + there.containers.length > 0;
  }
  return there.containers.some(isAlive) || (next.rejection !== null && hasBegun(there));
}

function formerOf(next: DesiredPod, input: ActingInput): DesiredPod | null {
  const { versions, completions } = input;
  if (rememberedCompletion(completions, next) !== null) return null;
  const own = versions.get(next.uid);
  const candidates = own === undefined ? [] : [own];
  for (const one of versions.values()) {
    if (one.key === next.key && one.uid !== next.uid) candidates.push(one);
  }
  const former = candidates.find(one => goesOn(one, next, input));
  if (former === undefined || isSameVersion(former, next)) return null;
  const observed = without(input.observed, input.condemned);
  return hasTakenEffect(next, former, observed) ? null : former;
}

/** A version that is to take the place of another. */
interface Change {
  readonly pod: DesiredPod;
  readonly former: DesiredPod;
  readonly images: readonly MissingImage[];
  /** Null when it may begin. */
  readonly why: Rejection | null;
}

function changeOf(pod: DesiredPod, input: ActingInput): Change | null {
  const { observed, memory } = input;
  const former = formerOf(pod, input);
  if (former === null) return null;
  const there = instancesOf(observed, former.uid);
  const images = pod.rejection === null ? missingImages(pod, former, { there, memory }) : [];
  return { pod, former, images, why: pod.rejection ?? imageHold(pod, images, memory) };
}

/** One that waits may keep others waiting, and these others again. */
function withPortHolds(changes: readonly Change[]): readonly Change[] {
  const holders = changes.flatMap(({ former, why }) => (why === null ? [] : [former]));
  const next = changes.map(change => {
    const why = change.why ?? portHold(change.pod, holders);
    return why === change.why ? change : { ...change, why };
  });
  return next.every((change, index) => change === changes[index]) ? changes : withPortHolds(next);
}

export function actingWishes(input: ActingInput): ActingWishes {
  const { desired } = input;
  const changes = withPortHolds(desired.pods.flatMap(pod => changeOf(pod, input) ?? []));
  const byPod = new Map(changes.map(change => [change.pod, change]));
  const waiting = changes.filter(({ why }) => why !== null);
  const pods = desired.pods.map(pod => {
    const { former, why = null } = byPod.get(pod) ?? {};
    if (former === undefined || why === null) return pod;
    const objects = objectsFor(desired.objects, former.bundle);
    const heldEdit = { ...why, manifest: pod.manifestDigest };
    return { ...former, objects, rejection: null, heldEdit };
  });
  return { desired: { ...desired, pods }, waiting, changing: changes.map(({ pod }) => pod) };
}

/** By key: what goes on in the place of what is wanted. */
export function standInsOf({ pods }: Desired): ReadonlyMap<string, DesiredPod> {
  return new Map(pods.filter(one => one.heldEdit !== undefined).map(one => [one.key, one]));
}
