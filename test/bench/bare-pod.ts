/**
 * The same pod made by a bare loop of the Engine API calls that the agent sends: what an agent without any logic would
 * need. The options are read off the agent's own containers.
 */
import Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode';
import { DOCKER_SOCKET, randomHex } from '../support/docker.js';

/** Label of everything that is made here. */
export const BARE = 'flotilla.dev/bench';

const docker = new Docker({ socketPath: DOCKER_SOCKET });

export interface BarePod {
  readonly sandbox: ContainerInspectInfo;
  /** In the order of the manifest. */
  readonly containers: readonly ContainerInspectInfo[];
}

/** The agent's managed files went with its pod: as many mounts of a file that is always there. */
function mountsOf(mounts: ContainerInspectInfo['HostConfig']['Mounts']) {
  return (mounts ?? []).map(mount => ({ ...mount, Source: '/etc/hosts' }));
}

function optionsOf(info: ContainerInspectInfo, change: object): ContainerCreateOptions {
  const { Config, HostConfig } = info;
  const { Cmd, Entrypoint, Env, Image, WorkingDir } = Config;
  const owned = 'flotilla.dev/owner';
  const labels = Object.entries(Config.Labels).filter(([key]) => key !== owned);
  return {
    name: `bench-${randomHex(8)}`,
    Image,
    Cmd,
    Env,
    WorkingDir,
    ...(Entrypoint === undefined ? {} : { Entrypoint }),
    Labels: { ...Object.fromEntries(labels), [BARE]: 'bare' },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: { ...HostConfig, Mounts: mountsOf(HostConfig.Mounts), ...change },
  };
}

/** Sandbox first; the others are created at once and started in order. Ids: the sandbox's, then the containers'. */
export async function makeBarePod({ sandbox, containers }: BarePod): Promise<readonly string[]> {
  const made = await docker.createContainer(optionsOf(sandbox, {}));
  await made.start();
  const join = { NetworkMode: `container:${made.id}`, IpcMode: `container:${made.id}` };
  const created = containers.map(one => docker.createContainer(optionsOf(one, join)));
  const ids = [made.id];
  for (const one of created) {
    const container = await one;
    await container.start();
    ids.push(container.id);
  }
  return ids;
}

/** The replacement is made before the old one is stopped. The new id. */
export async function replaceBare(
  like: ContainerInspectInfo,
  old: { readonly id: string; readonly sandbox: string; readonly graceSeconds: number },
): Promise<string> {
  const join = { NetworkMode: `container:${old.sandbox}`, IpcMode: `container:${old.sandbox}` };
  const next = await docker.createContainer(optionsOf(like, join));
  await docker.getContainer(old.id).stop({ t: old.graceSeconds });
  await next.start();
  return next.id;
}

export async function removeBare(ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map(id => docker.getContainer(id).remove({ force: true, v: true })));
}
