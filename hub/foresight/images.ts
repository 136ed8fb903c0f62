/** Which images a change makes a node fetch, and how large they are as far as anybody has said so. Pure. */
import type { HeldImage, HoldingsReport } from '../../protocol/documents/node.js';
import { isPod } from '../../protocol/bundle-manifest.js';
import { NO_BINDINGS, satisfies } from '../../protocol/image-binding.js';
import type { PodChange, PodSet } from '../../protocol/pod-change.js';
import { defaultPullPolicy } from '../../protocol/pod-defaults.js';
import { completeImageName, parseImageReference } from '../../protocol/pod-image.js';
import { allContainers, type Container, type ValidPod } from '../../protocol/pod.js';

/** By image as manifests name it and architecture (`amd64`; empty: any): bytes of its layers as the registry sends them. */
export type ImageSizes = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** What the nodes of the fleet hold, by architecture. */
export type PeerImages = ReadonlyMap<string, readonly HeldImage[]>;

export interface NeededImage {
  readonly image: string;
  /** Compressed; null: unknown. Layers that it has already are not sent again: at most so much. */
  readonly bytes: number | null;
  /** On its disk; null: unknown. */
  readonly unpacked: number | null;
}

interface Wanted {
  readonly image: string;
  readonly digests: readonly string[];
  /** A registry is asked even if it is here. */
  readonly isAsked: boolean;
}

export function imagesToPull(of: {
  readonly before: PodSet | null;
  readonly after: PodSet | null;
  /** Null: nobody knows what runs. */
  readonly pods: readonly PodChange[] | null;
  readonly architecture: string;
  /** Null: it does not say. */
  readonly holds: HoldingsReport | null;
  readonly sizes: ImageSizes;
  readonly peers: PeerImages;
}): NeededImage[] {
  const { before, after, pods, architecture, holds, sizes, peers } = of;
  const running = new Set(wantedBy(before, () => true).map(keyOf));
  const isBegun = (pod: string, container: string) => {
    const change = pods?.find(one => one.pod === pod);
    if (change === undefined) return true;
    return change.is !== 'stays' && (change.containers?.includes(container) ?? true);
  };
  const needed = wantedBy(after, isBegun).filter(wanted => {
    if (wanted.isAsked) return true;
    if (running.has(keyOf(wanted))) return false;
    return !(holds?.images ?? []).some(image => isIt(image, wanted));
  });
  return needed.map(({ image, digests, isAsked }) => {
    const ofImage = sizes.get(image);
    const isListed = holds?.images !== undefined && !holds.isCut;
    // Whether there is anything to send nobody knows before the registry has answered.
    const isSure = isListed && !isAsked;
    const size = isSure ? (ofImage?.get(architecture) ?? ofImage?.get('') ?? null) : null;
    const wanted = { image, digests, isAsked };
    const peer = isSure ? peers.get(architecture)?.find(one => isIt(one, wanted)) : undefined;
    return { image, bytes: size, unpacked: peer?.size ?? null };
  });
}

function keyOf({ image, digests }: Wanted): string {
  return `${image} ${digests.join()}`;
}

/** Each once, sorted: of the containers that are to begin. */
function wantedBy(
  set: PodSet | null,
  isBegun: (pod: string, container: string) => boolean,
): Wanted[] {
  const { bindings = NO_BINDINGS } = set ?? {};
  const pods = (set?.manifests ?? []).filter(isPod) as readonly ValidPod[];
  const found = new Map<string, Wanted>();
  for (const pod of pods) {
    for (const container of allContainers(pod)) {
      const { image = '' } = container;
      if (image === '' || !isBegun(pod.metadata.name, container.name)) continue;
      if (policyOf(container) === 'Never') continue;
      const bound = bindings.get(image) ?? [];
      const named = parseImageReference(image)?.digest ?? null;
      const digests = named === null ? bound : [named];
      const wanted = {
        image,
        digests,
        isAsked: digests.length === 0 && policyOf(container) === 'Always',
      };
      const key = keyOf(wanted);
      found.set(key, { ...wanted, isAsked: wanted.isAsked || found.get(key)?.isAsked === true });
    }
  }
  return [...found.values()].sort((a, b) => (a.image < b.image ? -1 : 1));
}

function policyOf({ image = '', imagePullPolicy }: Container): string {
  return imagePullPolicy ?? defaultPullPolicy(image);
}

function isIt(held: HeldImage, { image, digests }: Wanted): boolean {
  if (digests.length > 0) {
    return satisfies(
      { id: held.id, repoDigests: held.names.filter(name => name.includes('@')) },
      digests,
    );
  }
  return held.names.some(name => whole(name) === whole(image));
}

/** With registry and tag; empty: no reference. */
function whole(image: string): string {
  const reference = parseImageReference(image);
  if (reference === null || reference.digest !== null) return '';
  return `${completeImageName(reference.name)}:${reference.tag ?? 'latest'}`;
}
