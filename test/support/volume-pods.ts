/** Pods with volumes on the real file system: a data directory of this process, with and without the right to mount. */
import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { DesiredPod } from '../../agent/pods/desired.js';
import type { HostMounts } from '../../agent/volumes/host-mounts.js';
import { openPodVolumes, type PodVolumes } from '../../agent/volumes/volumes.js';
import type { Container, PodSpec, VolumeMount } from '../../protocol/pod.js';
import { REAL_CLOCK } from './clock.js';
import { manifest, nodeFactsOf, wish } from './pods.js';

export const dataDir = realpathSync(mkdtempSync(join(tmpdir(), 'fl-pods-')));
export const NODE = nodeFactsOf();
export const FACTS = { env: new Map<string, string>(), features: null };

/** A node on which the agent may not mount. */
export const NO_MOUNTS: HostMounts = {
  probe: () => Promise.resolve('not here'),
  mountTmpfs: () => Promise.reject(new Error('nothing may be mounted')),
  bindOpened: () => Promise.reject(new Error('nothing may be mounted')),
  below: () => Promise.resolve([]),
  unmount: () => Promise.reject(new Error('nothing is mounted')),
};

export const unable = openPodVolumes({ dataDir, clock: REAL_CLOCK, hostMounts: NO_MOUNTS });
export const able = openPodVolumes({ dataDir, clock: REAL_CLOCK });
const problem = await able.mountProblem();
export const skip = problem === null ? false : `mounts are not possible here: ${problem}`;

const made: DesiredPod[] = [];
after(async () => {
  for (const { uid } of made) await able.remove(uid);
  rmSync(dataDir, { recursive: true, force: true });
});

export const mounted = (volumeMounts: VolumeMount[]) => ({ volumeMounts });

let count = 0;
/** Its container mounts all volumes unless it says otherwise. */
export function podOf(
  spec: Partial<PodSpec>,
  container: Partial<Container> = mounted(
    (spec.volumes ?? []).map(({ name }) => ({ name, mountPath: `/${name}` })),
  ),
  labels = {},
): DesiredPod {
  const name = `p${count++}`;
  const pod = wish(manifest(name, { spec, labels, containers: [{ name: 'app', ...container }] }));
  made.push(pod);
  return pod;
}

export const at = ({ uid }: DesiredPod, ...steps: string[]) => join(dataDir, 'pods', uid, ...steps);
export const volumePath = (pod: DesiredPod, plugin: string, name: string) =>
  at(pod, 'volumes', `kubernetes.io~${plugin}`, name);
export const modeOf = (path: string) => statSync(path).mode & 0o7777;

export async function mountsOf(volumes: PodVolumes, pod: DesiredPod, env = FACTS.env) {
  const [container] = pod.pod.spec.containers;
  assert.ok(container !== undefined);
  const found = await volumes.mounts(pod, container, { ...FACTS, env });
  return { ...found, mounts: found.mounts.filter(one => !one.containerPath.startsWith('/etc/')) };
}
