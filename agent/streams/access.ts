/**
 * Which streams this node lets its hub open: its own configuration decides, whatever the hub signs (security.md, a stolen
 * hub). Unset: logs alone, or everything where the hub holds the release key and could run anything anyway. Pure.
 */
import type { CommandDocument } from '../../protocol/documents/command.js';

export const STREAM_KINDS = ['logs', 'exec', 'attach', 'portForward'] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];
export type StreamAsk = Exclude<CommandDocument['ask'], { kind: 'kept' }>;

export interface AccessRules {
  /** `remoteAccess` of the configuration; null: not set. */
  readonly configured: readonly StreamKind[] | null;
  /** Of the root in force: the hub holds every key. */
  readonly development: boolean;
}

export function allowedKinds({ configured, development }: AccessRules): readonly StreamKind[] {
  return configured ?? (development ? STREAM_KINDS : ['logs']);
}

/** Null: allowed. Else a sentence for whoever asked, with the setting that forbids it. */
export function accessRefusal(kind: StreamKind, node: string, rules: AccessRules): string | null {
  const allowed = allowedKinds(rules);
  if (allowed.includes(kind)) return null;
  const why =
    rules.configured === null
      ? 'a node whose hub does not hold the release key allows logs alone unless its configuration says more'
      : `its configuration allows ${allowed.join(', ') || 'nothing'}`;
  const wanted = [...allowed, kind].join(',');
  return (
    `${kind} is off on node ${node}: ${why}; to allow it, set remoteAccess: [${wanted}] in the agent's ` +
    `configuration file (or --remote-access ${wanted}) on the node and restart the agent`
  );
}
