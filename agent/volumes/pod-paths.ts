/**
 * Where the files of pods lie below the data directory; the kubelet's layout below `pods/<uid>/`. Pure.
 */
import { join } from 'node:path';
import type { Volume } from '../../protocol/pod.js';

/** By the name of the file; where a container sees it. */
export const MANAGED_FILES = {
  'etc-hosts': '/etc/hosts',
  'resolv.conf': '/etc/resolv.conf',
} as const;

export type ManagedFile = keyof typeof MANAGED_FILES;

const EMPTY_DIR = 'kubernetes.io~empty-dir';

function pluginOf(volume: Volume): string {
  if (volume.configMap !== undefined) return 'kubernetes.io~configmap';
  if (volume.secret !== undefined) return 'kubernetes.io~secret';
  if (volume.downwardAPI !== undefined) return 'kubernetes.io~downward-api';
  return volume.projected === undefined ? EMPTY_DIR : 'kubernetes.io~projected';
}

export class PodPaths {
  /** Of all pods. */
  readonly root: string;

  constructor(dataDir: string) {
    this.root = join(dataDir, 'pods');
  }

  pod(uid: string): string {
    return join(this.root, uid);
  }

  managed(uid: string, file: ManagedFile): string {
    return join(this.pod(uid), file);
  }

  volumes(uid: string): string {
    return join(this.pod(uid), 'volumes');
  }

  /** Not of a hostPath, which has its own. */
  volume(uid: string, volume: Volume): string {
    return join(this.volumes(uid), pluginOf(volume), volume.name);
  }

  plugins(uid: string): string {
    return join(this.pod(uid), 'plugins');
  }

  /** Is there when an emptyDir was set up to the end. */
  ready(uid: string, volume: string): string {
    return join(this.plugins(uid), EMPTY_DIR, volume, 'ready');
  }

  /** Is there when the pod has begun to end: what lies here is no later pod's. */
  ending(uid: string): string {
    return join(this.pod(uid), 'ending');
  }

  /** Where what a later pod of the same uid must not find waits for its removal; no uid is spelt so. */
  aside(uid: string, number: number): string {
    return join(this.root, `${uid}.${number}`);
  }

  subPaths(uid: string): string {
    return join(this.pod(uid), 'volume-subpaths');
  }

  /** Where a part of a volume is bound for one container. */
  subPath(uid: string, of: { volume: string; container: string; index: number }): string {
    return join(this.subPaths(uid), of.volume, of.container, String(of.index));
  }
}
