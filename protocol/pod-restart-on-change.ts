/**
 * The annotation `flotilla.dev/restart-on-change: "conf, certs"`: containers that mount one of these hostPath volumes are
 * restarted when the files there change. Users of static pods ask for it (catalogue of pains, P11).
 *
 * Only for volumes that every container mounts read-only: one that writes there would restart itself without end. Pure.
 */
import { invalid, type FieldError } from './field-error.js';
import { allContainers, type Container, type Pod } from './pod.js';

export const RESTART_ON_CHANGE = 'flotilla.dev/restart-on-change';

const PATH = `metadata.annotations[${RESTART_ON_CHANGE}]`;

export interface WatchedVolume {
  readonly name: string;
  /** On the host, as written. */
  readonly path: string;
}

function namesIn({ metadata }: Pick<Pod, 'metadata'>): string[] {
  const text = metadata?.annotations?.[RESTART_ON_CHANGE] ?? '';
  return text.trim() === '' ? [] : text.split(',').map(item => item.trim());
}

/** Each once, in the order written; what is no hostPath volume is left out: `checkRestartOnChange` reports it. */
export function watchedVolumes(pod: Pick<Pod, 'metadata' | 'spec'>): WatchedVolume[] {
  return [...new Set(namesIn(pod))].flatMap(name => {
    const path = (pod.spec?.volumes ?? []).find(one => one.name === name)?.hostPath?.path;
    return path === undefined ? [] : [{ name, path }];
  });
}

/** Those of them that the container mounts: what lies there belongs to what it was made from. */
export function watchedBy(
  watched: readonly WatchedVolume[],
  { volumeMounts = [] }: Pick<Container, 'volumeMounts'>,
): readonly WatchedVolume[] {
  return watched.filter(volume => volumeMounts.some(one => one.name === volume.name));
}

export function checkRestartOnChange(pod: Pod): FieldError[] {
  const known = new Set(watchedVolumes(pod).map(({ name }) => name));
  const writable = (name: string) =>
    allContainers(pod).find(({ volumeMounts = [] }) =>
      volumeMounts.some(mount => mount.name === name && mount.readOnly !== true),
    );
  return namesIn(pod).flatMap(name => {
    if (!known.has(name)) {
      return [invalid(PATH, name, 'must be names of hostPath volumes of this pod, with commas')];
    }
    const writer = writable(name);
    if (writer === undefined) return [];
    const detail = `must be mounted with readOnly: true by every container, also by ${writer.name}`;
    return [invalid(PATH, name, detail)];
  });
}
