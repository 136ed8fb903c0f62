/**
 * One life of an agent, put together as `agent/agent.ts` does it, from the real parts: journal, session with its hub,
 * static pod directory, pod runner, probes and images. Only engine and machine are simulated.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startHubSession, type HubSession } from '../../agent/hub-session.js';
import { ImagesAhead } from '../../agent/images/ahead.js';
import { openImagePulls, type ImagePulls } from '../../agent/images/pulls.js';
import { openOwnedDirectory } from '../../agent/intake/owned-files.js';
import type { Journal } from '../../agent/journal/journal.js';
import { openJournal } from '../../agent/journal/open.js';
import { missingObjectGate } from '../../agent/volumes/missing-objects.js';
import type { HostMounts } from '../../agent/volumes/host-mounts.js';
import { HostPathLocks } from '../../agent/volumes/host-path-locks.js';
import { HostPathPatience } from '../../agent/volumes/host-path-patience.js';
import { reachHostPath } from '../../agent/volumes/host-path-reach.js';
import { openUpdateLocks } from '../../agent/volumes/update-locks.js';
import { openPodVolumes } from '../../agent/volumes/volumes.js';
import { openPlainSocket } from '../../agent/link/link.js';
import type { NodeInfo } from '../../agent/node-info.js';
import { tryBundleAgain } from '../../agent/pods/tried-again.js';
import type { Pods } from '../../agent/pods/pods.js';
import { startPods } from '../../agent/pods/reconcile.js';
import { openProbes } from '../../agent/probes/open-probes.js';
import type { Machine } from '../../agent/time/machine.js';
import { admission } from '../../agent/admission/admit.js';
import { DEFAULT_POLICY } from '../../agent/admission/policy.js';
import { secretGate } from '../../agent/secrets/secret-gates.js';
import { SealedSecrets } from '../../agent/secrets/sealed-secrets.js';
import { openSealingKeys } from '../../agent/secrets/sealing-keys.js';
import { withObjects } from '../../agent/sources/with-objects.js';
import { openFileSource } from '../../agent/sources/files.js';
import type { MaintenanceWindow } from '../../protocol/documents/bundle.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { Signer } from '../../protocol/keys.js';
import { FLEET, trustedRoot } from '../support/fleet.js';
import type { EngineLine } from './engine-line.js';
import type { Switched } from './switches.js';
import { watchWords } from './words.js';

const FILE_CHECK_MS = 20_000;
const BACK_OFF_MAX_MS = 60_000;

const NODE_INFO: NodeInfo = {
  info: {
    addresses: [{ type: 'InternalIP', address: '10.0.0.7' }],
    architecture: 'amd64',
    operatingSystem: 'linux',
    osImage: 'simulation',
    kernelVersion: '0',
    bootID: 'boot',
    machineID: 'machine',
  },
  capacity: { cpu: '4', memory: '4Gi', pods: '110' },
  allocatable: { cpu: '4', memory: '4Gi', pods: '110' },
};

export interface LifeParts {
  readonly node: string;
  /** As it is on the disk now. */
  readonly signer: () => Signer;
  readonly dataDir: string;
  readonly manifests: string;
  readonly engine: EngineLine;
  readonly machine: Machine;
  readonly hostMounts: HostMounts;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly maintenanceWindows: readonly MaintenanceWindow[];
  /** Before it is written down. */
  readonly onSwitch: (switched: Switched) => void;
  /** It makes a status. */
  readonly onWord: (journal: Journal) => void;
}

export interface AgentLife {
  readonly journal: Journal;
  /** The newest, though it may have ended. */
  readonly session: HubSession;
  /** Its keys change: there is no conversation with the hub. */
  isPaused(): boolean;
  /** Between two conversations with the hub; the second begins with the keys of then. */
  apart(work: () => Promise<void>): Promise<void>;
  randomId(): string;
  /** Null until its sources were read. */
  readonly pods: () => Pods | null;
  close(): Promise<void>;
}

/** What is not waited for goes on; `onFault` hears why it could not start. */
export function startAgent(parts: LifeParts, onFault: (error: unknown) => void): AgentLife {
  const { node, dataDir, manifests, clock, machine, random, log } = parts;
  const randomId = () =>
    Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  mkdirSync(manifests, { recursive: true, mode: 0o755 });
  const journal = openJournal({ dataDir, clock, machine, randomId, node });
  watchSwitches(journal, parts.onSwitch);
  watchWords(journal, () => parts.onWord(journal));
  const held: { pods: Pods | null; session: HubSession | null } = { pods: null, session: null };
  const pulls = openImagePulls({
    store: parts.engine,
    log,
    onProgress: () => held.session?.changed(),
  });
  const secrets = new SealedSecrets({
    ...{ node, log, store: journal.secrets(), sealingKeys: openSealingKeys(dataDir) },
    assignment: () => journal.accepted()?.document ?? null,
  });
  const images = new ImagesAhead({
    ...{ store: parts.engine, pulls, clock, log },
    objects: () => secrets.objects(),
    onChange: () => held.session?.intake.look(),
  });
  const hostPathLocks = new HostPathLocks({
    clock,
    patience: new HostPathPatience(clock, reachHostPath),
  });
  const begin = () =>
    startHubSession({
      identity: { fleet: FLEET, node, signer: parts.signer() },
      ...{ journal, clock, random, randomId, log, machine, images, secrets },
      hasLocalSecret: () => false,
      onTriedAgain: bundle => tryBundleAgain(held.pods, bundle),
      readLock: openUpdateLocks(dataDir, hostPathLocks),
      directory: openOwnedDirectory(manifests),
      pinnedRoot: trustedRoot(),
      releasedAt: 0,
      kernelSynced: () => false,
      arch: 'amd64',
      agentVersion: '0.1.0',
      containerRuntimeVersion: () => 'simulated://1.0.0',
      nodeInfo: () => NODE_INFO,
      refuses: () => null,
      maintenanceWindows: parts.maintenanceWindows,
      pods: () => (held.pods?.areKnown() ? held.pods.reports() : null),
      conditions: () => held.pods?.conditions() ?? [],
      brokers: ['mqtt://broker:1883'],
      openSocket: openPlainSocket,
    });
  let session = begin();
  held.session = session;
  const runner = runPods(parts, { journal, session: () => held.session, pulls, secrets });
  runner
    .then(({ pods }) => {
      held.pods = pods;
      pods.onChange(() => held.session?.changed());
      held.session?.changed();
    })
    .catch(onFault);
  return {
    ...{ journal, randomId, pods: () => held.pods },
    get session() {
      return session;
    },
    isPaused: () => held.session === null,
    apart: async work => {
      held.session = null;
      await session.close();
      await work();
      secrets.keysChanged();
      session = begin();
      held.session = session;
    },
    close: async () => {
      const { close } = await runner;
      await close();
      await held.session?.close();
      images.close();
      journal.close();
    },
  };
}

/** As close to the moment as one can be. */
function watchSwitches(journal: Journal, onSwitch: LifeParts['onSwitch']): void {
  const activate = journal.activate.bind(journal);
  journal.activate = (to, files, by) => {
    const record = journal.bundles().find(({ name }) => name === to.name);
    onSwitch({ to, by, active: record?.active ?? null, holds: journal.site().holds() });
    activate(to, files, by);
  };
}

interface RunnerParts {
  readonly journal: Journal;
  /** Null while its keys change. */
  readonly session: () => HubSession | null;
  readonly pulls: ImagePulls;
  readonly secrets: SealedSecrets;
}

async function runPods(
  { node, dataDir, manifests, clock, random, log, engine, hostMounts }: LifeParts,
  { journal, session, pulls, secrets }: RunnerParts,
): Promise<{ pods: Pods; close: () => Promise<void> }> {
  const files = await openFileSource({
    ...{ path: manifests, dataDir, nodeName: node, clock, log, events: journal },
    explains: (file, bytes) => session()?.intake.explains(file, bytes) ?? false,
    trusted: process.getuid?.() ?? 0,
    fileCheckFrequencyMs: FILE_CHECK_MS,
    onOwnedInDoubt: () => session()?.intake.repair(),
  });
  const probes = openProbes({ containers: engine, dataDir, clock, log, random });
  const gates = [missingObjectGate, secretGate({ allowSecretEnv: false, mountProblem: null })];
  const pods = startPods({
    ...{
      runtime: engine,
      sources: [withObjects(files, [secrets])],
      dataDir,
      events: journal,
      clock,
      log,
      images: pulls,
    },
    volumes: openPodVolumes({ dataDir, clock, hostMounts }),
    admission: admission({
      ...{ policy: DEFAULT_POLICY, gates, editGates: gates },
      node: { name: node, labels: {}, allocatable: NODE_INFO.allocatable },
    }),
    node: { name: node, hostIP: '10.0.0.7' },
    prober: probes.prober,
    hooks: probes.hooks,
    ...journal.ofPods(),
    restartBackOffMaxMs: BACK_OFF_MAX_MS,
    settings: {
      clusterDNS: [],
      clusterDomain: '',
      resolvConf: join(dataDir, 'resolv.conf'),
      podPidsLimit: -1,
    },
  });
  return {
    pods,
    close: async () => {
      await pods.stop();
      await probes.close();
      await files.stop();
    },
  };
}
