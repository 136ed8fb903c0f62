/**
 * The member that this machine is: what `startMember` is given of the configuration, the journal, the engine and the kernel.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Clock, Log } from '../protocol/ports.js';
import { RELEASED_AT, VERSION } from '../protocol/version.js';
import type { AgentConfig } from './config.js';
import { bundleRefusal, type AdmissionPolicy } from './admission/policy.js';
import type { Held } from './api-sources.js';
import type { StoredIdentity } from './membership/identity.js';
import { ImagesAhead } from './images/ahead.js';
import type { ImagePulls } from './images/pulls.js';
import type { Journal } from './journal/journal.js';
import { startMember, type Member } from './member.js';
import { architecture, readNodeInfo } from './node-info.js';
import { openOwnedDirectory } from './intake/owned-files.js';
import type { SourceCondition } from './ports.js';
import { watchHoldings } from './report/holdings.js';
import { tryBundleAgain } from './pods/tried-again.js';
import { startFaults, writeFault } from './readiness/start-faults.js';
import { watchImages } from './engine-watches.js';
import type { ContainerAttach } from './runtime/attach.js';
import type { ImageStore } from './runtime/images.js';
import type { ContainerRuntime } from './runtime/runtime.js';
import { watchKernelClock } from './time/kernel-clock.js';
import type { Machine } from './time/machine.js';
import { HostPathLocks } from './volumes/host-path-locks.js';
import { HostPathPatience } from './volumes/host-path-patience.js';
import { reachHostPath } from './volumes/host-path-reach.js';
import { openUpdateLocks } from './volumes/update-locks.js';
import type { Budgets } from './usage/budgets.js';
import type { Meter } from './usage/meter.js';

export interface MemberParts {
  readonly config: AgentConfig;
  /** As a start would read them now. Throws `ConfigError`. */
  readonly readSettings?: () => unknown;
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: StoredIdentity;
  readonly dataDir: string;
  readonly journal: Journal;
  readonly held: Held;
  readonly policy: AdmissionPolicy;
  readonly machine: Machine;
  readonly runtime: ContainerRuntime &
    ContainerAttach &
    ImageStore &
    Parameters<typeof watchImages>[0];
  readonly pulls: ImagePulls;
  readonly meter: Meter;
  readonly budgets: Budgets;
  /** What is to be closed before the journal is. */
  readonly closings: (() => Promise<void> | void)[];
}

/** Throws what `startMember` throws; what it opens closes with `closings`. */
export function beMember({
  config,
  readSettings,
  identity,
  dataDir,
  journal,
  clock,
  log,
  held,
  policy,
  machine,
  runtime,
  pulls,
  meter,
  budgets,
  closings,
}: MemberParts): Member {
  const images = new ImagesAhead({
    ...{ store: runtime, pulls, clock, log },
    objects: () => held.secrets?.objects() ?? [],
    onChange: () => held.session?.intake.look(),
  });
  held.images = images;
  closings.push(() => images.close());
  const holdings = watchHoldings({
    store: config.runtime === 'none' ? null : runtime,
    ...{ dataDir, clock, log },
  });
  closings.push(() => holdings.stop());
  if (config.runtime === 'engine') {
    const onChange = () => {
      holdings.changed();
      held.session?.readiness?.imagesChanged();
    };
    closings.push(watchImages(runtime, { clock, log, onChange }));
  }
  const kernel = watchKernelClock({ clock, onChange: () => held.session?.changed() });
  closings.push(() => kernel.close());
  const patience = new HostPathPatience(clock, reachHostPath);
  const hostPathLocks = new HostPathLocks({ clock, patience });
  return startMember({
    dataDir,
    identity,
    journal,
    directory: openOwnedDirectory(config.staticPodPath),
    arch: architecture(),
    meter,
    budgets,
    holds: () => holdings.now(),
    agentVersion: VERSION,
    releasedAt: RELEASED_AT,
    machine,
    kernelSynced: () => kernel.isSynced(),
    nodeInfo: readNodeInfo,
    refuses: bundleRefusal(policy),
    runtimeNone: config.runtime === 'none',
    ...(config.runtime === 'none'
      ? {}
      : { images, readLock: openUpdateLocks(dataDir, hostPathLocks) }),
    ...(held.secrets === null ? {} : { secrets: held.secrets }),
    ...(held.parameters === null ? {} : { parameters: held.parameters }),
    onTriedAgain: bundle => tryBundleAgain(held.pods, bundle),
    hasLocalSecret: secret => held.hasLocalSecret(secret),
    revokedBundles: config.revokedBundles,
    drift: config.drift,
    keepAliveMostS: Math.floor(config.keepAliveMaxMs / 1000),
    maintenanceWindows: config.maintenanceWindows,
    startCheck: {
      startFaults: startFaults({
        ...{ dataDir, clock },
        ...(readSettings === undefined ? {} : { readSettings }),
        uid: process.getuid?.() ?? 0,
        rewriteTwin: () => journal.rewriteTwin(),
      }),
      writeFault: () => writeFault(config.staticPodPath),
      leavesDrift: config.drift === 'report',
      ...(config.runtime === 'none' ? {} : { engineImages: runtime }),
    },
    containerRuntimeVersion: () => held.engine(),
    pods: () => (held.pods?.areKnown() ? held.pods.reports() : null),
    podsAreNeverTold: config.runtime === 'none' && config.kubeletPods === null,
    conditions: (): readonly SourceCondition[] => [
      ...(held.pods?.conditions() ?? []),
      ...budgets.conditions(),
      ...(held.disks?.conditions() ?? []),
    ],
    clock,
    random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
    randomId: () => randomBytes(16).toString('hex'),
    log,
    remote: {
      access: config.remoteAccess,
      runtime: config.runtime === 'none' ? null : runtime,
      keyPair: () => generateKeyPairSync('x25519'),
    },
    onSession: session => (held.session = session),
    onConnection: reason => held.connection.set(reason),
  });
}
