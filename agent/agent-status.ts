/** What `flotilla-agent status` shows: the agent as it is now, hub or no hub. Pure. */
import type { BundleStatus, Condition, StatusDocument } from '../protocol/documents/node.js';
import type { Budget } from '../protocol/budget.js';
import type { UsageCounts } from '../protocol/usage.js';
import { VERSION } from '../protocol/version.js';
import type { AgentConfig } from './config.js';
import type { ConnectionStatus } from './connection/told.js';
import type { PodReport, SourceCondition } from './ports.js';
import type { Ledger } from './usage/ledger.js';

export interface AgentStatus {
  /** The node's time when this was said, RFC 3339: by it every other time here is meant. */
  readonly at: string;
  readonly version: string;
  readonly node: string;
  readonly dataDir: string;
  readonly staticPodPath: string;
  /** `docker://28.2.2`; empty while the engine does not answer. */
  readonly engine: string;
  readonly journal: {
    readonly id: string;
    readonly boot: number;
    readonly unconfirmedEvents: number;
  };
  readonly pods: { readonly total: number; readonly ready: number };
  readonly conditions: readonly Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[];
  /** Bytes that the node used; `since`: RFC 3339. Null while the agent starts. */
  readonly usage: null | {
    readonly since: string;
    /** When this is. */
    readonly at: string;
    readonly bytes: UsageCounts;
    /** In force, in bytes; null: none. */
    readonly budget: Budget;
  };
  /** What pods are told of the hub, and why. */
  readonly connection: ConnectionStatus;
  /** Null: not joined. */
  readonly hub: null | {
    readonly url: string;
    readonly fleet: string;
    /** To a broker; the hub behind it stands in `connection`. */
    readonly connected: boolean;
    /** Which broker refused and in which words; null while one is connected, and before the first try has ended. */
    readonly linkFault: string | null;
    readonly epoch: number;
    readonly generation: number;
    readonly rootVersion: number;
    readonly development: boolean;
    readonly clock: StatusDocument['clock'];
    readonly clockOffset: StatusDocument['clockOffset'];
    readonly lastRefusal: StatusDocument['lastRefusal'];
    /** Key id: what an operator compares before secrets are sealed for it. */
    readonly sealingKey: string;
    readonly bundles: readonly BundleStatus[];
  };
}

export interface AgentStatusInput {
  readonly config: AgentConfig;
  readonly engine: string;
  readonly journal: {
    readonly id: string;
    readonly boot: number;
    readonly unconfirmedEvents: number;
  };
  readonly reports: readonly PodReport[];
  readonly conditions: readonly SourceCondition[];
  readonly membership: { readonly hubUrl: string; readonly fleet: string } | null;
  readonly connected: boolean;
  readonly connection: ConnectionStatus;
  readonly linkFault: string | null;
  /** Key id; empty for a node without one. */
  readonly sealingKey: string;
  /** What the hub is told; null when not joined. */
  readonly told: StatusDocument | null;
  readonly usage: Pick<Ledger, 'since' | 'counts'> | null;
  readonly budget: Budget;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function agentStatus(input: AgentStatusInput): AgentStatus {
  const { config, membership, told, usage } = input;
  const isReady = (report: PodReport) =>
    report.pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false;
  return {
    at: new Date(input.now).toISOString(),
    version: VERSION,
    node: config.nodeName,
    dataDir: config.dataDir,
    staticPodPath: config.staticPodPath,
    engine: input.engine,
    journal: input.journal,
    pods: { total: input.reports.length, ready: input.reports.filter(isReady).length },
    conditions: told?.conditions ?? input.conditions,
    usage: usage && {
      since: new Date(usage.since).toISOString(),
      at: new Date(input.now).toISOString(),
      bytes: usage.counts,
      budget: input.budget,
    },
    connection: input.connection,
    hub:
      membership && told
        ? {
            url: membership.hubUrl,
            fleet: membership.fleet,
            connected: input.connected,
            linkFault: input.linkFault,
            epoch: told.epoch,
            generation: told.generation,
            rootVersion: told.rootVersion,
            development: told.development,
            clock: told.clock,
            clockOffset: told.clockOffset,
            lastRefusal: told.lastRefusal,
            sealingKey: input.sealingKey,
            bundles: told.bundles,
          }
        : null,
  };
}
