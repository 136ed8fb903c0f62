/** What passes between the hub's link and the loops behind it. */
import type { CommandDocument } from '../../protocol/documents/command.js';
import type { AckDocument, AnswerDocument, TimeDocument } from '../../protocol/documents/hub.js';
import type { NodeTopicKind } from '../../protocol/topics.js';

/** What nodes say. */
export const NODE_KINDS = [
  ...(['presence', 'request', 'status', 'pod', 'event', 'reply'] as const),
] as const satisfies readonly NodeTopicKind[];

/** A message of a node as it came from the broker; nothing of it is checked yet. */
export interface NodeMessage {
  readonly kind: (typeof NODE_KINDS)[number];
  /** As the topic names it. */
  readonly node: string;
  /** The last level of the topic: of a reply, the request. */
  readonly rest?: string | undefined;
  readonly payload: Uint8Array;
  /** The broker kept it: said at some time, perhaps while nobody listened. False: said just now. */
  readonly retained: boolean;
}

/** Messages of the hub that are not kept: signed and sent once, QoS 1. Lost ones are asked for again by the node. */
export interface NodeMessenger {
  ack(node: string, document: AckDocument): void;
  answer(node: string, document: AnswerDocument): void;
  time(node: string, document: TimeDocument): void;
  command(node: string, document: CommandDocument): void;
}
