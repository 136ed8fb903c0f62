/**
 * The hub's commands to nodes: each bound to the session that its node announced last, with a number that grows in it. The
 * one owner of that number, whoever asks; it begins at the time, so that a hub that was started anew, or put back from a
 * backup, goes on above what it said before. Decides nothing about what is asked.
 */
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { CommandDocument } from '../../protocol/documents/command.js';
import type { PresenceDocument } from '../../protocol/documents/node.js';
import type { Clock } from '../../protocol/ports.js';
import type { NodeMessenger } from './messages.js';

export interface NodeCommandsParts {
  readonly fleet: string;
  readonly epoch: () => number;
  readonly messenger: Pick<NodeMessenger, 'command'>;
  readonly clock: Pick<Clock, 'now'>;
}

export interface SentCommand {
  readonly session: string;
  /** SHA-256 of the payload: what an opening names. */
  readonly digest: string;
}

export class NodeCommands {
  readonly #parts: NodeCommandsParts;
  readonly #sessions = new Map<string, string>();
  #n = 0;

  constructor(parts: NodeCommandsParts) {
    this.#parts = parts;
  }

  /** The node's newest presence, verified and in order. */
  presence({ node, session, online }: Pick<PresenceDocument, 'node' | 'session' | 'online'>): void {
    if (online) this.#sessions.set(node, session);
    else this.#sessions.delete(node);
  }

  /** What was known may be over when the link comes back: the broker tells it anew. */
  linkDown(): void {
    this.#sessions.clear();
  }

  /** Null: the node is away, or was not heard since the hub connected. */
  session(node: string): string | null {
    return this.#sessions.get(node) ?? null;
  }

  /** Null: the node is away. Lost without a trace when the link is down. */
  send(node: string, request: string, ask: CommandDocument['ask']): SentCommand | null {
    const { fleet, epoch, messenger, clock } = this.#parts;
    const session = this.session(node);
    if (session === null) return null;
    this.#n = Math.max(this.#n + 1, clock.now());
    const command: CommandDocument = {
      ...{ fleet, node, epoch: epoch(), session, n: this.#n, request },
      ask,
    };
    messenger.command(node, command);
    return { session, digest: sha256Hex(Buffer.from(canonicalJson(command))) };
  }
}
