/** Builds a running hub from its parts, in order, and takes it down in the reverse order. Nothing is decided here. */
import { generateKeyPairSync } from 'node:crypto';
import { rawPublicKey } from '../protocol/keys.js';
import type { Clock, Log } from '../protocol/ports.js';
import { topicsOf } from '../protocol/topics.js';
import { VERSION } from '../protocol/version.js';
import { revisionAgain } from './rollout/again.js';
import { foresight } from './foresight/read.js';
import { bundleWriter } from './rollout/apply.js';
import { startScheduledBackups } from './backup/scheduled.js';
import { startApi, type Api } from './api/server.js';
import { startBroker, type Broker } from './broker/broker.js';
import { dynamicSecurity } from './broker/dynamic-security.js';
import { hubMetrics } from './metrics/exposition.js';
import { watchHub } from './metrics/watch-hub.js';
import { startController } from './rollout/controller.js';
import { FleetCounts } from './rollout/fleet-counts.js';
import { setNodeBudget } from './rollout/node-budget.js';
import { nodeParametersDesk } from './rollout/node-parameters.js';
import { activateBundleNow, type ActivateWish } from './rollout/activate-now.js';
import type { BundleWish } from './rollout/reassign.js';
import { retryBundle } from './rollout/retry.js';
import { lastWordsReader } from './last-words/last-words.js';
import { rolloutDesk } from './rollout/say.js';
import { nodeEditor } from './enrolment/edit-node.js';
import { createEnrolment, nodeStanding } from './enrolment/enrolment.js';
import { exportFor } from './carry/export.js';
import { receiveCarried } from './carry/receive.js';
import { startIngest } from './ingest/ingest.js';
import { NodeCommands } from './link/commands.js';
import type { Guest } from './link/link-options.js';
import { goneNodes } from './link/gone-nodes.js';
import { startHubLink } from './link/link.js';
import { brokerFault, linkTls } from './link/broker-trust.js';
import { ownTopics } from './link/own-topics.js';
import {
  gatedBundles,
  gatedByBundle,
  gatedEnrolment,
  gatedRollouts,
  gatedSecrets,
} from './recovery/gate.js';
import { recoveryState, startRecovery } from './recovery/recovery.js';
import { loadHub, type LoadedHub } from './setup/load.js';
import { settleTls } from './setup/next-tls.js';
import { spkiOf, type RandomBytes } from './setup/pki.js';
import { nodeWriter } from './rollout/remove-node.js';
import { LiveHub, liveSigner } from './root/live-hub.js';
import { startRootWatch } from './root/root-watch.js';
import { Roots } from './root/roots.js';
import { blobSweeper, republisher } from './rollout/republish.js';
import { manifestsOf } from './rollout/revision-document.js';
import { secretWriter } from './secrets/secret-writer.js';
import { signSecretsAnew } from './secrets/signatures.js';
import type { Store } from './store/store.js';
import { openSqliteStore } from './store/sqlite.js';
import { HubStreams } from './streams/hub-streams.js';
import type { NodeStreams } from './streams/streams.js';

const SWEEP_MS = 3_600_000;

export interface HubOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
}

export interface RunningHub {
  readonly apiPort: number;
  /** Null with an external broker. */
  readonly mqttPort: number | null;
  readonly streams: NodeStreams;
  close(): Promise<void>;
}

type Closing = () => Promise<void> | void;

/** Rejects with what is wrong: settings, a taken address, a locked store. Leaves nothing running then. */
export async function runHub(options: HubOptions): Promise<RunningHub> {
  const closings: Closing[] = [];
  const close = async () => {
    for (const closing of closings.splice(0).reverse()) await closing();
  };
  try {
    const ports = await assemble(options, closings);
    return { ...ports, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function assemble(
  options: HubOptions,
  closings: Closing[],
): Promise<Omit<RunningHub, 'close'>> {
  const { clock, random, log } = options;
  const live = new LiveHub(loadHub(options.dataDir));
  const hub = live.view();
  const { fleet } = hub.root.document;
  const root = () => live.root();
  const store = await openSqliteStore({ path: hub.databasePath, clock, create: false });
  closings.push(() => store.close());
  await live.catchUp(store);
  settleTls(live.now());

  const hubSigner = liveSigner(live);
  await signSecretsAnew(store, { root: live.root(), hubSigner });
  const metrics = hubMetrics(clock);
  closings.push(() => metrics.close());
  const counts = new FleetCounts();
  const controller = startController({ store, root, hubSigner, clock, log, counts });
  closings.push(() => controller.close());
  const broker = await brokerOf(hub, store, log);
  if (broker) closings.push(() => broker.close());

  const disconnect = (node: string) => broker?.disconnectNode(node);
  // Dynamic security hears of it from the commit.
  const sessionsLive = broker === null && hub.config.dynamicSecurity !== true;
  const restored = await recoveryState(store);
  const link = startHubLink({
    url: brokerUrl(hub, broker),
    get tls() {
      return linkTls(hub);
    },
    root,
    hubSigner,
    sealingKey: rawPublicKey(hub.sealingKey),
    store,
    clock,
    log,
    random,
    brokerIsFresh: broker !== null,
    guests: guestsOf(hub, { store, clock, log, epoch: () => root().document.epoch }),
    onMessage: message => {
      if (!streams.receive(message)) ingest.receive(message);
    },
    onUp: () => ingest.linkUp(),
    onDown: () => {
      commands.linkDown();
      streams.linkDown();
      ingest.linkDown();
    },
  });
  closings.push(() => link.close());
  const { messenger } = link;
  const commands = new NodeCommands({
    ...{ fleet, messenger, clock },
    epoch: () => root().document.epoch,
  });
  const streams = new HubStreams({
    ...{ fleet, store, link, commands, clock, log },
    keyPair: () => generateKeyPairSync('x25519'),
    randomId: () => Buffer.from(random(16)).toString('hex'),
  });
  closings.push(() => streams.close());
  let api: Api | null = null;
  const roots = new Roots({
    ...{ store, live, controller, clock, log, random },
    brokerFault: which => brokerFault(live.now(), which, clock),
    onKeysChanged: () => {
      api?.useTls(serverTls(hub));
      broker?.useTls(serverTls(hub), mqttKey(hub));
      link.renew();
    },
  });
  const recovery = startRecovery(
    {
      ...{ store, root, commands, clock, random, log },
      adoptRoot: async envelope => {
        await roots.publish({ kind: 'hub', name: 'recovery' }, envelope, { dryRun: false });
      },
    },
    restored,
  );
  closings.push(() => recovery.close());
  const again = republisher({ store, fleet, clock });
  const ingest = startIngest({
    store,
    root,
    messenger,
    clock,
    log,
    freshAssignment: (node, nonce) => controller.freshAssignment(node, nonce),
    republish: async digests => {
      const { published, absent } = await again.blobs(digests);
      // What another node may still bring back is not said to be gone.
      return { published, absent: (await store.recovery())?.learning ? [] : absent };
    },
    republishRoot: version => again.root(version),
    manifestsOf: bundle => manifestsOf(store, bundle),
    meter: metrics.ingest,
    listener: {
      presence: document => {
        commands.presence(document);
        recovery.presence(document);
        streams.presence(document);
      },
      reply: document => recovery.reply(document),
    },
  });
  closings.push(() => ingest.close());
  const { backup: setting } = hub.config;
  if (setting) {
    const { dataDir } = options;
    closings.push(startScheduledBackups({ dataDir, setting, clock, log, meter: metrics.backups }));
  }
  closings.push(startSweeping(blobSweeper(store, fleet, clock), options));

  closings.push(startRootWatch(roots, options));
  const bundles = gatedBundles(
    bundleWriter({
      ...{ store, root, clock },
      get releaseSigner() {
        return live.now().releaseSigner;
      },
    }),
    store,
  );
  const watch = await watchHub({
    ...{ metrics, store, counts, link, broker, root, clock, version: VERSION },
    hubKey: () => hubSigner.publicKey,
    backupDirectory: setting?.directory ?? null,
  });
  closings.push(() => watch.close());
  api = await startApi({
    checks: watch.checks,
    exposition: load => watch.exposition(load),
    meter: metrics.requests,
    mqtt: broker,
    listen: hub.config.listen,
    tls: serverTls(hub),
    store,
    recovery,
    streams,
    bundles,
    again: revisionAgain({ store, root, clock, bundles }),
    retry: gatedByBundle(
      (actor, bundle: BundleWish) => retryBundle({ store, root, hubSigner, clock }, actor, bundle),
      store,
    ),
    activate: gatedByBundle(
      (actor, bundle: ActivateWish) =>
        activateBundleNow({ store, root, hubSigner, clock }, actor, bundle),
      store,
    ),
    lastWords: lastWordsReader({ store, fleet, key: hub.sealingKey }),
    foresight: foresight({ store, root, clock }),
    rollouts: gatedRollouts(rolloutDesk({ store, root, clock }), store),
    secrets: gatedSecrets(secretWriter({ store, root, hubSigner }), store),
    nodes: nodeWriter({ store, fleet, disconnect }),
    nodeEditor: nodeEditor(store),
    nodeBudget: (actor, of) => setNodeBudget({ store, root, hubSigner, clock }, actor, of),
    nodeParameters: nodeParametersDesk({ store, root, hubSigner, clock }),
    enrolment: gatedEnrolment(
      createEnrolment({
        hub,
        store,
        clock,
        random,
        log,
        firstAssignment: joining => controller.firstAssignment(joining),
        disconnect,
        sessionsLive,
      }),
      store,
    ),
    roots,
    carrier: {
      export: async nodes => {
        // What was applied a moment ago belongs to it.
        await controller.settle();
        return exportFor({ store, fleet, hubSigner }, nodes);
      },
      receive: receipt => receiveCarried({ fleet, ingest }, receipt),
    },
    clock,
    log,
    version: VERSION,
  });
  closings.push(() => api?.close());
  log.info('the hub is up', {
    api: `${hub.config.listen.host ?? '*'}:${api.port}`,
    broker: broker
      ? `embedded, ${hub.config.mqttListen.host ?? '*'}:${broker.port}`
      : hub.config.broker,
    fleet,
    root: hub.root.document.version,
  });
  return { apiPort: api.port, mqttPort: broker?.port ?? null, streams };
}

function serverTls(hub: LoadedHub) {
  const { key, certificate } = hub.server;
  return { key, cert: certificate, ca: hub.authorities };
}

function mqttKey(hub: LoadedHub): string {
  return spkiOf(hub.mqtt.certificate).toString('base64');
}

async function brokerOf(hub: LoadedHub, store: Store, log: Log): Promise<Broker | null> {
  if (hub.config.broker !== 'embedded') return null;
  return startBroker({
    listen: hub.config.mqttListen,
    tls: serverTls(hub),
    fleet: hub.root.document.fleet,
    hubTlsKey: mqttKey(hub),
    isAllowed: nodeStanding(store),
    log,
  });
}

/** What else the hub does on its connection to a broker of one's own. */
function guestsOf(
  hub: LoadedHub,
  { epoch, ...parts }: { store: Store; clock: Clock; log: Log; epoch: () => number },
): Guest[] {
  const all = { ...parts, topics: topicsOf(hub.root.document.fleet) };
  const gone = goneNodes(all);
  // The embedded broker lets nobody else write there.
  if (hub.config.broker === 'embedded') return [gone];
  const watch = ownTopics({ ...all, epoch });
  return hub.config.dynamicSecurity ? [gone, watch, dynamicSecurity(all)] : [gone, watch];
}

/** Where the hub's own client finds the broker. */
function brokerUrl(hub: LoadedHub, broker: Broker | null): string {
  const { host } = hub.config.mqttListen;
  const local = host === null || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const place = local.includes(':') ? `[${local}]` : local;
  return broker ? `mqtts://${place}:${broker.port}` : hub.config.broker;
}

function startSweeping(sweep: () => Promise<number>, { clock, log }: HubOptions): Closing {
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        const cleared = await sweep();
        if (cleared > 0) log.info('blobs that nothing names were cleared', { blobs: cleared });
      } catch (error) {
        log.warn('clearing blobs failed', { error });
      }
      await clock.sleep(SWEEP_MS, stop.signal);
    }
  })();
  return async () => {
    stop.abort();
    await loop;
  };
}
