/** Puts the pod runner together over one engine and one data directory: sources, admission, probes, images. Decides nothing. */
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import type { Clock, Log } from '../protocol/ports.js';
import { SECRET_ENV_WHY } from '../protocol/pod-secrets.js';
import { admission } from './admission/admit.js';
import { nodeLabels } from './admission/node-fit.js';
import type { AdmissionPolicy } from './admission/policy.js';
import type { Held } from './api-sources.js';
import type { AgentConfig } from './config.js';
import { bundleImages, pinnedImages, startImageCollector } from './images/collector.js';
import type { ImagePulls } from './images/pulls.js';
import type { Journal } from './journal/journal.js';
import { architecture, readNodeInfo } from './node-info.js';
import type { PodSource } from './pods/desired.js';
import { openLogLinks } from './pods/log-links.js';
import type { Pods } from './pods/pods.js';
import { startPods } from './pods/reconcile.js';
import { engineGate, sysctlGate } from './pods/security-gates.js';
import { openProbes } from './probes/open-probes.js';
import type { DockerRuntime } from './runtime/docker.js';
import { pauseImageName } from './runtime/pause-image.js';
import { secretGate } from './secrets/secret-gates.js';
import { withObjects } from './sources/with-objects.js';
import { openFileSource } from './sources/files.js';
import { openUrlSource } from './sources/url.js';
import { followedHostPaths } from './volumes/host-path-links.js';
import { missingObjectGate } from './volumes/missing-objects.js';
import { volumeGate } from './volumes/volume-gates.js';
import { openPodVolumes } from './volumes/volumes.js';

export interface PodsOnEngine {
  readonly config: AgentConfig;
  readonly policy: AdmissionPolicy;
  readonly dataDir: string;
  readonly runtime: DockerRuntime;
  readonly pulls: ImagePulls;
  readonly journal: Journal;
  readonly held: Held;
  readonly clock: Clock;
  readonly log: Log;
}

type Closings = (() => Promise<void> | void)[];

/** What has to be closed is added to `closings`. */
export async function runPodsOnEngine(parts: PodsOnEngine, closings: Closings): Promise<Pods> {
  const { config, policy, dataDir, runtime, journal, held, clock, log } = parts;
  const { name, labels } = {
    name: config.nodeName,
    labels: nodeLabels({ name: config.nodeName, arch: architecture() }, config.nodeLabels),
  };
  const sources = await openSources(parts, closings);
  const probes = openProbes({
    containers: runtime,
    dataDir,
    clock,
    log,
    random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
  });
  closings.push(() => probes.close());
  held.probeTotals = () => probes.prober.totals();
  const { allocatable } = readNodeInfo();
  const volumes = openPodVolumes({
    dataDir,
    clock,
    engineSocket: config.engineSocket,
    hostPathTargets: followedHostPaths(policy),
    connection: () => held.connection.word(),
  });
  const mountProblem = await volumes.mountProblem();
  if (mountProblem !== null) held.connection.onDisk();
  if (config.allowSecretEnv) {
    log.warn(`allowSecretEnv: sealed Secrets may become variables, and ${SECRET_ENV_WHY}`);
  }
  const secretsGate = secretGate({ allowSecretEnv: config.allowSecretEnv, mountProblem });
  const pods = startPods({
    runtime,
    sources,
    dataDir,
    volumes,
    onFilesChange: listener => held.connection.onChange(listener),
    events: journal,
    clock,
    log,
    node: { name, hostIP: hostIps()[0] ?? '', hostIPs: hostIps() },
    prober: probes.prober,
    hooks: probes.hooks,
    ...journal.ofPods(),
    restartBackOffMaxMs: config.restartBackOffMaxMs,
    settings: {
      clusterDNS: config.dns.clusterDNS,
      clusterDomain: config.dns.clusterDomain,
      resolvConf: config.dns.resolvConf ?? '',
      podPidsLimit: config.podPidsLimit,
    },
    images: parts.pulls,
    logLinks: openLogLinks(dirname(config.podLogsDir), log),
    admission: admission({
      policy,
      node: {
        name,
        labels,
        allocatable: {
          ...allocatable,
          'ephemeral-storage': String(await volumes.capacityBytes()),
          pods: String(config.maxPods),
        },
      },
      gates: [
        sysctlGate(config.allowedUnsafeSysctls),
        engineGate,
        volumeGate(mountProblem),
        missingObjectGate,
        secretsGate,
      ],
      editGates: [missingObjectGate, secretsGate],
    }),
  });
  closings.push(() => pods.stop());
  closings.push(() => held.connection.end());
  collectImages(parts, pods, closings);
  return pods;
}

async function openSources(parts: PodsOnEngine, closings: Closings): Promise<PodSource[]> {
  const { config, dataDir, journal, held, clock, log } = parts;
  const shared = { dataDir, nodeName: config.nodeName, clock, log, events: journal };
  const files = await openFileSource({
    ...shared,
    path: config.staticPodPath,
    explains: (file, bytes) => held.session?.intake.explains(file, bytes) ?? false,
    isWithdrawn: file => held.session?.intake.isWithdrawn(file) ?? false,
    // A member has a hub to lose; a stand-alone agent may run in a person's own folder.
    trusted: held.member === null ? null : (process.getuid?.() ?? 0),
    ownMayDiffer: config.drift === 'report',
    fileCheckFrequencyMs: config.fileCheckFrequencyMs,
    onOwnedInDoubt: () => held.session?.intake.repair(),
  });
  closings.push(() => files.stop());
  followLocalSecrets(files, held);
  const beside = withObjects(
    files,
    [held.secrets, held.parameters].filter(one => one !== null),
  );
  if (config.url === null) return [beside];
  const { url, headers, checkFrequencyMs, proxies } = config.url;
  const web = await openUrlSource({
    ...shared,
    url,
    headers,
    proxies,
    httpCheckFrequencyMs: checkFrequencyMs,
    extraAuthoritiesFile: config.extraAuthoritiesFile,
  });
  closings.push(() => web.stop());
  return [beside, web];
}

/** A bundle may use a Secret that a person put into the directory, and begins when it is there. */
function followLocalSecrets(files: PodSource, held: Held): void {
  const namesOf = () => {
    const secrets = files.snapshot().objects.filter(({ kind }) => kind === 'Secret');
    return new Set(secrets.map(({ namespace, name }) => `${namespace}/${name}`));
  };
  let names = namesOf();
  held.hasLocalSecret = ({ namespace, name }) => names.has(`${namespace}/${name}`);
  files.onChange(() => {
    const before = [...names].join();
    names = namesOf();
    if ([...names].join() !== before) held.session?.intake.secretsChanged();
  });
  held.session?.intake.secretsChanged();
}

function collectImages(
  { config, runtime, journal, clock, log }: PodsOnEngine,
  pods: Pods,
  closings: Closings,
): void {
  const { garbage } = config.images;
  if (garbage === null) return;
  const { highPercent, lowPercent, minimumAgeMs, maximumAgeMs } = garbage;
  const collector = startImageCollector({
    store: runtime,
    policy: {
      highThresholdPercent: highPercent,
      lowThresholdPercent: lowPercent,
      minimumAgeMs,
      maximumAgeMs,
    },
    pinned: () =>
      pods.areKnown()
        ? pinnedImages(pods.reports(), [pauseImageName(process.arch), ...bundleImages(journal)])
        : null,
    clock,
    log,
  });
  closings.push(() => collector.stop());
}

/** One of each kind, IPv4 first, as a kubelet on a network of both kinds has them. */
function hostIps(): readonly string[] {
  const all = readNodeInfo().info.addresses.filter(({ type }) => type === 'InternalIP');
  const isV6 = ({ address }: { address: string }) => address.includes(':');
  const ofEach = [all.find(one => !isV6(one)), all.find(isV6)];
  return ofEach.flatMap(one => one?.address ?? []);
}
