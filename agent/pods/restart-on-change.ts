/**
 * Containers that mount a hostPath volume named by `flotilla.dev/restart-on-change` bear the digest of what lies there in
 * their hash: a change restarts them as an edit does, also when the agent was away meanwhile (pain P11). Pure.
 */
import { createHash } from 'node:crypto';
import type { Desired, DesiredPod, Rejection } from './desired.js';
import { allContainers } from '../../protocol/pod.js';
import { watchedBy, watchedVolumes } from '../../protocol/pod-restart-on-change.js';

/** By path on the host: what lies there, as far as it was read. */
export type HostFileDigests = ReadonlyMap<string, string>;

function unread(path: string): Rejection {
  const message = `${path} could not be read yet, which flotilla.dev/restart-on-change names`;
  return { phase: 'Pending', reason: 'HostFilesUnread', message, againAt: null };
}

function withDigests(pod: DesiredPod, digests: HostFileDigests): DesiredPod {
  const watched = watchedVolumes(pod.pod);
  if (watched.length === 0) return pod;
  const missing = watched.find(({ path }) => !digests.has(path));
  if (missing !== undefined) return { ...pod, rejection: pod.rejection ?? unread(missing.path) };
  const containerHashes = new Map(pod.containerHashes);
  for (const container of allContainers(pod.pod)) {
    const { name } = container;
    const mounted = watchedBy(watched, container);
    const hash = containerHashes.get(name);
    if (hash === undefined || mounted.length === 0) continue;
    const files = mounted.map(({ name: volume, path }) => [volume, digests.get(path)]);
    const digest = createHash('sha256')
      .update(JSON.stringify([hash, files]))
      .digest('hex');
    containerHashes.set(name, digest.slice(0, hash.length));
  }
  return { ...pod, containerHashes };
}

/** The wishes with what their files say now; a pod whose files were never read waits. */
export function withHostFiles(desired: Desired, digests: HostFileDigests): Desired {
  return { ...desired, pods: desired.pods.map(pod => withDigests(pod, digests)) };
}
