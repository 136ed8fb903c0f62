/**
 * What a change costs one node: which pods it disturbs and for how long, what travels to it, what it has left afterwards. What was never
 * measured and what nobody told is null: unknown, not nothing. Pure.
 */
import type { HoldingsReport } from '../../protocol/documents/node.js';
import { podChanges, type PodChange, type PodSet } from '../../protocol/pod-change.js';
import { imagesToPull, type NeededImage, type PeerImages, type ImageSizes } from './images.js';

/** Of the price, for one node. */
export interface NodePrice {
  readonly node: string;
  readonly isOnline: boolean;
  /** The revision that lies in its directory now; 0: none. Null: this hub does not know it. */
  readonly from: number | null;
  /** The bundle leaves it. */
  readonly leaves: boolean;
  /** By name. Null: what runs there is not known here. */
  readonly pods: readonly PodChange[] | null;
  /** What restarts is down for about so long; 0: nothing restarts. */
  readonly downSeconds: number | null;
  /** On the link to it before TLS: its assignment, and the content that it lacks. 0: it is told nothing. */
  readonly mqttBytes: number | null;
  /** As registries send images, compressed. */
  readonly registryBytes: number | null;
  /** Those that it has to fetch, as far as is known. */
  readonly images: readonly NeededImage[];
  /** Bytes free afterwards, where it has the least. */
  readonly freeBytes: number | null;
}

export interface NodeNow {
  readonly node: string;
  readonly isOnline: boolean;
  readonly architecture: string;
  readonly from: number | null;
  /** What lies in its directory; null: nothing. `unknown`: this hub does not have that revision. */
  readonly before: PodSet | null | 'unknown';
  /** Null: the bundle leaves it, or does not come to it. */
  readonly after: PodSet | null;
  /** As it measured it last. */
  readonly restartS: number | null;
  readonly holds: HoldingsReport | null;
  readonly mqttBytes: number | null;
  /** Unpacked content that it has to store; null: unknown. */
  readonly contentBytes: number | null;
}

export function priceOf(
  now: NodeNow,
  known: { readonly sizes: ImageSizes; readonly peers: PeerImages },
): NodePrice {
  const { node, isOnline, from, before, after, holds, mqttBytes } = now;
  const pods = before === 'unknown' ? null : podChanges(before, after);
  const images = imagesToPull({
    ...{ before: before === 'unknown' ? null : before, after, pods },
    ...{ architecture: now.architecture, holds, ...known },
  });
  return {
    ...{ node, isOnline, from, pods, mqttBytes, images },
    leaves: after === null,
    downSeconds: downSeconds(pods, now.restartS),
    registryBytes: sum(images.map(({ bytes }) => bytes)),
    freeBytes: freeAfter(now, sum(images.map(({ unpacked }) => unpacked))),
  };
}

function downSeconds(pods: readonly PodChange[] | null, restartS: number | null): number | null {
  if (pods === null) return null;
  return pods.some(({ is }) => is === 'restarts') ? restartS : 0;
}

/** Content lies in the journal and, as files, in the static pod directory. */
const CONTENT_COPIES = 2;

/** Where both lie on one disk, as on most nodes, each is there for both. */
function freeAfter({ holds, contentBytes }: NodeNow, imageBytes: number | null): number | null {
  if (holds === null || contentBytes === null || imageBytes === null) return null;
  const { dataFree, imagesFree } = holds;
  const rooms = [dataFree, imagesFree].flatMap(bytes => bytes ?? []);
  if (dataFree === undefined || (imagesFree === undefined && imageBytes > 0)) return null;
  return Math.max(0, Math.min(...rooms) - CONTENT_COPIES * contentBytes - imageBytes);
}

/** Null: one of them is not known. */
export function sum(amounts: readonly (number | null)[]): number | null {
  return amounts.reduce((all, one) => (all === null || one === null ? null : all + one), 0);
}
