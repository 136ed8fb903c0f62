/**
 * What the pods of a device read of Secrets, held against what they may: a value that was sealed for this node, of the pod's own bundle,
 * never an older one than before; in the end the newest. And where no value may lie at all: on any disk.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretObject } from '../../hub/objects.js';
import { PodPaths } from '../../agent/volumes/pod-paths.js';
import type { Device } from './device.js';
import { PLAIN, readValue, SECRET, SECRET_KEY, SECRET_PATH, type Value } from './secret-value.js';

const VOLUME = { name: SECRET, secret: { secretName: SECRET } };

interface Read {
  readonly uid: string;
  /** Without the node's suffix. */
  readonly pod: string;
  readonly value: Value | null;
}

/** Of every container that runs and wants one. */
function readsOf(device: Device): Read[] {
  const paths = new PodPaths(device.dataDir);
  return [...device.engine.containers.values()].flatMap(({ state, pod, spec }): Read[] => {
    if (state !== 'running' || spec.mounts.every(one => one.containerPath !== SECRET_PATH))
      return [];
    const name = pod.name.slice(0, -device.name.length - 1);
    const file = join(paths.volume(pod.uid, VOLUME), SECRET_KEY);
    return [{ uid: pod.uid, pod: name, value: valueIn(file) }];
  });
}

function valueIn(file: string): Value | null {
  try {
    return readValue(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

/** What one device's pods read, moment after moment. */
export class Readers {
  /** By pod's uid: the newest version that it read. */
  readonly #newest = new Map<string, number>();

  /** Each fault is a sentence. */
  look(device: Device): string[] {
    return readsOf(device).flatMap(({ uid, pod, value }) => {
      if (value === null) return [`${pod} runs without its Secret`];
      const { node, bundle, version } = value;
      const before = this.#newest.get(uid) ?? 0;
      this.#newest.set(uid, Math.max(before, version));
      return [
        ...(node === device.name ? [] : [`${pod} reads what was sealed for ${node}`]),
        ...(pod.startsWith(`${bundle}-`) ? [] : [`${pod} reads the Secret of ${bundle}`]),
        ...(version >= before ? [] : [`${pod} reads version ${version} after ${before}`]),
      ];
    });
  }
}

/** Who reads another version than the newest. */
export function outdated(device: Device, secrets: readonly SecretObject[]): string[] {
  const newest = new Map(secrets.map(({ spec }) => [spec.bundle, spec.version]));
  return readsOf(device).flatMap(({ pod, value }) => {
    const wanted = newest.get(pod.replace(/-\d$/, ''));
    const isNewest = wanted === undefined || value?.version === wanted;
    return isNewest ? [] : [`${pod} reads version ${value?.version ?? 'none'}, not ${wanted}`];
  });
}

/** Files with a value of a Secret that outlive the machine's power. */
export function plainFiles(folder: string, isMemory: (path: string) => boolean): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return isMemory(path) ? [] : plainFiles(path, isMemory);
    return entry.isFile() && readFileSync(path).includes(PLAIN) ? [path] : [];
  });
}
