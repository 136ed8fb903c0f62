/**
 * Sandboxes on the Docker Engine: made and started in one go, and what this engine lets a process have of the score that keeps
 * it from the kernel's out-of-memory killer.
 */
import type { ContainerInspectInfo } from 'dockerode';
import type { DockerConnection } from './docker-connection.js';
import { mayBeOomScore, runtimeErrorOf, statusOf } from './docker-errors.js';
import { LABEL, sandboxName } from './docker-names.js';
import { sandboxOptions, SANDBOX_OOM_SCORE_ADJ } from './docker-options.js';
import { ensurePauseImage } from './pause-image.js';
import type { EngineId, SandboxSpec } from './runtime.js';

/** The least that an unprivileged engine may set. */
const NEVER_LOWERED = 0;

export class DockerSandboxes {
  readonly #engine: DockerConnection;
  #oomFloor = SANDBOX_OOM_SCORE_ADJ;
  #pauseImage: Promise<string> | null = null;

  constructor(engine: DockerConnection) {
    this.#engine = engine;
  }

  /** Lowest `oom_score_adj` that this engine is known to set. */
  get oomFloor(): number {
    return this.#oomFloor;
  }

  async run(spec: SandboxSpec): Promise<EngineId> {
    const image = await this.#engine.attempt('CreatePodSandboxError', () => this.#image());
    // Another pod's sandbox may teach it while this one is on its way.
    const tried = this.#oomFloor;
    try {
      return await this.#begin(spec, image);
    } catch (error) {
      if (!mayBeOomScore(error) || tried === NEVER_LOWERED) {
        throw runtimeErrorOf(error, 'CreatePodSandboxError');
      }
      const before = this.#oomFloor;
      this.#oomFloor = NEVER_LOWERED;
      try {
        const id = await this.#begin(spec, image);
        if (before !== NEVER_LOWERED) this.#sayOomFloor();
        return id;
      } catch {
        // It was something else: the first error says what.
        this.#oomFloor = before;
        throw runtimeErrorOf(error, 'CreatePodSandboxError');
      }
    }
  }

  /** A sandbox of ours that runs with less than it was to have: the engine said no before this agent started. */
  learnFrom(info: ContainerInspectInfo): void {
    const given = info.HostConfig.OomScoreAdj ?? 0;
    if (info.State.Running && given > this.#oomFloor) this.#oomFloor = given;
  }

  /** The start of a container failed: its next try is created with what every engine may set. */
  learnFromFailure(error: unknown): void {
    if (!mayBeOomScore(error) || this.#oomFloor === NEVER_LOWERED) return;
    this.#oomFloor = NEVER_LOWERED;
    this.#sayOomFloor();
  }

  /** One building of the image for all pods that ask at the same time; asked anew each time, for a person may remove it. */
  #image(): Promise<string> {
    const { slow, options } = this.#engine;
    this.#pauseImage ??= ensurePauseImage(slow, options.arch).finally(
      () => (this.#pauseImage = null),
    );
    return this.#pauseImage;
  }

  /** Once more where something was removed meanwhile, as somebody who clears unused images away does. */
  async #begin(spec: SandboxSpec, image: string): Promise<EngineId> {
    try {
      return await this.#createAndStart(spec, image);
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      return this.#createAndStart(spec, await this.#image());
    }
  }

  async #createAndStart(spec: SandboxSpec, image: string): Promise<EngineId> {
    const { options, slow, cache } = this.#engine;
    const kind = await this.#engine.kind();
    const facts = { owner: options.owner, kind, oomFloor: this.#oomFloor };
    const id = await this.#engine.create(
      sandboxOptions(spec, image, facts),
      sandboxName(spec),
      info =>
        info.Config.Labels[LABEL.sandboxHash] === spec.hash &&
        (info.State.Running || (info.State.Status === 'created' && info.State.ExitCode === 0)),
    );
    try {
      await slow.getContainer(id).start();
    } catch (error) {
      if (statusOf(error) !== 304) {
        // A sandbox that did not start keeps its name and ports from the next attempt.
        await this.#engine.remove(id).catch(() => undefined);
        throw error;
      }
    } finally {
      cache.drop(id);
    }
    return id;
  }

  #sayOomFloor(): void {
    this.#engine.options.log.warn(
      'the engine may not lower oom_score_adj (no CAP_SYS_RESOURCE); pods run with 0 or more',
    );
  }
}
