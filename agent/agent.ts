/**
 * Builds a running agent from its parts, in order, and takes it down in the reverse order; what runs on the engine goes on.
 * Nothing is decided here.
 */
import { randomBytes } from 'node:crypto';
import { budgetOf } from '../protocol/budget.js';
import type { Clock, Log } from '../protocol/ports.js';
import type { AgentConfig } from './config.js';
import { ToldConnection } from './connection/told.js';
import { apiSources, type Held } from './api-sources.js';
import { checkStaticPodPath, openDataDirectory } from './data-directory.js';
import { makeOnFirstUse } from './first-use.js';
import type { StoredIdentity } from './membership/identity.js';
import { openImagePulls } from './images/pulls.js';
import { registrySize } from './images/registry-size.js';
import { openJournal } from './journal/open.js';
import { tellFault } from './journal/tell-fault.js';
import { tellReset } from './journal/tell-reset.js';
import { keepReserve } from './journal/reserve.js';
import { watchNodeDisks } from './disk/node.js';
import { beMember } from './machine-member.js';
import { architecture } from './node-info.js';
import { watchKubelet } from './pods/kubelet-pods.js';
import { shutdownPeriods } from './pods/node-shutdown.js';
import type { Pods } from './pods/pods.js';
import { runPodsOnEngine } from './pods-on-engine.js';
import { watchEngine } from './engine-watches.js';
import { DockerRuntime } from './runtime/docker.js';
import { NodeParameters } from './parameters/node-parameters.js';
import { SealedSecrets } from './secrets/sealed-secrets.js';
import { openSealingKeys } from './secrets/sealing-keys.js';
import { lockDirectory } from './sources/directory-lock.js';
import { watchOwnedFiles } from './sources/owned-watch.js';
import { watchKernelClock } from './time/kernel-clock.js';
import { thisMachine } from './time/machine.js';
import { Budgets } from './usage/budgets.js';
import { Meter } from './usage/meter.js';
import { writtenBytes } from './usage/process-io.js';
import { AgentError, serveLoopback, serveSocket } from './api/server.js';

export interface AgentOptions {
  readonly config: AgentConfig;
  /** As a start would read them now. Throws `ConfigError`. */
  readonly readSettings?: () => unknown;
  /** Null: a stand-alone kubelet for Docker. */
  readonly identity: StoredIdentity | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RunningAgent {
  /** The machine goes down: pods end by priority, if `shutdownGracePeriod` says so; else they run on. */
  endPods(): Promise<void>;
  close(): Promise<void>;
}

type Closing = () => Promise<void> | void;

/** Rejects with a sentence when it cannot start; leaves nothing running of itself then. */
export async function runAgent(options: AgentOptions): Promise<RunningAgent> {
  const closings: Closing[] = [];
  const close = async () => {
    for (const closing of closings.splice(0).reverse()) await closing();
  };
  try {
    const pods = await assemble(options, closings);
    const endPods = () => endByPriority(pods, options.config.shutdown);
    return { close, endPods };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Row 186: pods of critical priority have the last part of the grace to themselves. */
async function endByPriority(pods: Pods, shutdown: AgentConfig['shutdown']): Promise<void> {
  if (shutdown === null) return;
  const seconds = (ms: number) => Math.floor(ms / 1000);
  await pods.shutdown(shutdownPeriods(seconds(shutdown.graceMs), seconds(shutdown.criticalMs)));
}

/** Throws when another agent has it; returns what gives it back. */
function takeDirectory(path: string, log: Log): () => void {
  const lock = lockDirectory(path);
  if (lock.is === 'locked') return lock.release;
  if (lock.is === 'held') {
    const who = lock.pid === null ? '' : ` (process ${lock.pid})`;
    throw new AgentError(
      `${path}: another agent works on this static pod directory${who}; two would run every pod ` +
        'twice. Stop that one, or give this one another --static-pod-path',
    );
  }
  const { detail } = lock;
  log.warn('the static pod directory cannot be locked against a second agent', { path, detail });
  return () => undefined;
}

async function assemble(options: AgentOptions, closings: Closing[]): Promise<Pods> {
  const { config, identity, clock, log } = options;
  const safety = { uid: process.getuid?.() ?? 0, tolerated: identity === null ? log : null };
  const dataDir = openDataDirectory(config.dataDir, safety);

  const runtime = new DockerRuntime({
    socketPath: config.engineSocket,
    owner: dataDir,
    arch: process.arch,
    podLogs: config.podLogsDir,
    killTogether: !config.singleProcessOOMKill,
    clock,
    log,
    randomSuffix: () => randomBytes(4).toString('hex'),
  });
  const policy = config.admission;
  const connection = new ToldConnection({
    ...{ isJoined: identity !== null, clock },
    time: () => held.session?.time().at ?? clock.now(),
  });
  const held: Held = {
    connection,
    journal: null,
    pods: null,
    session: null,
    meter: null,
    budgets: null,
    disks: null,
    secrets: null,
    parameters: null,
    hasLocalSecret: () => false,
    member: null,
    images: null,
    engine: () => '',
    probeTotals: () => [],
  };
  // First of all: it is what a second agent on this directory is refused by.
  const sources = apiSources({ config, identity, policy, clock, log }, { held, runtime });
  const socket = await serveSocket(config.socketPath, sources);
  closings.push(() => socket.close());
  if (config.apiListen !== null) {
    const loopback = await serveLoopback(config.apiListen, sources);
    closings.push(() => loopback.close());
  }

  const machine = thisMachine();
  const randomId = () => randomBytes(16).toString('hex');
  const { retention, nodeName: node } = config;
  const gatherMs = () => held.budgets?.pace().writeMs ?? 0;
  const journal = openJournal({ dataDir, clock, machine, randomId, retention, node, gatherMs });
  keepReserve(dataDir);
  held.journal = journal;
  closings.push(() => journal.close());
  // A member's session knows better.
  const onChange = () => undefined;
  const kernelClock = identity === null ? watchKernelClock({ clock, onChange }) : null;
  closings.push(() => kernelClock?.close());
  const meter = new Meter({
    store: journal.alongside('usage'),
    time: () =>
      held.session?.time() ?? { at: clock.now(), isProven: kernelClock?.isSynced() === true },
    clock,
    written: writtenBytes,
  });
  held.meter = meter;
  const budgets = new Budgets({
    own: config.budget,
    ofHub: () => budgetOf(journal.accepted()?.document.parameters ?? {}),
    meter,
    now: () => held.session?.time().at ?? clock.now(),
  });
  held.budgets = budgets;
  closings.push(() => meter.close());
  if (journal.setAside)
    log.warn('the journal was damaged and set aside', { file: journal.setAside });
  tellFault(journal, log, () => held.session?.changed());
  tellReset(journal, { node: config.nodeName, log });
  makeOnFirstUse(config.staticPodPath, dataDir);
  const isMember = identity !== null;
  const isSafe = checkStaticPodPath(config.staticPodPath, { uid: safety.uid, isMember, log });
  // Where others may put a link in the place of the lock, a member makes none.
  if (isSafe || !isMember) closings.push(takeDirectory(config.staticPodPath, log));
  const isEngine = config.runtime === 'engine';
  const disks = watchNodeDisks({
    ...{ dataDir, staticPodPath: config.staticPodPath, clock, log },
    engineDirectory: isEngine ? () => runtime.imageFilesystem() : null,
    onChange: () => held.session?.changed(),
  });
  held.disks = disks;
  closings.push(() => disks.stop());
  if (isEngine) {
    const engine = watchEngine(runtime, { clock, log, socket: config.engineSocket });
    held.engine = engine.version;
    closings.push(engine.close);
  }
  const { maxParallelPulls, pullMaxBytes, credentialsFile } = config.images;
  const pulls = openImagePulls({
    store: runtime,
    log,
    maxParallel: maxParallelPulls,
    limits: {
      maxBytes: pullMaxBytes,
      bytesToPull: registrySize({
        arch: architecture(),
        layersHere: () => runtime.layers(),
        log,
      }),
      filesystem: () => runtime.imageFilesystem(),
    },
    onProgress: () => held.session?.changed(),
    onBytes: bytes => meter.pulled(bytes),
    ...(credentialsFile === null ? {} : { registryCredentials: credentialsFile }),
  });
  if (identity) {
    held.secrets = new SealedSecrets({
      node: identity.node,
      store: journal.secrets(),
      sealingKeys: openSealingKeys(dataDir),
      assignment: () => journal.accepted()?.document ?? null,
      log,
    });
    held.parameters = new NodeParameters(journal);
    const parts = { journal, held, machine, closings, runtime, pulls, meter, budgets };
    const more = { identity, dataDir, policy, ...parts };
    const member = beMember({ ...options, ...more });
    held.member = member;
    closings.push(() => member.close());
  }

  const pods = isEngine
    ? await runPodsOnEngine(
        { config, policy, dataDir, runtime, pulls, journal, held, clock, log },
        closings,
      )
    : watchKubelet({ url: config.kubeletPods, clock, log });
  if (!isEngine) {
    closings.push(() => pods.stop());
    const owned = watchOwnedFiles({
      path: config.staticPodPath,
      clock,
      everyMs: config.fileCheckFrequencyMs,
      uid: safety.uid,
      onDoubt: () => held.session?.intake.repair(),
    });
    closings.push(() => owned.stop());
  }
  held.pods = pods;
  pods.onChange(() => held.session?.changed());
  log.info('the agent is up', {
    node: config.nodeName,
    staticPodPath: config.staticPodPath,
    hub: identity?.membership.hubUrl ?? 'none (stand-alone)',
    boot: journal.boot,
  });
  return pods;
}
