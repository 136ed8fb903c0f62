/**
 * The Docker Engine of this machine under a world: the agent speaks to it directly, and what it does is heard from the
 * engine's events. Containers are told apart by their owner, so that several worlds and strangers share one engine. What
 * is brought back from a past are other containers of the same making: their ids are new.
 */
import Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { LABEL } from '../../agent/runtime/docker-names.js';
import { DOCKER_SOCKET, ensureTestImage, randomHex, removeOwned } from '../support/docker.js';
import { eventually } from '../support/wait.js';
import {
  isSandbox,
  type EngineState,
  type RunningContainer,
  type WatchedEngine,
} from './engine-port.js';
import { ToldContainers, type EngineEvent } from './told-containers.js';

const BARRIER = 'flotilla.dev/barrier';

export class DockerEngine implements WatchedEngine {
  readonly socketPath = DOCKER_SOCKET;
  readonly #docker = new Docker({ socketPath: DOCKER_SOCKET });
  readonly #owner: string;
  readonly #events: Readable;
  readonly #told: ToldContainers;
  readonly #barriers = new Set<string>();

  private constructor(owner: string, events: Readable) {
    this.#owner = owner;
    this.#told = new ToldContainers(owner);
    this.#events = events;
    createInterface({ input: events }).on('line', line =>
      this.#hear(JSON.parse(line) as EngineEvent),
    );
    events.on('error', () => undefined);
  }

  /** `owner`: the agent's data directory, as it calls itself towards the engine. */
  static async open(owner: string): Promise<DockerEngine> {
    const docker = new Docker({ socketPath: DOCKER_SOCKET });
    const events = await docker.getEvents({ filters: { type: ['container'] } });
    return new DockerEngine(owner, events as Readable);
  }

  async close(): Promise<void> {
    await this.empty();
    (this.#events as Readable & { destroy(): void }).destroy();
  }

  get twice(): readonly string[] {
    return this.#told.twice;
  }

  get started(): ReadonlySet<string> {
    return this.#told.started;
  }

  running(): RunningContainer[] {
    return this.#told.running();
  }

  /** Events come in order: what is told of a container that is made now comes after all that was before. */
  async settle(): Promise<void> {
    const barrier = randomHex(8);
    const made = await this.#docker.createContainer({
      Image: ensureTestImage(),
      name: `flotilla-barrier-${barrier}`,
      Labels: { [BARRIER]: barrier },
    });
    await eventually('the engine tells of the barrier', () => this.#barriers.delete(barrier));
    await made.remove();
    this.#told.conclude();
  }

  async save(): Promise<EngineState> {
    const label = [`${LABEL.owner}=${this.#owner}`];
    const listed = await this.#docker.listContainers({ all: true, filters: { label } });
    const found = listed.map(({ Id }) => this.#docker.getContainer(Id).inspect());
    return JSON.stringify(await Promise.all(found));
  }

  empty(): Promise<void> {
    removeOwned(this.#owner);
    return Promise.resolve();
  }

  async restore(state: EngineState): Promise<void> {
    await this.empty();
    const past = JSON.parse(state) as ContainerInspectInfo[];
    const ids = new Map<string, string>();
    const isFirst = ({ Config }: ContainerInspectInfo) => isSandbox(Config.Labels);
    // Others live in the namespaces of their sandbox.
    for (const some of [past.filter(isFirst), past.filter(one => !isFirst(one))]) {
      await Promise.all(some.map(async one => ids.set(one.Id, await this.#make(one, ids))));
    }
    await this.settle();
    this.#told.beginAnew();
  }

  /** In the state that it was in. Returns its id. */
  async #make(past: ContainerInspectInfo, ids: ReadonlyMap<string, string>): Promise<string> {
    const container = await this.#docker.createContainer(asNew(past, ids));
    if (past.State.Status === 'created') return container.id;
    await container.start();
    if (past.State.Running) return container.id;
    await container.stop({ t: 0 }).catch((error: unknown) => {
      if ((error as { statusCode?: number }).statusCode !== 304) throw error;
    });
    return container.id;
  }

  #hear(event: EngineEvent): void {
    const barrier = event.Actor.Attributes[BARRIER];
    if (barrier !== undefined && event.Action === 'create') this.#barriers.add(barrier);
    this.#told.hear(event);
  }
}

/** What makes another one like it. `ids`: of those in whose namespaces it is, as they are now. */
function asNew(
  past: ContainerInspectInfo,
  ids: ReadonlyMap<string, string>,
): ContainerCreateOptions {
  const { Name, Config, HostConfig } = past;
  const isInAnother = HostConfig.NetworkMode?.startsWith('container:') === true;
  const { Hostname, Domainname, ...others } = Config;
  const name = isInAnother ? {} : { Hostname, Domainname };
  const made = { ...others, ...name, HostConfig, name: Name.slice(1) };
  const text = [...ids].reduce((all, [was, is]) => all.replaceAll(was, is), JSON.stringify(made));
  return JSON.parse(text) as ContainerCreateOptions;
}

/** Ends when it is told to. */
const GOES_ON = ['sh', '-c', "trap 'exit 0' TERM; sleep 2147483647 & wait"];
/** Nobody is ever to see it ready, and a program that ends at once may be seen before it does. */
const NEVER_BEGINS = ['/no-such-program'];

/** The images of the chapters; made once per machine. */
export function ensureImages(images: readonly string[]): void {
  for (const image of images) {
    ensureTestImage(image, image.includes('crash') ? NEVER_BEGINS : GOES_ON);
  }
}
