/**
 * A joined node's conversation with its hub, put together: link, intake and report. `agent/main`
 * calls it once; a node that is not joined does not. Orders the calls, decides nothing.
 */
import type { Socket } from 'node:net';
import type { MaintenanceWindow } from '../protocol/documents/bundle.js';
import { rootLifeCondition } from '../protocol/root-life.js';
import { topicsOf } from '../protocol/topics.js';
import { Activation } from './activation/activation.js';
import { startIntake, type Intake } from './intake/intake.js';
import type { IntakeOptions } from './intake/intake-options.js';
import { WindowGate } from './intake/window-gate.js';
import { startLink } from './link/link.js';
import { presenceMaker } from './report/node.js';
import { Commands } from './intake/commands.js';
import type { Message } from './report/messages.js';
import { startReport, type Report } from './report/report.js';
import type { ReportOptions } from './report/report-options.js';
import { Streams, type RemoteOptions } from './streams/streams.js';
import { TimeKeeper, type TimeKeeperOptions } from './time/time-keeper.js';

/** Came on a topic that is not this node's, which nothing of it is read from (security.md S68). */
const STRAY = 'UnexpectedTopic';

export interface HubSessionOptions
  extends
    Omit<IntakeOptions, 'link' | 'onChange' | 'onHub' | 'time' | 'windows'>,
    Omit<ReportOptions, 'link' | 'intake' | 'time' | 'activation'>,
    Pick<TimeKeeperOptions, 'releasedAt' | 'machine' | 'kernelSynced'> {
  /** `mqtts://host:port`, in order of preference. */
  readonly brokers: readonly string[];
  /** The connection to one broker; must refuse a peer that it does not trust. */
  readonly openSocket: (broker: URL) => Socket;
  /** Of the node's own configuration: a bundle switches only while one of them is open too. */
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
  /** What the hub may be given of the pods; absent: nothing. */
  readonly remote?: RemoteOptions;
  /** What becomes of the connection. */
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
  readonly report: Report;
  connected(): boolean;
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
  const time = new TimeKeeper({
    ...options,
    link: viaLink,
    root: () => journal.root() ?? options.pinnedRoot,
    onChange: () => report?.changed(),
    onLearned: () => intake?.timeLearned(),
  });
  const windows = new WindowGate({
    own: options.maintenanceWindows ?? [],
    time: () => time.known(),
    journal,
    onMoved: () => report?.changed(),
  });
  const begun = intakeOf(time, {
    ...options,
    ...{ link: viaLink, time, windows },
    onChange: () => report?.changed(),
    onHub: (hub, isNew) => {
      report?.hub(hub, isNew);
      if (isNew) time.hubChanged();
      if (isNew || !hub.online) streams.end('the hub is gone, or came back');
    },
  });
  intake = begun;
  report = startReport({
    ...{ ...options, link: viaLink, time },
    activation: new Activation({
      ...options,
      pulling: bundle => options.images?.pulling(bundle) ?? null,
      windowOf: bundle => windows.holdOf(bundle),
      onGivenUp: () => begun.look(),
    }),
    intake: () => begun.state(),
    onAck: ack => begun.told(ack),
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
  let strays = 0;
  const receive = (topic: string, payload: Buffer) => {
    const address = topics.parse(topic);
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
  journal.onEvent = () => report.changed();
  journal.onLost = () => begun.lost();
  link = startLink({
    brokers: options.brokers,
    clientId: identity.node,
    topics: [
      ...begun.topics(),
      ...(['ack', 'time', 'presence', 'command'] as const).map(own),
      streamTopics,
    ],
    openSocket: options.openSocket,
    presence: () => {
      const presence = makePresence();
      commands.begin(presence.session);
      streams.end('another session began');
      return presence;
    },
    onMessage: receive,
    onUp: () => {
      options.onLink?.up();
      begun.linkUp();
      report.linkUp();
      time.linkUp();
    },
    onDown: () => {
      streams.end('the link is down');
      options.onLink?.down();
    },
    onSlow: packet => begun.slow(packet),
    onFailure: reason => options.onLink?.failed(reason),
    clock,
    random,
    log,
  });
  return {
    intake: begun,
    report,
    connected: () => viaLink.connected(),
    linkFault: () => link?.fault() ?? null,
    refusals: () => new Map([...begun.refusals(), [STRAY, strays]]),
    changed: () => report.changed(),
    deliver: receive,
    letters: () => [...begun.letters(), ...report.letters()],
    close: async () => {
      journal.onEvent = null;
      journal.onLost = null;
      streams.close();
      begun.close();
      report.close();
      time.close();
      await link.close();
    },
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
