/**
 * Takes the steps of one pod's plan: as many at once as their order allows, each as if it might have been done
 * already, until all are taken or the signal says to stop between two steps.
 *
 * Decides nothing: what depends on what stands in `steps.ts`, what to make in `pod-spec.ts`. A step that fails
 * ends those that need it and no other (kubelet behaviour row 80).
 */
import type { FailureKind } from './back-off.js';
import { gatherContainer } from './container-facts.js';
import type { DesiredPod } from './desired.js';
import type { HookRunner } from './health.js';
import { hostAddresses } from './field-values.js';
import { writeHosts, writeResolvConf } from './managed-files.js';
import type { NodeFiles } from './node-files.js';
import { findBoundImage, pullBoundImage } from '../images/bound-image.js';
import type { ImagePulls } from '../images/pulls.js';
import type { PodPlan } from './plan.js';
import * as say from './pod-events.js';
import { podIdentity, sandboxSpec, type NodeFacts } from './pod-spec.js';
import {
  RuntimeError,
  type ContainerRuntime,
  type EngineId,
  type PodIdentity,
} from '../runtime/runtime.js';
import { gracePeriod } from './plan-views.js';
import { failureEvents, failureOf, reasonOf } from './step-failure.js';
import { endsBefore, waitFor, type Step, type StepKind } from './steps.js';
import { LOOPBACK } from './stop-order.js';
import { Stopping, type GraceLimit } from './stopping.js';
import type { StopsUnderWay } from './stops-under-way.js';
import type { TerminationMessages } from './termination-messages.js';
import type { PodVolumes } from '../volumes/volumes.js';
import { allContainers, type Container, type LifecycleHandler } from '../../protocol/pod.js';
import type { Clock } from '../../protocol/ports.js';

export interface StepOutcome {
  readonly step: Step;
  readonly kind: FailureKind;
  /** What the failure is remembered under. */
  readonly key: string;
  readonly result:
    | { readonly is: 'done' }
    | { readonly is: 'failed'; readonly reason: string; readonly message: string }
    /** The engine does not answer: nobody's fault, nothing to remember. */
    | { readonly is: 'unavailable'; readonly message: string };
}

export interface ExecuteTools {
  readonly runtime: ContainerRuntime;
  readonly images: ImagePulls;
  readonly volumes: PodVolumes;
  readonly files: NodeFiles;
  readonly terminationMessages: Pick<TerminationMessages, 'prepare'>;
  readonly node: NodeFacts;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly tell: (pod: PodIdentity, event: say.PodEvent) => void;
  /** Called as soon as a step is over. */
  readonly onOutcome: (outcome: StepOutcome) => void;
  readonly hooks: HookRunner;
  /** A container's postStart hook began or is over (row 110). */
  readonly onPostStart: (id: EngineId, isRunning: boolean) => void;
  readonly stops: Pick<StopsUnderWay, 'begin' | 'end'>;
  /** What is left of a pod that had this uid begins to end for good. */
  readonly onEnding: (uid: string) => void;
  readonly limit: GraceLimit;
}

/** Who the steps are about, where the plan has no manifest: a pod that is only ended. */
export interface ExecuteInput {
  readonly plan: PodPlan;
  readonly identities: ReadonlyMap<string, PodIdentity>;
}

const ENDING: ReadonlySet<StepKind> = new Set([
  'runPreStop',
  'stopContainer',
  'stopSandbox',
  'removeContainer',
  'removeSandbox',
]);

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The run of one plan. */
class Execution {
  readonly #input: ExecuteInput;
  readonly #tools: ExecuteTools;
  /** Resolves to true when the step succeeded. */
  readonly #taken = new Map<Step, Promise<boolean>>();
  /** Engine ids of what this run made. */
  #sandboxId: EngineId | null = null;
  readonly #made = new Map<string, EngineId>();
  #addresses: Promise<readonly string[]> | null = null;
  readonly #stopping: Stopping;
  readonly #condemned = new Set<string>();
  #aboutDns: readonly { reason: string; message: string }[] = [];

  constructor(input: ExecuteInput, tools: ExecuteTools) {
    this.#input = input;
    this.#tools = tools;
    this.#stopping = new Stopping(tools);
  }

  async run(): Promise<void> {
    const { steps } = this.#input.plan;
    for (const [index, step] of steps.entries()) {
      const before = steps.slice(0, index).map(earlier => ({
        wait: waitFor(step, earlier),
        isDone: this.#taken.get(earlier) ?? Promise.resolve(false),
      }));
      this.#taken.set(step, this.#take(step, before));
    }
    await Promise.all(this.#taken.values());
  }

  async #take(
    step: Step,
    before: readonly { wait: 'success' | 'end' | 'none'; isDone: Promise<boolean> }[],
  ): Promise<boolean> {
    for (const { wait, isDone } of before) {
      if (wait === 'none') continue;
      if (!(await isDone) && wait === 'success') return false;
    }
    const isBound = step.do === 'stopContainer' && this.#stopping.isTold(step.id);
    if (this.#tools.signal.aborted && !isBound) return false;
    const { kind, key } = failureOf(step, this.#input.plan.desired);
    try {
      await this.#do(step);
      this.#tools.onOutcome({ step, kind, key, result: { is: 'done' } });
      return true;
    } catch (error) {
      if (this.#tools.signal.aborted) return false;
      const message = messageOf(error);
      if (error instanceof RuntimeError && error.code === 'EngineUnavailable') {
        this.#tools.onOutcome({ step, kind, key, result: { is: 'unavailable', message } });
        return false;
      }
      const reason = reasonOf(step, error);
      for (const event of failureEvents(step, { reason, message })) this.#tell(step.uid, event);
      this.#tools.onOutcome({ step, kind, key, result: { is: 'failed', reason, message } });
      return false;
    }
  }

  #tell(uid: string, event: say.PodEvent): void {
    const { desired } = this.#input.plan;
    const pod = desired?.uid === uid ? podIdentity(desired) : this.#input.identities.get(uid);
    if (pod !== undefined) this.#tools.tell(pod, event);
  }

  get #desired(): DesiredPod {
    const { desired } = this.#input.plan;
    if (desired === null) throw new Error('a plan without a manifest makes nothing');
    return desired;
  }

  #container(name: string): Container {
    const found = allContainers(this.#desired.pod).find(container => container.name === name);
    if (found === undefined) throw new Error(`the manifest has no container ${name}`);
    return found;
  }

  async #do(step: Step): Promise<void> {
    const { runtime, volumes } = this.#tools;
    if (ENDING.has(step.do) && step.uid !== this.#input.plan.desired?.uid) {
      await this.#condemn(step.uid);
    }
    switch (step.do) {
      case 'pullImage':
        return this.#pull(step);
      case 'runPreStop':
        this.#beginStop(step);
        return this.#stopping.runHook(step);
      case 'stopContainer':
        return this.#stop(step);
      case 'removeContainer':
        return runtime.removeContainer(step.id);
      case 'stopSandbox':
        return runtime.stopSandbox(step.id, step.graceSeconds);
      case 'removeSandbox':
        return runtime.removeSandbox(step.id);
      case 'removePodData':
        return volumes.remove(step.uid);
      case 'removeVolumes':
        return volumes.removeVolumes(step.uid);
      case 'prepareVolumes':
        return this.#prepare();
      case 'runSandbox':
        if (step.attempt > 0) this.#tell(step.uid, say.sandboxChanged());
        this.#sandboxId = await runtime.runSandbox(
          sandboxSpec(this.#desired, step.attempt, this.#tools.node),
        );
        for (const about of this.#aboutDns) this.#tell(step.uid, say.aboutDns(about));
        // Asked for while the containers are made; whoever needs the answer hears of its failure.
        this.#podIPs().catch(() => undefined);
        return;
      case 'createContainer':
        return this.#create(step);
      case 'startContainer':
        return this.#start(step);
    }
  }

  async #condemn(uid: string): Promise<void> {
    const isFirst = !this.#condemned.has(uid);
    this.#condemned.add(uid);
    this.#tools.onEnding(uid);
    const { steps } = this.#input.plan;
    if (!isFirst || !steps.some(one => one.do === 'removePodData' && one.uid === uid)) return;
    // Where nothing can be written the pod ends all the same.
    await this.#tools.volumes.condemn(uid).catch(() => undefined);
  }

  async #pull({ image, container, isAhead }: Step & { do: 'pullImage' }): Promise<void> {
    const { runtime, images, clock, signal } = this.#tools;
    const policy = this.#container(container).imagePullPolicy ?? 'IfNotPresent';
    const { uid, bindings } = this.#desired;
    const digests = bindings.get(image);
    const isPresent = async () => {
      if (digests === undefined) return (await runtime.imageStatus(image)) !== null;
      return (await findBoundImage(runtime, image, digests)) !== null;
    };
    if (isAhead && (await isPresent())) return;
    // What is bound cannot have changed at the registry: Always has nothing to ask there.
    if ((policy !== 'Always' || digests !== undefined) && (await isPresent())) {
      this.#tell(uid, say.present(image, container));
      return;
    }
    if (policy === 'Never') {
      const bound = digests === undefined ? '' : ` in the content that its bundle binds it to`;
      const message = `Container image "${image}" is not present${bound} with pull policy of Never`;
      throw new RuntimeError('ErrImageNeverPull', message);
    }
    this.#tell(uid, say.pulling(image, container));
    const { auth, missing } = await images.credentials(image, this.#desired);
    if (missing.length > 0) this.#tell(uid, say.pullSecretsMissing(missing));
    const from = clock.monotonic();
    if (digests === undefined) await images.pull(image, auth, signal);
    else await pullBoundImage(images, { image, digests }, { auth, signal });
    this.#tell(uid, say.pulled(image, container, clock.monotonic() - from));
  }

  async #prepare(): Promise<void> {
    const { volumes } = this.#tools;
    const { sandbox } = this.#input.plan;
    await volumes.prepare(this.#desired, this.#tools.node, sandbox === null);
    await writeHosts(this.#desired, sandbox?.ips ?? [], this.#tools);
    this.#aboutDns = await writeResolvConf(this.#desired, this.#tools);
  }

  /** The pod's addresses, after they stand in the hosts file. */
  #podIPs(): Promise<readonly string[]> {
    this.#addresses ??= this.#findAddresses();
    return this.#addresses;
  }

  async #findAddresses(): Promise<readonly string[]> {
    const { sandbox } = this.#input.plan;
    const { runtime, node } = this.#tools;
    // Rows 106 and 146 done better: with the host's network the pod is where the node is.
    if (this.#desired.pod.spec.hostNetwork === true) return hostAddresses(node);
    if (sandbox !== null && sandbox.ips.length > 0) return sandbox.ips;
    const id = this.#sandboxId ?? sandbox?.id;
    const { sandboxes } = await runtime.observe();
    const ips = sandboxes.find(one => one.id === id)?.ips ?? [];
    if (ips.length > 0) await writeHosts(this.#desired, ips, this.#tools);
    return ips;
  }

  async #create(step: Step & { do: 'createContainer' }): Promise<void> {
    const { runtime } = this.#tools;
    const desired = this.#desired;
    const container = this.#container(step.container);
    const sandboxId = step.sandboxId ?? this.#sandboxId;
    if (sandboxId === null) throw new Error('there is no sandbox to join');
    const spec = await gatherContainer(
      { desired, container, attempt: step.attempt, round: step.round },
      {
        ...this.#tools,
        podIPs: () => this.#podIPs(),
        tellPod: event => this.#tell(desired.uid, event),
      },
    );
    const id = await runtime.createContainer(sandboxId, podIdentity(desired), spec);
    this.#made.set(step.container, id);
    this.#tell(desired.uid, say.created(step.container));
  }

  async #start(step: Step & { do: 'startContainer' }): Promise<void> {
    const id = step.id ?? this.#made.get(step.container);
    if (id === undefined) throw new Error(`container ${step.container} was not created`);
    const [host = ''] = await this.#podIPs();
    await this.#tools.runtime.startContainer(id);
    this.#tell(step.uid, say.started(step.container));
    const postStart = this.#container(step.container).lifecycle?.postStart;
    if (postStart !== undefined) await this.#postStart({ id, step, handler: postStart, host });
  }

  /** Row 111: a hook that fails ends its container. */
  async #postStart(of: {
    readonly id: EngineId;
    readonly step: Step & { do: 'startContainer' };
    readonly handler: LifecycleHandler;
    readonly host: string;
  }): Promise<void> {
    const { hooks, runtime, signal, onPostStart } = this.#tools;
    const { id, step, handler } = of;
    const container = this.#container(step.container);
    // P21: whatever address of the node such a pod is shown with.
    const host = this.#desired.pod.spec.hostNetwork === true ? LOOPBACK : of.host;
    onPostStart(id, true);
    try {
      await hooks.run(handler, { id, container, host }, signal);
    } catch (error) {
      this.#tell(step.uid, say.postStartFailed(step.container, messageOf(error)));
      const { terminationGracePeriodSeconds } = this.#desired.pod.spec;
      await runtime.stopContainer(id, gracePeriod(terminationGracePeriodSeconds));
      throw error;
    } finally {
      onPostStart(id, false);
    }
  }

  async #stop(step: Step & { do: 'stopContainer' }): Promise<void> {
    this.#tell(step.uid, say.killing(step.container, step.reason));
    this.#beginStop(step);
    const before = [...this.#taken].filter(([earlier]) => endsBefore(earlier, step));
    try {
      await this.#stopping.stop(
        step,
        before.map(([, isDone]) => isDone),
      );
    } finally {
      this.#tools.stops.end(step.id);
    }
  }

  #beginStop({ id, graceSeconds }: Step & { do: 'runPreStop' | 'stopContainer' }): void {
    this.#tools.stops.begin(id, { since: this.#tools.clock.now(), graceSeconds });
  }
}

/** Resolves when every step is over or will not be taken. Never throws for what a step came to. */
export async function execute(input: ExecuteInput, tools: ExecuteTools): Promise<void> {
  await new Execution(input, tools).run();
}
