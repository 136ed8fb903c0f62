/** What the agent's API tells, gathered from the parts as far as they are made. Nothing is decided here. */
import { join } from 'node:path';
import { describePolicy, type AdmissionPolicy } from './admission/policy.js';
import { agentStatus } from './agent-status.js';
import type { Counts } from './api/metrics.js';
import type { ApiSources } from './api/routes.js';
import { importFile, type ImportOutcome } from './carry/import.js';
import type { AgentConfig } from './config.js';
import type { ToldConnection } from './connection/told.js';
import type { HubSession } from './hub-session.js';
import type { ImagesAhead } from './images/ahead.js';
import { openOwnedDirectory } from './intake/owned-files.js';
import { forgetFleet } from './journal/forget.js';
import type { BundleRecord, Journal } from './journal/journal.js';
import { JOURNAL_FILE } from './journal/database.js';
import { TWIN_FILE } from './journal/twin.js';
import type { DiskWatch } from './disk/watch.js';
import { HttpError } from './api/http-error.js';
import { planLines } from './plan-lines.js';
import { activateNow, hold, release, waitsOf } from './site.js';
import { redo, undo } from './site-undo.js';
import { onDisk } from './site-on-disk.js';
import type { Member } from './member.js';
import type { StoredIdentity } from './membership/identity.js';
import { leaveFleet, type Left } from './membership/leave.js';
import { JoinError } from './membership/join-http.js';
import type { Pods } from './pods/pods.js';
import { NO_FIGURES } from './pods/tallies.js';
import type { PodReport } from './ports.js';
import type { ContainerExec, ContainerStats } from './runtime/exec.js';
import type { ImageLoader } from './runtime/images.js';
import type { ContainerRuntime } from './runtime/runtime.js';
import type { Budgets } from './usage/budgets.js';
import type { Meter } from './usage/meter.js';
import type { NodeParameters } from './parameters/node-parameters.js';
import type { SealedSecrets } from './secrets/sealed-secrets.js';
import { shownConfig, shownEnvironment } from './shown-config.js';
import { NO_BUDGET } from '../protocol/budget.js';
import type { Clock, Log } from '../protocol/ports.js';
import { VERSION } from '../protocol/version.js';
import { BUNDLE_ANNOTATION } from './sources/owned-file.js';

export interface ApiOptions {
  readonly config: AgentConfig;
  readonly identity: StoredIdentity | null;
  readonly policy: AdmissionPolicy;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the agent is made of, as far as it is made. */
export interface Held {
  journal: Journal | null;
  pods: Pods | null;
  session: HubSession | null;
  /** What pods are told of the hub. */
  readonly connection: ToldConnection;
  /** What the node used. */
  meter: Meter | null;
  budgets: Budgets | null;
  /** Room on the disks of the node. */
  disks: DiskWatch | null;
  /** Of a node that joined a hub. */
  secrets: SealedSecrets | null;
  parameters: NodeParameters | null;
  /** Whether one lies in the static pod directory. */
  hasLocalSecret: (secret: { readonly namespace: string; readonly name: string }) => boolean;
  member: Member | null;
  /** Of a joined node whose pods this agent runs. */
  images: ImagesAhead | null;
  engine: () => string;
  probeTotals: () => Counts;
}

export function apiSources(
  options: ApiOptions,
  {
    held,
    runtime,
  }: {
    readonly held: Held;
    readonly runtime: ContainerRuntime & ContainerExec & ImageLoader;
  },
): ApiSources {
  const { config, policy, clock } = options;
  return {
    nodeName: config.nodeName,
    pods: () => held.pods?.reports() ?? [],
    healthy: () => held.pods?.isMoving() ?? false,
    // Whoever asks is told what is so now.
    status: async () => {
      const enough = new AbortController();
      const patience = clock.sleep(LOOK_PATIENCE_MS, enough.signal);
      await Promise.race([held.session?.readiness?.look(), patience]);
      enough.abort();
      return statusOf(options, held);
    },
    plan: () =>
      planLines(held.session?.report.current().bundles ?? [], held.pods?.planText() ?? ''),
    configz: () => ({
      agentconfig: { ...shownConfig(config), admission: describePolicy(policy) },
      environment: shownEnvironment(config),
    }),
    events: () => held.journal?.recentEvents(held.session?.timeOf) ?? [],
    retry: pod => {
      held.images?.lookAgain();
      return held.pods?.retry(pod) ?? false;
    },
    rotate: what => rotate(held, what),
    import: file => importHere(options, { held, runtime, file }),
    receipt: () => receiptOf(options, held),
    leave: () => leave(options, held),
    site: (word, wish) => {
      const { journal, session } = held;
      if (!journal || !session) throw new HttpError(409, options.identity ? PAUSED : NOT_JOINED);
      const said = { ...wish, node: config.nodeName };
      const facts = {
        wayBack: (record: BundleRecord) => session.intake.wayBack(record),
        isLocked: (record: BundleRecord) => session.isLocked(record),
      };
      const does = { activate: activateNow, hold, release, undo, redo }[word];
      const asked = { word, bundle: wish.bundle, dataDir: config.dataDir };
      const answer = onDisk(asked, () => does(journal, said, facts));
      session.intake.look();
      session.changed();
      return { ...answer, waits: waitsOf(journal.bundles(), answer) };
    },
    figures: async () => ({
      nodeName: config.nodeName,
      version: VERSION,
      reports: held.pods?.reports() ?? [],
      stats: await statsOf(held.pods?.reports() ?? [], runtime),
      engineUp: held.engine() !== '',
      hubConnected: held.session?.connected() ?? null,
      unconfirmedEvents: unconfirmedEvents(held),
      used: held.meter?.ledger().counts ?? {},
      refusals: [...(held.session?.refusals() ?? [])].map(([code, count]) => {
        return { labels: { code }, count };
      }),
      probes: held.probeTotals(),
      counted: held.pods?.figures() ?? NO_FIGURES,
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
    }),
    logs: (...args) => runtime.logs(...args),
  };
}

/** Throws `HttpError`, in the hub's words where it refused. */
async function rotate(
  { member }: Held,
  what: { readonly identity: boolean },
): Promise<{ node: string; nodeKey: string }> {
  if (!member) throw new HttpError(409, 'this node has not joined a hub: it has no identity yet');
  try {
    const { node, nodeKey } = await member.keeper.rotate(what);
    return { node, nodeKey };
  } catch (error) {
    if (!(error instanceof JoinError)) throw error;
    throw new HttpError(409, `${error.message}; the new keys are kept and tried again`);
  }
}

/** Once: a second call while the first is at work finds no member. */
async function leave({ config, identity, clock, log }: ApiOptions, held: Held): Promise<Left> {
  const { member, journal, session } = held;
  if (!identity || !member || !journal) throw new HttpError(409, NOT_JOINED);
  if (!session) throw new HttpError(409, PAUSED);
  held.member = null;
  const { dataDir, staticPodPath } = config;
  const isOfBundle = ({ pod }: PodReport) =>
    pod.metadata?.annotations?.[BUNDLE_ANNOTATION] !== undefined;
  const leaving = leaveFleet({
    ...{ dataDir, membership: identity.membership, journal, clock, log },
    connected: () => session.connected(),
    endMembership: () => member.close(),
    directory: openOwnedDirectory(staticPodPath),
    podsOfBundles: () =>
      (held.pods?.reports() ?? [])
        .filter(isOfBundle)
        .map(({ pod }) => `${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`),
    forget: () => {
      const [file, twin] = [join(dataDir, JOURNAL_FILE), join(dataDir, TWIN_FILE)];
      forgetFleet({ journal: file, twin }, clock.now());
    },
  });
  return leaving.catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    if (held.session === null) {
      throw new HttpError(500, `${why}; restart the agent: this node is a member still`);
    }
    held.member = member;
    throw new HttpError(500, `${why}; nothing was done`);
  });
}

/** An engine that does not answer holds nobody up for longer. */
const LOOK_PATIENCE_MS = 2_000;

const NOT_JOINED = 'this node has not joined a hub: it takes nothing that is signed';
const PAUSED = 'the agent changes its keys; try again in a moment';

async function importHere(
  { config, identity }: ApiOptions,
  { held, runtime, file }: { held: Held; runtime: ImageLoader; file: string },
): Promise<ImportOutcome> {
  const { session, journal } = held;
  if (!identity || !journal || !held.member) throw new HttpError(409, NOT_JOINED);
  if (!session) throw new HttpError(409, PAUSED);
  const isEngine = config.runtime === 'engine';
  const loadImages = isEngine ? runtime.loadImages.bind(runtime) : null;
  const outcome = await importFile(file, { identity, session, journal, loadImages });
  if (outcome.images === 'loaded') {
    held.images?.lookAgain();
    held.pods?.retry(null);
  }
  return outcome;
}

/** What the hub has not confirmed, the payloads in base64. */
function receiptOf({ identity }: ApiOptions, { session, member }: Held) {
  if (!identity || !member) throw new HttpError(409, NOT_JOINED);
  if (!session) throw new HttpError(409, PAUSED);
  const { fleet, node } = identity;
  const messages = session.letters().map(({ topic, payload }) => {
    return { topic, payload: payload.toString('base64') };
  });
  return { fleet, node, messages };
}

/** Of the containers that run, as far as the engine answers. */
async function statsOf(
  reports: readonly PodReport[],
  runtime: ContainerExec,
): Promise<ReadonlyMap<string, ContainerStats>> {
  const ids = reports.flatMap(({ pod }) =>
    [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
      .filter(({ state }) => state?.running !== undefined)
      .map(({ containerID = '' }) => containerID.replace(/^[a-z]+:\/\//, '')),
  );
  const all = await Promise.all(
    ids.map(async (id): Promise<[string, ContainerStats | null]> => [
      id,
      await runtime.stats(id).catch(() => null),
    ]),
  );
  return new Map(all.flatMap(([id, stats]) => (stats === null ? [] : [[id, stats]])));
}

function unconfirmedEvents({ journal }: Held): number {
  return journal ? journal.newestEvent() - journal.oldestEvent() + 1 : 0;
}

function statusOf(options: ApiOptions, held: Held) {
  const { config, identity } = options;
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
    conditions: [pods, held.budgets, held.disks].flatMap(part => part?.conditions() ?? []),
    membership: identity?.membership ?? null,
    connected: session?.connected() ?? false,
    connection: held.connection.status(),
    linkFault: session?.linkFault() ?? null,
    sealingKey: held.secrets?.keyId() ?? '',
    told: session?.report.current() ?? null,
    usage: held.meter?.ledger() ?? null,
    budget: held.budgets?.inForce() ?? NO_BUDGET,
    now: session?.time().at ?? options.clock.now(),
  });
}
