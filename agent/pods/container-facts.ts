/**
 * Gathers what a container is made from beside its manifest (environment, mounts, user, last words) and hands it to
 * `pod-spec.ts`. Decides nothing.
 */
import { needsImageUser, seccompFile, type SecurityFacts } from './container-security.js';
import type { DesiredPod } from './desired.js';
import type { NodeFiles } from './node-files.js';
import { findBoundImage } from '../images/bound-image.js';
import { environment, needsPodIP } from './pod-env.js';
import { envKeysSkipped, type PodEvent } from './pod-events.js';
import { containerSpec, type NodeFacts } from './pod-spec.js';
import type { TerminationMessages } from './termination-messages.js';
import { RuntimeError, type ContainerRuntime, type ContainerSpec } from '../runtime/runtime.js';
import type { PodVolumes } from '../volumes/volumes.js';
import type { Container } from '../../protocol/pod.js';

export interface ContainerMaking {
  readonly desired: DesiredPod;
  readonly container: Container;
  readonly attempt: number;
  readonly round: number;
}

export interface MakingTools {
  readonly runtime: Pick<ContainerRuntime, 'imageStatus'>;
  readonly volumes: PodVolumes;
  readonly files: NodeFiles;
  readonly terminationMessages: Pick<TerminationMessages, 'prepare'>;
  readonly node: NodeFacts;
  /** Waits until the pod has its addresses. */
  readonly podIPs: () => Promise<readonly string[]>;
  readonly tellPod: (event: PodEvent) => void;
}

async function environmentOf(
  { desired, container }: ContainerMaking,
  { volumes, node, podIPs, tellPod }: MakingTools,
): Promise<ReadonlyMap<string, string>> {
  const { pod, objects } = desired;
  const { values, skipped } = environment(container, pod, {
    node,
    podIPs: needsPodIP(container) ? await podIPs() : [],
    objects,
    files: await volumes.envFiles(desired, container),
  });
  for (const of of skipped) tellPod(envKeysSkipped(container.name, of));
  return values;
}

/** The image that the pod's bundle binds this one to; null where it binds it to nothing. */
async function boundImageId(
  { desired: { bindings }, container: { image = '' } }: ContainerMaking,
  { runtime }: MakingTools,
): Promise<string | null> {
  const digests = bindings.get(image);
  if (digests === undefined) return null;
  const found = await findBoundImage(runtime, image, digests);
  if (found !== null) return found.id;
  const message = `image "${image}" is gone: none of ${digests.join(', ')} is on this node`;
  throw new RuntimeError('ImageInspectError', message);
}

async function securityFacts(
  { desired: { pod }, container }: ContainerMaking,
  { runtime, files }: MakingTools,
  imageId: string | null,
): Promise<SecurityFacts> {
  const needsImage = needsImageUser(pod, container);
  const image = needsImage ? await runtime.imageStatus(imageId ?? container.image ?? '') : null;
  if (needsImage && image === null) {
    const message = `image "${container.image ?? ''}" is gone: its user cannot be looked up`;
    throw new RuntimeError('ImageInspectError', message);
  }
  const file = seccompFile(pod, container);
  return {
    imageUser: image?.user ?? '',
    seccompProfile: file === null ? null : await files.seccompProfile(file),
  };
}

/** Throws `EnvError`, `MountError`, `ContainerConfigError` and `RuntimeError`: the container waits with their words. */
export async function gatherContainer(
  making: ContainerMaking,
  tools: MakingTools,
): Promise<ContainerSpec> {
  const { desired, container, attempt, round } = making;
  const { volumes, terminationMessages, node } = tools;
  const lastWords = await terminationMessages.prepare(desired.uid, container, attempt);
  const env = await environmentOf(making, tools);
  const { features } = node;
  const imageId = await boundImageId(making, tools);
  const { mounts, devices } = await volumes.mounts(desired, container, { env, features });
  return containerSpec(desired, container, {
    attempt,
    round,
    node,
    env,
    mounts: [...mounts, lastWords],
    devices,
    ...(imageId === null ? {} : { imageId }),
    ...(await securityFacts(making, tools, imageId)),
  });
}
