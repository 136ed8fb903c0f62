/**
 * What Mosquitto's dynamic security answers (`$CONTROL/dynamic-security/v1/response`), as far as the hub looks at it. Brokers are not
 * trusted: what has another form is no answer, and what it says of an error is cut. Pure.
 */
import { excerpt } from '../../protocol/excerpt.js';
import type { HeldClient } from './dynamic-security-decide.js';
import type { Acl } from './dynamic-security-rules.js';

/** To one command. */
export interface Answer {
  readonly command?: string;
  readonly error?: string;
  readonly correlationData?: string;
  readonly data?: AnswerData;
}

export interface AnswerData {
  /** Of all pages. */
  readonly totalCount: number;
  readonly clients: readonly HeldClient[];
  readonly roles: readonly string[];
  /** Of the one role that was asked for. */
  readonly acls: readonly Acl[];
}

type Fields = Readonly<Record<string, unknown>>;

class NotAnAnswer extends Error {
  override readonly name = 'NotAnAnswer';
}

/** The answers of one message, in its order; empty for a message that is not one. */
export function answersIn(payload: Buffer): readonly Answer[] {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    return listOf(fieldsOf(value)['responses'], answerOf);
  } catch (error) {
    if (error instanceof NotAnAnswer || error instanceof SyntaxError) return [];
    throw error;
  }
}

function answerOf(value: unknown): Answer {
  const { command, error, correlationData, data } = fieldsOf(value);
  return {
    ...(command === undefined ? {} : { command: excerpt(textOf(command)) }),
    ...(error === undefined ? {} : { error: excerpt(textOf(error)) }),
    ...(correlationData === undefined ? {} : { correlationData: textOf(correlationData) }),
    ...(data === undefined ? {} : { data: dataOf(data) }),
  };
}

function dataOf(value: unknown): AnswerData {
  const { totalCount = 0, clients = [], roles = [], role = {} } = fieldsOf(value);
  if (!Number.isSafeInteger(totalCount)) throw new NotAnAnswer();
  return {
    totalCount: Number(totalCount),
    clients: listOf(clients, clientOf),
    roles: listOf(roles, textOf),
    acls: listOf(fieldsOf(role)['acls'] ?? [], aclOf),
  };
}

function clientOf(value: unknown): HeldClient {
  const { username, textname, roles = [] } = fieldsOf(value);
  return {
    username: textOf(username),
    textname: textname === undefined ? undefined : textOf(textname),
    roles: listOf(roles, one => ({ rolename: textOf(fieldsOf(one)['rolename']) })),
  };
}

/** Of a type that is not ours too: it makes the role another one than is wanted. */
function aclOf(value: unknown): Acl {
  const { acltype, topic, priority, allow } = fieldsOf(value);
  return {
    acltype: textOf(acltype) as Acl['acltype'],
    topic: textOf(topic),
    priority: Number.isSafeInteger(priority) ? Number(priority) : 0,
    allow: allow === true,
  };
}

function fieldsOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new NotAnAnswer();
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new NotAnAnswer();
}

function listOf<T>(value: unknown, read: (one: unknown) => T): readonly T[] {
  if (!Array.isArray(value)) throw new NotAnAnswer();
  return value.map(one => read(one));
}
