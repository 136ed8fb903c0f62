/** What the ingest is handed, what it gives, and what passes within: types only. */
import type { Clock, Log } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { NodeDocuments } from '../../protocol/verify-messages.js';
import type { NodeMessage, NodeMessenger } from '../link/messages.js';
import type { Store } from '../store/store.js';
import type { IngestMeter } from './ingest-meter.js';
import type { NodeWriteParts } from './node-writes.js';
import type { RequestParts } from './requests.js';

/** Hears what nodes say once it is verified and recorded. */
export interface NodeListener {
  /** The newest in the order of a node's presences. */
  presence(document: NodeDocuments['presence']): void;
  /** Of the node's current journal. */
  reply(document: NodeDocuments['reply']): void;
}

export interface IngestParts extends RequestParts, NodeWriteParts {
  readonly listener?: NodeListener | undefined;
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly messenger: NodeMessenger;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent: nobody counts. */
  readonly meter?: IngestMeter;
}

/** A message that is signed by its node, and well-formed. */
export type Opened = {
  [K in NodeMessage['kind']]: {
    readonly kind: K;
    readonly document: NodeDocuments[K];
    /** Of the document. */
    readonly digest: string;
    readonly signedBy: string;
    readonly retained: boolean;
  };
}[NodeMessage['kind']];

export interface Ingest {
  receive(message: NodeMessage): void;
  /** Resolves when what was received of a node is recorded, or was refused. */
  recorded(node: string): Promise<void>;
  /** A connection of the hub began: who is there is to be heard anew. */
  linkUp(): void;
  /** It ended. Without one nothing is known: nobody is called offline. */
  linkDown(): void;
  close(): Promise<void>;
}
