/**
 * A joined node's conversation with its hub, put together: link, intake and report. `agent/main`
 * calls it once; a node that is not joined does not. Orders the calls, decides nothing.
 */
import type { Socket } from 'node:net';
import { topicsOf } from '../protocol/topics.js';
import { startIntake, type Intake, type IntakeOptions } from './intake/intake.js';
import { startLink } from './link/link.js';
import { presenceMaker } from './report/node.js';
import { Commands } from './intake/commands.js';
import { startReport, type Report, type ReportOptions } from './report/report.js';

export interface HubSessionOptions
  extends
    Omit<IntakeOptions, 'link' | 'onChange' | 'onHub'>,
    Omit<ReportOptions, 'link' | 'intake'> {
  /** `mqtts://host:port`, in order of preference. */
  readonly brokers: readonly string[];
  /** The connection to one broker; must refuse a peer that it does not trust. */
  readonly openSocket: (broker: URL) => Socket;
  /** What becomes of the connection. */
  readonly onLink?: {
    readonly up: () => void;
    readonly down: () => void;
    /** It ended before it was up. */
    readonly failed: (reason: string) => void;
  };
}

export interface HubSession {
  readonly intake: Intake;
  readonly report: Report;
  connected(): boolean;
  /** Pods, conditions or events changed. */
  changed(): void;
  close(): Promise<void>;
}

/**
 * Repairs the static pod directory before it returns, so that a file source may be started right
 * after.
 */
export function startHubSession(options: HubSessionOptions): HubSession {
  const { identity, journal, clock, random, randomId, log } = options;
  const topics = topicsOf(identity.fleet);
  const own = (kind: 'ack' | 'presence' | 'command') => topics.node(identity.node, kind);
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
  const intake = startIntake({
    ...options,
    link: viaLink,
    onChange: () => report?.changed(),
    onHub: (hub, isNew) => report?.hub(hub, isNew),
  });
  report = startReport({ ...options, link: viaLink, intake: () => intake.state() });
  const commands = new Commands({ ...options, link: viaLink, root: () => intake.state().root });
  const makePresence = presenceMaker(identity, journal, randomId);
  const receive = (topic: string, payload: Buffer) => {
    const address = topics.parse(topic);
    if (!address || ('node' in address && address.node !== identity.node)) return;
    if (address.kind !== 'ack' && address.kind !== 'command') {
      return intake.receive(address, topic, payload);
    }
    const refusal = address.kind === 'ack' ? report.ack(payload) : commands.receive(payload);
    if (refusal) intake.refused(refusal, payload, topic);
  };
  journal.onEvent = () => report.changed();
  link = startLink({
    brokers: options.brokers,
    clientId: identity.node,
    topics: [...intake.topics(), own('ack'), own('presence'), own('command')],
    openSocket: options.openSocket,
    presence: () => {
      const presence = makePresence();
      commands.begin(presence.session);
      return presence;
    },
    onMessage: receive,
    onUp: () => {
      options.onLink?.up();
      intake.linkUp();
      report.linkUp();
    },
    onDown: () => options.onLink?.down(),
    onFailure: reason => options.onLink?.failed(reason),
    clock,
    random,
    log,
  });
  return {
    intake,
    report,
    connected: () => viaLink.connected(),
    changed: () => report.changed(),
    close: async () => {
      journal.onEvent = null;
      intake.close();
      report.close();
      await link.close();
    },
  };
}
