/**
 * A joined node's conversation with its hub, put together: link, intake and report. `agent/main`
 * calls it once; a node that is not joined does not. Orders the calls, decides nothing.
 */
import type { Socket } from 'node:net';
import type { MaintenanceWindow } from '../protocol/documents/bundle.js';
import { rootLifeCondition } from '../protocol/root-life.js';
import { topicsOf, type Topics } from '../protocol/topics.js';
import { Activation } from './activation/activation.js';
import { startIntake, type Intake } from './intake/intake.js';
import type { IntakeOptions } from './intake/intake-options.js';
import { LockGate } from './intake/lock-gate.js';
import { WindowGate } from './intake/window-gate.js';
import { HubConnection } from './connection/hub-connection.js';
import type { ConnectionReason } from './connection/decide.js';
import type { ReadUpdateLock } from './volumes/update-locks.js';
import type { TimeOf } from './journal/outbox.js';
import { startLink } from './link/link.js';
import { Readiness, type ReadinessParts } from './readiness/readiness.js';
import type { LinkMeter } from './link/metered.js';
import { hubKeyMemory } from './report/hub-key.js';
import { presenceMaker } from './report/node.js';
import { Commands } from './intake/commands.js';
import type { Message } from './report/messages.js';
import { startReport, type Report } from './report/report.js';
import type { ReportOptions } from './report/report-options.js';
import type { BundleName } from './ports.js';
import { Streams, type RemoteOptions } from './streams/streams.js';
import { TimeKeeper, type TimeKeeperOptions } from './time/time-keeper.js';
import type { LedgerTime } from './usage/ledger.js';
import type { Meter } from './usage/meter.js';

/** Came on a topic that is not this node's, which nothing of it is read from (security.md S68). */
const STRAY = 'UnexpectedTopic';

export interface HubSessionOptions
  extends
    Omit<IntakeOptions, 'link' | 'onChange' | 'onHub' | 'time' | 'windows' | 'locks' | 'readiness'>,
    Omit<ReportOptions, 'link' | 'intake' | 'time' | 'activation'>,
    Pick<TimeKeeperOptions, 'releasedAt' | 'machine' | 'kernelSynced'> {
  /** `mqtts://host:port`, in order of preference. */
  readonly brokers: readonly string[];
  /** The connection to one broker; must refuse a peer that it does not trust. */
  readonly openSocket: (broker: URL) => Socket;
  /** Of the node's own configuration: a bundle switches only while one of them is open too. */
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
  /** How pods ask for time; absent: they have no way. */
  readonly readLock?: ReadUpdateLock;
  /** For judging whether the node could start alone and go back; absent: nobody asks. */
  readonly startCheck?: Pick<ReadinessParts, 'startFaults' | 'writeFault' | 'leavesDrift'> & {
    /** Left out where somebody else runs the pods. */
    readonly engineImages?: ReadinessParts['images'];
  };
  /** What pods see of the node's parameters: looked at with each change of the intake; absent: nothing. */
  readonly parameters?: { readonly look: () => void };
  /** Seconds, the longest silence that is announced to a broker. */
  readonly keepAliveMostS?: number;
  /** Counts what crosses the link. */
  readonly meter?: Meter;
  /** What the hub may be given of the pods; absent: nothing. */
  readonly remote?: RemoteOptions;
  /** Whether the hub is there; told each time that it changes. */
  readonly onConnection?: (reason: ConnectionReason) => void;
  /** What becomes of the link. */
  readonly onLink?: {
    readonly up: () => void;
    readonly down: () => void;
    /** It ended before it was up. */
    readonly failed: (reason: string) => void;
    /** This node's assignment was cleared at the broker, as the hub does it when it shuts a node out; anybody may have done it. */
    readonly cleared: () => void;
  };
}

export interface HubSession {
  readonly intake: Intake;
  /** A pod of it asks for time. */
  isLocked(bundle: BundleName): boolean;
  readonly report: Report;
  /** Null where nobody asks. */
  readonly readiness: Readiness | null;
  connected(): boolean;
  /** As the node tells it. */
  time(): LedgerTime;
  /** When an event happened, as the node tells it. */
  readonly timeOf: TimeOf;
  /** Why no broker is; null while one is. */
  linkFault(): string | null;
  /** Messages that were not taken since the agent was started, by the code of the refusal. */
  refusals(): ReadonlyMap<string, number>;
  /** Pods, conditions or events changed. */
  changed(): void;
  /** A message that came in a file: read as if the broker had brought it. */
  deliver(topic: string, payload: Buffer): void;
  /** For a file that goes back: all that the hub has not confirmed. */
  letters(): readonly Message[];
  close(): Promise<void>;
}

/**
 * Repairs the static pod directory before it returns, so that a file source may be started right
 * after.
 */
export function startHubSession(options: HubSessionOptions): HubSession {
  const { identity, journal, clock, random, randomId, log } = options;
  const topics = topicsOf(identity.fleet);
  const own = (kind: 'ack' | 'presence' | 'time' | 'command') => topics.node(identity.node, kind);
  const streamTopics = topics.node(identity.node, 'stream', '+');
  // Link, intake and report know each other: what is called before all are there waits for the
  // first look.
  let report: Report | null = null;
  let link: ReturnType<typeof startLink> | null = null;
  const viaLink: IntakeOptions['link'] = {
    connected: () => link?.connected() ?? false,
    publish: async (...args) => (await link?.publish(...args)) ?? false,
    subscribe: filters => link?.subscribe(filters),
    unsubscribe: filters => link?.unsubscribe(filters),
  };
  let intake: Intake | null = null;
  const time: TimeKeeper = new TimeKeeper({
    ...options,
    onHeard: asOf => connection.heard(asOf),
    link: viaLink,
    root: () => journal.root() ?? options.pinnedRoot,
    onChange: () => report?.changed(),
    onLearned: () => intake?.timeLearned(),
  });
  journal.stamp = time.stamp;
  journal.floor = time.floor;
  const connection = new HubConnection({
    ...{ clock, random },
    uptime: () => time.uptime(),
    ask: () => time.doubt(),
    onChange: reason => options.onConnection?.(reason),
  });
  const windows = new WindowGate({
    own: options.maintenanceWindows ?? [],
    time: () => time.known(),
    journal,
    onMoved: () => report?.changed(),
  });
  const { readLock } = options;
  const locks = readLock && new LockGate({ ...options, readLock });
  const readiness = readinessOf(options, () => {
    intake?.look();
    report?.changed();
  });
  const changed = () => {
    options.parameters?.look();
    readiness?.changed();
    report?.changed();
  };
  const hubKey = hubKeyMemory({
    identity,
    kept: journal.alongside('hub-sealing-key'),
    epoch: () => (journal.root() ?? options.pinnedRoot).document.epoch,
  });
  const begun = intakeOf(time, {
    ...options,
    ...{ link: viaLink, time, windows },
    ...(readiness === null ? {} : { readiness }),
    ...(locks ? { locks } : {}),
    onChange: changed,
    onHub: (hub, isNew) => {
      hubKey.heard(hub);
      connection.hub(hub.online);
      report?.hub(hub, isNew);
      if (isNew) time.hubChanged();
      if (isNew || !hub.online) streams.end('the hub is gone, or came back');
    },
  });
  intake = begun;
  report = startReport({
    ...{ ...options, link: viaLink, time },
    conditions: () => [...(readiness?.conditions() ?? []), ...options.conditions()],
    activation: new Activation({
      ...options,
      pulling: bundle => options.images?.pulling(bundle) ?? null,
      windowOf: bundle => windows.holdOf(bundle),
      lockOf: bundle => locks?.lockOn(bundle) ?? null,
      ...(readiness === null ? {} : { readiness }),
      cannotReturn: record => begun.cannotReturn(record),
      onGivenUp: () => begun.look(),
      sealWords: (bundle, words) => hubKey.seal(bundle, words),
    }),
    intake: () => begun.state(),
    onAck: ack => begun.told(ack),
    onStatus: connection,
    keepAliveS: () => link?.keepAliveS() ?? 0,
  });
  const root = () => begun.state().root;
  const streams = new Streams({
    ...options,
    link: viaLink,
    development: () => root().document.development,
    rootEnded: () => {
      const said = rootLifeCondition(root().document, time.now().now);
      return said?.reason === 'Expired' ? said.message : null;
    },
    remote: options.remote,
  });
  const commands = new Commands({ ...options, link: viaLink, root, streams });
  const makePresence = presenceMaker(identity, journal, randomId);
  const read = {
    ack: (payload: Buffer) => report.ack(payload),
    time: (payload: Buffer) => time.answer(payload),
    command: (payload: Buffer) => commands.receive(payload),
  };
  const addressOf = rememberingLast(topics);
  let strays = 0;
  const receive = (topic: string, payload: Buffer) => {
    const address = addressOf(topic);
    if (!address || ('node' in address && address.node !== identity.node)) {
      strays++;
      return;
    }
    const { kind } = address;
    if (kind === 'stream') return streams.receive(address.rest ?? '', payload);
    if (kind === 'assignment' && payload.byteLength === 0) options.onLink?.cleared();
    if (kind !== 'ack' && kind !== 'time' && kind !== 'command') {
      return begun.receive(address, topic, payload);
    }
    if (payload.byteLength === 0) return;
    const refusal = read[kind](payload);
    if (refusal) begun.refused(refusal, payload, topic);
  };
  journal.onEvent = changed;
  journal.onLost = changed;
  journal.onRetry = () => {
    begun.tryAgain();
    changed();
  };
  link = startLink({
    brokers: options.brokers,
    clientId: identity.node,
    topics: [
      ...begun.topics(),
      ...(['ack', 'time', 'presence', 'command'] as const).map(own),
      streamTopics,
    ],
    openSocket: options.openSocket,
    keepAliveMemory: journal.alongside('keep-alive'),
    ...(options.keepAliveMostS ? { keepAliveMostS: options.keepAliveMostS } : {}),
    presence: () => {
      const presence = makePresence();
      connection.connecting();
      commands.begin(presence.session);
      streams.end('another session began');
      return presence;
    },
    onMessage: receive,
    onUp: () => {
      connection.linkUp();
      options.onLink?.up();
      begun.linkUp();
      report.linkUp();
      time.linkUp();
    },
    onDown: () => {
      connection.linkDown();
      streams.end('the link is down');
      options.onLink?.down();
    },
    ...(options.meter ? { meter: linkMeter(options.meter, addressOf) } : {}),
    onSlow: packet => begun.slow(packet),
    onFailure: reason => options.onLink?.failed(reason),
    clock,
    random,
    log,
  });
  return {
    intake: begun,
    isLocked: bundle => locks?.isHeld(bundle) ?? false,
    report,
    readiness,
    connected: () => viaLink.connected(),
    time: () => ({ at: time.told(), isProven: time.now().clock === 'synced' }),
    timeOf: time.timeOf,
    linkFault: () => link?.fault() ?? null,
    refusals: () => new Map([...begun.refusals(), [STRAY, strays]]),
    changed,
    deliver: receive,
    letters: () => [...begun.letters(), ...report.letters()],
    close: async () => {
      journal.onEvent = null;
      journal.onLost = null;
      journal.onRetry = null;
      journal.stamp = null;
      journal.floor = null;
      connection.close();
      streams.close();
      readiness?.close();
      begun.close();
      report.close();
      time.close();
      await link.close();
    },
  };
}

function readinessOf(options: HubSessionOptions, onChange: () => void): Readiness | null {
  const { startCheck, journal, pinnedRoot } = options;
  if (startCheck === undefined) return null;
  const { engineImages, ...faults } = startCheck;
  return new Readiness({
    ...{ ...options, ...faults, onChange, images: engineImages },
    root: () => (journal.root() ?? pinnedRoot).document,
  });
}

function linkMeter(meter: Meter, addressOf: Topics['parse']): LinkMeter {
  return {
    watch: read => meter.watch(read),
    message: (topic, payloadBytes) => meter.message(addressOf(topic), topic, payloadBytes),
  };
}

/** Messages come in runs on one topic, and each is asked for twice: counted, and read. */
function rememberingLast(topics: Topics): Topics['parse'] {
  let last = '';
  let address: ReturnType<Topics['parse']> = null;
  return topic => {
    if (topic !== last) [last, address] = [topic, topics.parse(topic)];
    return address;
  };
}

/** @throws JournalError `OtherFleet`: then nothing is left running. */
function intakeOf(time: TimeKeeper, options: IntakeOptions): Intake {
  try {
    return startIntake(options);
  } catch (error) {
    time.close();
    throw error;
  }
}
