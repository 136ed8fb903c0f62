/**
 * One node without a hub: real journal, staging and health gate on real files, a clock by hand, pods that do what the test says
 * of their images. What runs is read from the directory, as the pod runner reads it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Activation } from '../../agent/activation/activation.js';
import { openOwnedDirectory } from '../../agent/intake/owned-files.js';
import { Stage } from '../../agent/intake/stage.js';
import type { StageOptions } from '../../agent/intake/stage-options.js';
import { LockGate } from '../../agent/intake/lock-gate.js';
import { WindowGate } from '../../agent/intake/window-gate.js';
import type { Journal } from '../../agent/journal/journal.js';
import { openJournal } from '../../agent/journal/open.js';
import { readJournal } from '../../agent/journal/reader.js';
import type { BundleName, PodReport } from '../../agent/ports.js';
import { hubKeyMemory, type HubKeyMemory } from '../../agent/report/hub-key.js';
import type { Fault } from '../../agent/readiness/faults.js';
import type { ActivateNow, AssignedBundle } from '../../protocol/documents/assignment.js';
import type {
  BundleDocument,
  BundleStrategy,
  MaintenanceWindow,
} from '../../protocol/documents/bundle.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import {
  assigned,
  bundleDocument,
  FLEET,
  NODE_NAME,
  NOW,
  podManifest,
  rootDocument,
  trustedRoot,
} from './fleet.js';
import { acceptAssignment, storeBundle } from './journal-content.js';

/** What becomes of a pod: ready for an hour, crashing, not made at all, ended for good. */
export type Fate = 'ready' | 'crash' | 'absent' | 'failed';

export interface Made {
  readonly document: BundleDocument;
  readonly pods: readonly Record<string, unknown>[];
}

/** The pods of a revision bear its number in their image, so that each revision is told by it. */
export function made(
  name: string,
  revision: number,
  change: { strategy?: Partial<BundleStrategy>; pods?: readonly string[] } = {},
): Made {
  const names = change.pods ?? [name];
  const pods = names.map(pod => podManifest(pod, `${name}:${revision}`));
  const strategy = { ...DEFAULT_STRATEGY, ...change.strategy };
  return { document: bundleDocument(pods, { name, revision, strategy }), pods };
}

export const FIRST = made('shop', 1);
export const SECOND = made('shop', 2);
export const THIRD = made('shop', 3);

export class ActivationWorld {
  readonly dataDir: string;
  readonly manifests: string;
  journal: Journal;
  stage: Stage;
  activation: Activation;
  /** By image. */
  readonly fates = new Map<string, Fate>();
  /** Null: the pods of this start are not known yet. */
  arePodsKnown = true;
  /** What the pod runner says while its engine is away: pods as they were when they were seen last. */
  isEngineAway = false;
  podsAreNeverTold = false;
  /** What the node takes for the time, beyond the seconds that went by; windows go by it alone. */
  clockMs = NOW;
  isTimeKnown = true;
  ownWindows: readonly MaintenanceWindow[] = [];
  hubKey!: HubKeyMemory;
  windows!: WindowGate;
  locks!: LockGate;
  /** Since when, by image of the pod: milliseconds since 1970. */
  readonly updateLocks = new Map<string, number | 'looking' | 'unanswered'>();
  /** Why it could not start what lies there alone, and not come back from another. */
  readonly lacks: { alone: Fault | null; undo: Fault | null } = { alone: null, undo: null };
  /** How often the time changed that something waits for. */
  moved = 0;
  root: RootDocument = rootDocument();
  #nowMs = 0;
  #ids = 0;
  #generation = 0;
  readonly #lingering: PodReport[] = [];
  readonly #more: Partial<StageOptions>;

  /** `dataDir`: of a node that was there before. */
  constructor(more: Partial<StageOptions> = {}, dataDir?: string) {
    this.dataDir = dataDir ?? mkdtempSync(join(tmpdir(), 'flotilla-activation-'));
    this.manifests = join(this.dataDir, 'manifests');
    mkdirSync(this.manifests, { mode: 0o755, recursive: true });
    this.#more = more;
    [this.journal, this.stage, this.activation] = this.#start();
    this.#generation = this.journal.accepted()?.generation ?? 0;
  }

  /** The directory stays. */
  leave(): void {
    this.journal.close();
  }

  close(): void {
    this.journal.close();
    rmSync(this.dataDir, { recursive: true });
  }

  /** The agent is killed and started anew: nothing but the disk survives. */
  restart(): void {
    this.journal.close();
    [this.journal, this.stage, this.activation] = this.#start();
    this.pass();
  }

  /** Revision 1 of shop is healthy, revision 2 (or another whose image is shop:2) is assigned and crashes. */
  crashing(next = SECOND): void {
    this.fates.set('shop:2', 'crash');
    this.assign(FIRST);
    this.wait(11);
    assert.equal(this.state('shop'), 'healthy ContainersSettled');
    this.assign(next);
  }

  store(made: Made): void {
    storeBundle(this.journal, made, { root: trustedRoot(this.root) });
  }

  /** Everything that the bundles need is here; the newest assignment lists them. */
  assign(
    ...bundles: (
      Made | { readonly made: Made; readonly attempt?: number; readonly now?: ActivateNow }
    )[]
  ): void {
    const wanted = bundles.map(one => ('made' in one ? one : { made: one }));
    this.accept(wanted.map(({ made: { document }, ...change }) => assigned(document, change)));
    for (const { made: one } of wanted) this.store(one);
    this.pass();
  }

  accept(bundles: readonly AssignedBundle[]): void {
    const generation = ++this.#generation;
    acceptAssignment(this.journal, { generation, bundles: [...bundles] });
  }

  pass(): void {
    this.#stagePass();
    this.activation.look();
  }

  #stagePass(): void {
    this.stage.pass(this.journal.accepted()?.document ?? null, this.root);
  }

  /** Time goes by, a second at a time; the agent looks at each. */
  wait(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.#nowMs += 1000;
      this.activation.look();
    }
  }

  /** Time goes by and nobody looks. */
  sleep(seconds: number): void {
    this.#nowMs += seconds * 1000;
  }

  status(name: string): BundleStatus {
    const found = this.activation.statuses().find(one => one.name === name);
    if (!found) throw new Error(`no bundle ${name}`);
    return found;
  }

  /** `healthy ContainersSettled`. */
  state(name: string): string {
    const { state, reason } = this.status(name);
    return `${state} ${reason}`;
  }

  /** Images in the directory, sorted. */
  images(): string[] {
    return this.#files()
      .map(({ image }) => image)
      .sort();
  }

  history(): string[] {
    return readJournal(this.dataDir).history.flatMap(({ entry }) =>
      entry.kind === 'bundle' ? [`${entry.name}:${entry.revision} ${entry.state}`] : [],
    );
  }

  #start(): [Journal, Stage, Activation] {
    const monotonic = () => this.#nowMs;
    const clock = { now: () => NOW + this.#nowMs, monotonic, sleep: async () => undefined };
    const quiet = () => undefined;
    const log = { info: quiet, warn: quiet, error: quiet };
    const randomId = () => String(++this.#ids).padStart(32, '0');
    const journal = openJournal({ dataDir: this.dataDir, clock, randomId });
    this.hubKey = hubKeyMemory({
      identity: { fleet: FLEET, node: NODE_NAME },
      kept: journal.alongside('hub-sealing-key'),
      epoch: () => this.root.epoch,
    });
    this.windows = new WindowGate({
      own: this.ownWindows,
      time: () => ({ now: this.clockMs + this.#nowMs, isKnown: this.isTimeKnown }),
      journal,
      onMoved: () => void this.moved++,
    });
    this.locks = new LockGate({
      readLock: ({ pod }) => this.updateLocks.get(pod.spec?.containers[0]?.image ?? '') ?? null,
      pods: () => (this.arePodsKnown ? this.#reports() : null),
      ...{ journal, clock, log },
    });
    const readiness = {
      aloneFault: () => this.lacks.alone,
      undoFault: () => this.lacks.undo,
    };
    const stage = new Stage({
      windows: this.windows,
      locks: this.locks,
      journal,
      directory: openOwnedDirectory(this.manifests),
      clock,
      log,
      whereabouts: () => ({ is: 'coming' }),
      refuses: () => null,
      readiness,
      ...this.#more,
    });
    const pods = () => (this.arePodsKnown ? this.#reports() : null);
    const onGivenUp = () => this.#stagePass();
    const windowOf = (bundle: BundleName) => this.windows.holdOf(bundle);
    const conditions = () => {
      const status = this.isEngineAway ? ('False' as const) : ('True' as const);
      return [{ type: 'ContainerRuntime', status, reason: '', message: '' }];
    };
    const told = { pods, conditions, podsAreNeverTold: this.podsAreNeverTold };
    const activation = new Activation({
      ...told,
      journal,
      clock,
      log,
      onGivenUp,
      sealWords: (bundle, words) => this.hubKey.seal(bundle, words),
      windowOf,
      lockOf: bundle => this.locks.lockOn(bundle),
      readiness,
      cannotReturn: record => stage.cannotReturn(record, this.root),
    });
    return [journal, stage, activation];
  }

  #files() {
    return readdirSync(this.manifests)
      .filter(file => file.startsWith('flotilla_'))
      .map(file => {
        const text = readFileSync(join(this.manifests, file), 'utf8');
        const pod = JSON.parse(text) as {
          metadata: { name: string; annotations: Record<string, string> };
          spec: { containers: { image: string }[] };
        };
        const { name, annotations } = pod.metadata;
        const image = pod.spec.containers[0]?.image ?? '';
        return { name, annotations, image };
      });
  }

  pods(): readonly PodReport[] {
    return this.#reports();
  }

  /** Its file is gone, and it is there still. */
  linger(pod: PodReport): void {
    this.#lingering.push(pod);
  }

  #reports(): PodReport[] {
    return [...this.#lingering, ...this.#fromFiles()];
  }

  #fromFiles(): PodReport[] {
    return this.#files().flatMap(({ name, annotations, image }) => {
      const fate = this.fates.get(image) ?? 'ready';
      if (fate === 'absent') return [];
      const [namespace = '', bundle = ''] = (annotations['flotilla.dev/bundle'] ?? '').split('/');
      const startedAt = new Date(NOW - 3_600_000).toISOString();
      const crashed = { terminated: { exitCode: 3, reason: 'Error', message: 'hunter2' } };
      const waiting = { waiting: { reason: 'CrashLoopBackOff' } };
      const isReady = fate === 'ready';
      const status = {
        ...{ name: 'main', image, imageID: '', ready: isReady, restartCount: isReady ? 0 : 4 },
        state: isReady ? { running: { startedAt } } : fate === 'failed' ? crashed : waiting,
        ...(isReady ? {} : { lastState: crashed }),
      };
      return {
        key: `${namespace}/${name}-${NODE_NAME}`,
        source: 'bundle' as const,
        bundle: { namespace, name: bundle },
        manifestDigest: annotations['flotilla.dev/manifest'] ?? null,
        pod: {
          metadata: { name: `${name}-${NODE_NAME}`, namespace },
          spec: { containers: [{ name: 'main', image }] },
          status: {
            phase: fate === 'failed' ? 'Failed' : 'Running',
            containerStatuses: [status],
          },
        },
      };
    });
  }
}
