/** What the loop knows of the engine: whether it answers, what it is called, what the node has because of it. Decides nothing. */
import { nodeFacts } from './pod-settings.js';
import type { PodsOptions } from './pods.js';
import type { NodeFacts } from './pod-spec.js';
import type { SourceCondition } from '../ports.js';
import type { PodVolumes } from '../volumes/volumes.js';

export class EngineState {
  readonly #options: PodsOptions;
  #isUp = false;
  #message = 'not asked yet';
  #name = 'docker';
  #node: NodeFacts;

  readonly #volumes: Pick<PodVolumes, 'capacityBytes'>;

  constructor(options: PodsOptions, volumes: Pick<PodVolumes, 'capacityBytes'>) {
    this.#options = options;
    this.#volumes = volumes;
    this.#node = nodeFacts(options, null, 0);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** `docker` or `podman`: the scheme of container ids. */
  get name(): string {
    return this.#name;
  }

  get node(): NodeFacts {
    return this.#node;
  }

  /** Asks who it is, unless it is known and has answered since. Throws `EngineUnavailable`. */
  async meet(): Promise<void> {
    if (this.#isUp) return;
    const info = await this.#options.runtime.info();
    this.#name = info.name;
    this.#node = nodeFacts(this.#options, info, await this.#volumes.capacityBytes());
    this.#isUp = true;
    this.#message = `${info.name} ${info.version}`;
  }

  lost(message: string): void {
    this.#isUp = false;
    this.#message = message;
  }

  condition(): SourceCondition {
    return {
      type: 'ContainerRuntime',
      status: this.#isUp ? 'True' : 'False',
      reason: this.#isUp ? 'Answers' : 'EngineUnavailable',
      message: this.#message,
    };
  }
}
