/**
 * The annotations under `flotilla.dev/` that a manifest may have, and what stands there of which nobody takes notice: a word that is
 * misspelt would else be a wish that nobody hears. No error: a newer agent may know more of them. Pure.
 */
import { childPath } from './manifest-positions.js';
import { NODE_PARAMETERS } from './node-parameters.js';
import type { Pod } from './pod.js';
import { CONNECTED, CONNECTED_SINCE } from './pod-connected.js';
import { RESTART_ON_CHANGE } from './pod-restart-on-change.js';
import { nearestName } from './pod-schema-errors.js';
import { START_AFTER, START_AFTER_TIMEOUT } from './pod-start-after.js';
import { UPDATE_LOCK, UPDATE_LOCK_TIMEOUT } from './pod-update-lock.js';

/** Of one pod: the longest time between two restarts of a container that crashes. */
export const BACK_OFF_MAX = 'flotilla.dev/crash-loop-back-off-max';

const PREFIX = 'flotilla.dev/';

const HEARD: readonly string[] = [
  ...[BACK_OFF_MAX, NODE_PARAMETERS, RESTART_ON_CHANGE],
  ...[START_AFTER, START_AFTER_TIMEOUT, UPDATE_LOCK, UPDATE_LOCK_TIMEOUT],
];
/** `CONNECTED` may be said for the sake of a kubelet. */
const SAID: readonly string[] = [CONNECTED, CONNECTED_SINCE];

export interface Unheard {
  /** Of the field, as in errors. */
  readonly path: string;
  readonly key: string;
  /** What was probably meant; null: nothing is near. */
  readonly near: string | null;
}

function nearOf(key: string, names: readonly string[]): string | null {
  const bare = (name: string) => name.slice(PREFIX.length);
  const near = nearestName(bare(key), names.map(bare));
  return near === undefined ? null : `${PREFIX}${near}`;
}

/** Annotations that nobody reads, then files that show one which the pod does not have. */
export function unheardAnnotations({ metadata, spec }: Pick<Pod, 'metadata' | 'spec'>): Unheard[] {
  const annotations = metadata?.annotations ?? {};
  const unread = Object.keys(annotations)
    .filter(key => key.startsWith(PREFIX) && ![...HEARD, ...SAID].includes(key))
    .map(key => ({
      path: childPath('metadata.annotations', key),
      key,
      near: nearOf(key, HEARD),
    }));
  const shown = (spec?.volumes ?? []).flatMap(({ downwardAPI, projected }, at) => [
    ...itemsOf(downwardAPI, `spec.volumes[${at}].downwardAPI`),
    ...(projected?.sources ?? []).flatMap((source, n) =>
      itemsOf(source.downwardAPI, `spec.volumes[${at}].projected.sources[${n}].downwardAPI`),
    ),
  ]);
  const empty = shown
    .filter(({ key }) => !SAID.includes(key) && annotations[key] === undefined)
    .map(({ path, key }) => ({ path, key, near: nearOf(key, SAID) }));
  return [...unread, ...empty];
}

interface Source {
  readonly items?: readonly { readonly fieldRef?: { readonly fieldPath?: string } }[];
}

const OWN_FIELD = /^metadata\.annotations\['(flotilla\.dev\/[^']+)'\]$/;

function itemsOf(source: Source | undefined, at: string) {
  return (source?.items ?? []).flatMap(({ fieldRef }, item) => {
    const key = OWN_FIELD.exec(fieldRef?.fieldPath ?? '')?.[1];
    return key === undefined ? [] : [{ path: `${at}.items[${item}].fieldRef.fieldPath`, key }];
  });
}
