/** What the hub tells of itself to whoever watches it: figures, and whether it is ready. Puts together, decides nothing. */
import { keyId } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { ApiLoad, HealthCheck } from '../api/routes/health.js';
import { newestBackup } from '../backup/scheduled.js';
import type { HubLink } from '../link/link-options.js';
import type { FleetCounts } from '../rollout/fleet-counts.js';
import type { Store } from '../store/store.js';
import type { Exposition, Metrics } from './exposition.js';
import { watchOutbox } from './outbox.js';

export interface WatchedHub {
  readonly metrics: Metrics;
  readonly store: Store;
  readonly counts: FleetCounts;
  readonly link: Pick<HubLink, 'connected' | 'covered'>;
  /** Null: it is not this process. */
  readonly broker: { nodeConnections(): number } | null;
  readonly root: () => TrustedRoot;
  /** Raw Ed25519, hex: what the hub signs with. */
  readonly hubKey: () => string;
  /** Of scheduled backups; null: there are none. */
  readonly backupDirectory: string | null;
  readonly clock: Clock;
  readonly version: string;
}

export interface HubWatch {
  readonly checks: readonly HealthCheck[];
  exposition(api: ApiLoad): Promise<Exposition>;
  close(): Promise<void>;
}

export async function watchHub(hub: WatchedHub): Promise<HubWatch> {
  const { metrics, store, counts, link, broker, root, clock, version } = hub;
  const outbox = await watchOutbox(store, clock);
  return {
    checks: checksOf(hub),
    exposition: async api =>
      metrics.exposition({
        version,
        counts,
        isBrokerConnected: link.connected(),
        outbox: await outbox.look(link.covered()),
        brokerConnections: broker?.nodeConnections() ?? null,
        apiConnections: api.connections,
        apiStreams: api.upgraded,
        auditLines: await store.lastAudit(),
        rootExpires: Date.parse(root().document.expires) / 1000,
        backupMade: secondsOf(
          hub.backupDirectory === null ? null : newestBackup(hub.backupDirectory),
        ),
      }),
    close: async () => {
      outbox.close();
      await metrics.close();
    },
  };
}

function secondsOf(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

/** Each says in a sentence what is wrong, for anybody to read. */
function checksOf({ store, link, root, hubKey }: WatchedHub): readonly HealthCheck[] {
  return [
    {
      name: 'store',
      fault: async () => {
        await store.id();
        return null;
      },
    },
    {
      name: 'key',
      fault: async () =>
        root().document.roles.hub.keys.includes(keyId(hubKey()))
          ? null
          : 'the root in force does not name the key that this hub signs with',
    },
    {
      name: 'broker',
      fault: async () => (link.connected() ? null : 'the hub is not connected to its broker'),
    },
  ];
}
