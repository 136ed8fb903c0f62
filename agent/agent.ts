/**
 * Builds a running agent from its parts, in order, and takes it down in the reverse order; what runs on the engine goes on.
 * Nothing is decided here.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import type { Clock, Log } from '../protocol/ports.js';
import { VERSION } from '../protocol/version.js';
import type { AgentConfig } from './config.js';
import { admission } from './admission/admit.js';
import { nodeLabels } from './admission/node-fit.js';
import { bundleRefusal, DEFAULT_POLICY, RELEASE_SCOPE } from './admission/policy.js';
import { makeOnFirstUse } from './first-use.js';
import { openBrokerSocket } from './membership/hub-tls.js';
import type { StoredIdentity } from './membership/identity.js';
import { startHubSession, type HubSession } from './hub-session.js';
import { openJournal, type Journal } from './journal/journal.js';
import { architecture, readNodeInfo } from './node-info.js';
import { openOwnedDirectory } from './intake/owned-files.js';
import type { PodSource } from './pods/desired.js';
import type { Pods } from './pods/pods.js';
import type { SourceCondition } from './ports.js';
import { openLogLinks } from './pods/log-links.js';
import { startPods } from './pods/reconcile.js';
import { DockerRuntime } from './runtime/docker.js';
import { RuntimeError } from './runtime/runtime.js';
import { serveLoopback, serveSocket } from './api/server.js';
import type { ApiSources } from './api/routes.js';
import { shownConfig } from './shown-config.js';
import { openFileSource } from './sources/files.js';
import { openUrlSource } from './sources/url.js';
import { agentStatus } from './agent-status.js';

export interface AgentOptions {
  readonly config: AgentConfig;
  /** Null: a stand-alone kubelet for Docker. */
  readonly identity: StoredIdentity | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RunningAgent {
  close(): Promise<void>;
}

type Closing = () => Promise<void> | void;

const ENGINE_LOOK_MS = 30_000;

/** Rejects with a sentence when it cannot start; leaves nothing running of itself then. */
export async function runAgent(options: AgentOptions): Promise<RunningAgent> {
  const closings: Closing[] = [];
  const close = async () => {
    for (const closing of closings.splice(0).reverse()) await closing();
  };
  try {
    await assemble(options, closings);
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function assemble(options: AgentOptions, closings: Closing[]): Promise<void> {
  const { config, identity, clock, log } = options;
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(config.dataDir);

  const runtime = new DockerRuntime({
    socketPath: config.engineSocket,
    owner: dataDir,
    arch: process.arch,
    clock,
    log,
    randomSuffix: () => randomBytes(4).toString('hex'),
  });
  const held: Held = { journal: null, pods: null, session: null, engine: () => '' };
  // First of all: it is what a second agent on this directory is refused by.
  const sources = apiSources(options, { held, runtime });
  const socket = await serveSocket(config.socketPath, sources);
  closings.push(() => socket.close());
  if (config.apiListen !== null) {
    const loopback = await serveLoopback(config.apiListen, sources);
    closings.push(() => loopback.close());
  }

  const journal = openJournal({ dataDir, clock, randomId: () => randomBytes(16).toString('hex') });
  held.journal = journal;
  closings.push(() => journal.close());
  if (journal.setAside)
    log.warn('the journal was damaged and set aside', { file: journal.setAside });
  makeOnFirstUse(config.staticPodPath, dataDir);
  held.engine = watchEngine(runtime, options, closings);
  if (identity) {
    const session = startSession({ ...options, identity, journal, held });
    held.session = session;
    closings.push(() => session.close());
  }

  const source = await openFileSource({
    path: config.staticPodPath,
    dataDir,
    nodeName: config.nodeName,
    clock,
    log,
    events: journal,
    explains: (file, bytes) => held.session?.intake.explains(file, bytes) ?? false,
    fileCheckFrequencyMs: config.fileCheckFrequencyMs,
    onOwnedInDoubt: () => held.session?.intake.repair(),
  });
  closings.push(() => source.stop());
  const podSources: PodSource[] = [source];
  if (config.url !== null) {
    const { url, headers, checkFrequencyMs } = config.url;
    const polled = await openUrlSource({
      url,
      headers,
      httpCheckFrequencyMs: checkFrequencyMs,
      extraAuthoritiesFile: config.extraAuthoritiesFile,
      dataDir,
      nodeName: config.nodeName,
      clock,
      log,
      events: journal,
    });
    closings.push(() => polled.stop());
    podSources.push(polled);
  }
  const pods = startPods({
    runtime,
    logLinks: openLogLinks('/var/log', log),
    sources: podSources,
    events: journal,
    clock,
    log,
    node: { name: config.nodeName, hostIP: hostIp() },
    admission: admission({
      policy: DEFAULT_POLICY,
      node: {
        name: config.nodeName,
        labels: nodeLabels({ name: config.nodeName, arch: architecture() }, {}),
        allocatable: readNodeInfo().allocatable,
      },
    }),
    dataDir,
  });
  held.pods = pods;
  closings.push(() => pods.stop());
  pods.onChange(() => held.session?.changed());
  log.info('the agent is up', {
    node: config.nodeName,
    staticPodPath: config.staticPodPath,
    hub: identity?.membership.hubUrl ?? 'none (stand-alone)',
    boot: journal.boot,
  });
}

/** What the agent is made of, as far as it is made. */
interface Held {
  journal: Journal | null;
  pods: Pods | null;
  session: HubSession | null;
  engine: () => string;
}

function apiSources(
  options: AgentOptions,
  { held, runtime }: { held: Held; runtime: DockerRuntime },
): ApiSources {
  const { config } = options;
  return {
    nodeName: config.nodeName,
    pods: () => held.pods?.reports() ?? [],
    healthy: () => held.pods !== null,
    status: () => statusOf(options, held),
    plan: () => held.pods?.planText() ?? '',
    configz: () => shownConfig(config),
    events: () => held.journal?.recentEvents() ?? [],
    retry: pod => held.pods?.retry(pod) ?? false,
    figures: async () => ({
      nodeName: config.nodeName,
      version: VERSION,
      reports: held.pods?.reports() ?? [],
      stats: new Map(),
      engineUp: held.engine() !== '',
      hubConnected: held.session?.connected() ?? null,
      unconfirmedEvents: unconfirmedEvents(held),
      probes: [],
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
    }),
    logs: (...args) => runtime.logs(...args),
  };
}

function unconfirmedEvents({ journal }: Held): number {
  return journal ? journal.newestEvent() - journal.oldestEvent() + 1 : 0;
}

function statusOf({ config, identity }: AgentOptions, held: Held) {
  const { journal, pods, session } = held;
  return agentStatus({
    config,
    engine: held.engine(),
    journal: {
      id: journal?.id ?? '',
      boot: journal?.boot ?? 0,
      unconfirmedEvents: unconfirmedEvents(held),
    },
    reports: pods?.reports() ?? [],
    // A node without a hub has nobody to ask for a fresh assignment.
    conditions: pods?.conditions() ?? [],
    membership: identity?.membership ?? null,
    connected: session?.connected() ?? false,
    told: session?.report.current() ?? null,
  });
}

interface SessionParts extends AgentOptions {
  readonly identity: StoredIdentity;
  readonly journal: Journal;
  readonly held: Held;
}

function startSession({ config, identity, journal, clock, log, held }: SessionParts): HubSession {
  return startHubSession({
    identity,
    journal,
    directory: openOwnedDirectory(config.staticPodPath),
    pinnedRoot: identity.root,
    runtimeNone: config.runtime === 'none',
    arch: architecture(),
    agentVersion: VERSION,
    brokers: identity.membership.brokers,
    openSocket: openBrokerSocket(identity.tls),
    nodeInfo: readNodeInfo,
    refuses: bundleRefusal({ policy: DEFAULT_POLICY, releaseScope: RELEASE_SCOPE }),
    containerRuntimeVersion: () => held.engine(),
    pods: () => (held.pods?.areKnown() ? held.pods.reports() : null),
    conditions: (): readonly SourceCondition[] => held.pods?.conditions() ?? [],
    clock,
    random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
    randomId: () => randomBytes(16).toString('hex'),
    log,
  });
}

function hostIp(): string {
  return readNodeInfo().info.addresses.find(a => a.type === 'InternalIP')?.address ?? '';
}

/** The engine's name and version as a Node names it; empty while it does not answer. */
function watchEngine(
  runtime: DockerRuntime,
  { clock, log, config }: AgentOptions,
  closings: Closing[],
): () => string {
  const stop = new AbortController();
  let version = '';
  let said = false;
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        const info = await runtime.info();
        version = `${info.name}://${info.version}`;
        said = false;
      } catch (error) {
        version = '';
        if (!said && error instanceof RuntimeError) {
          log.warn('no container engine answers; trying again', {
            socket: config.engineSocket,
            error,
          });
        }
        said = true;
      }
      await clock.sleep(ENGINE_LOOK_MS, stop.signal);
    }
  })();
  loop.catch((error: unknown) => log.error('watching the engine failed', { error }));
  closings.push(() => stop.abort());
  return () => version;
}
