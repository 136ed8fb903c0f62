/** One node in memory: a simulated engine and clock, the agent's loop, a source that a test speaks through. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigObject } from '../../agent/pods/config-objects.js';
import type { PodSource, SourceSnapshot } from '../../agent/pods/desired.js';
import type { BundleName, NewEvent, PodReport } from '../../agent/ports.js';
import type { Pods, PodsOptions } from '../../agent/pods/pods.js';
import { startPods } from '../../agent/pods/reconcile.js';
import type { VersionStore } from '../../agent/pods/versions.js';
import type {
  ObservedContainer,
  ObservedSandbox,
  SandboxSpec,
} from '../../agent/runtime/runtime.js';
import type { ValidPod } from '../../protocol/pod.js';
import { NODE, T0 } from '../support/pods.js';
import { SimulatedClock } from './clock.js';
import { SimulatedEngine } from './engine.js';
import { SimulatedRuntime } from './runtime.js';

export class SpokenSource implements PodSource {
  #snapshot: SourceSnapshot = {
    kind: 'file',
    complete: false,
    pods: [],
    refused: [],
    conditions: [],
    objects: [],
  };
  readonly #listeners = new Set<() => void>();

  snapshot(): SourceSnapshot {
    return this.#snapshot;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** ConfigMaps and Secrets, in place of those before. */
  have(...objects: readonly ConfigObject[]): void {
    this.#snapshot = { ...this.#snapshot, objects };
    for (const listener of this.#listeners) listener();
  }

  /** Whose all of them are. */
  bundle: BundleName | null = null;

  say(...pods: readonly ValidPod[]): void {
    this.#snapshot = {
      ...this.#snapshot,
      complete: true,
      pods: pods.map(manifest => ({
        manifest,
        origin: `${manifest.metadata.name}.yaml`,
        bundle: this.bundle,
        manifestDigest: null,
      })),
    };
    for (const listener of this.#listeners) listener();
  }
}

/** Outlives the agent. */
export class MemoryVersions implements VersionStore {
  readonly rows = new Map<string, string>();
  writes = 0;
  isFull = false;

  all(): ReadonlyMap<string, string> {
    return new Map(this.rows);
  }

  remember(uid: string, version: string): void {
    if (this.isFull) throw new Error('disk full');
    this.writes += 1;
    this.rows.set(uid, version);
  }

  forget(uids: readonly string[]): void {
    this.writes += 1;
    for (const uid of uids) this.rows.delete(uid);
  }
}

export class SimulatedNode {
  readonly clock = new SimulatedClock(T0);
  readonly engine = new SimulatedEngine(this.clock);
  readonly events: NewEvent[] = [];
  readonly errors: string[] = [];
  /** On the node's disk: what pods were made from. */
  readonly versions = new MemoryVersions();
  source = new SpokenSource();
  pods: Pods;
  #activity = 0;
  readonly #parts: (node: SimulatedNode) => Partial<PodsOptions>;
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'flotilla-sim-'));

  constructor(parts: (node: SimulatedNode) => Partial<PodsOptions> = () => ({})) {
    this.#parts = parts;
    this.engine.addImage('busybox:1');
    this.engine.fault = () => {
      this.#activity += 1;
    };
    this.pods = this.#start();
  }

  #start(): Pods {
    const silent = () => undefined;
    return startPods({
      runtime: new SimulatedRuntime(this.engine, 'own'),
      sources: [this.source],
      events: { record: event => this.events.push(event) },
      clock: this.clock,
      log: { info: silent, warn: silent, error: message => this.errors.push(message) },
      node: { name: NODE, hostIP: '10.0.0.7' },
      dataDir: this.#dataDir,
      versions: this.versions,
      ...this.#parts(this),
    });
  }

  /** Counts calls to the engine and then does what `fault` does. */
  setFault(fault: SimulatedEngine['fault']): void {
    this.engine.fault = call => {
      this.#activity += 1;
      fault(call);
    };
  }

  async until(what: string, condition: () => boolean, limitMs?: number): Promise<void> {
    const activity = () => this.#activity;
    const limit = limitMs === undefined ? {} : { limitMs };
    await this.clock.until(what, condition, { activity, ...limit });
  }

  async settle(): Promise<void> {
    await this.clock.settle(() => this.#activity);
  }

  /** A new agent on the same engine and data; its source has not spoken yet. */
  async restart(): Promise<void> {
    await this.stopAgent();
    this.source = new SpokenSource();
    this.pods = this.#start();
  }

  async stopAgent(): Promise<void> {
    let isOver = false;
    const stopping = this.pods.stop().then(() => (isOver = true));
    await this.until('the agent has ended', () => isOver);
    await stopping;
  }

  async close(): Promise<void> {
    await this.stopAgent();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  report(name: string): PodReport | undefined {
    return this.pods.reports().find(report => report.pod.metadata?.name === `${name}-${NODE}`);
  }

  phase(name: string): string | undefined {
    return this.report(name)?.pod.status?.phase;
  }

  /** Containers of a pod on the engine, newest attempt last. */
  containers(pod: string, name = 'app'): ObservedContainer[] {
    return [...this.engine.containers.values()]
      .filter(one => one.pod.name === `${pod}-${NODE}` && one.name === name)
      .sort((a, b) => a.attempt - b.attempt);
  }

  running(pod: string, name = 'app'): ObservedContainer | undefined {
    return this.containers(pod, name).find(one => one.state === 'running');
  }

  sandbox(pod: string): (ObservedSandbox & { readonly spec: SandboxSpec }) | undefined {
    return [...this.engine.sandboxes.values()].find(
      one => one.pod.name === `${pod}-${NODE}` && one.ready,
    );
  }
}
