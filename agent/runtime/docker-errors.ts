/** The Engine API's errors as the port's closed list. Pure. */
import { RuntimeError, type RuntimeErrorCode } from './runtime.js';

interface EngineError {
  statusCode?: number;
  code?: string;
  reason?: string;
  json?: { message?: string };
  message?: string;
}

const DOWN = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'ECONNABORTED',
]);

export function statusOf(error: unknown): number {
  return (error as EngineError).statusCode ?? 0;
}

/** dockerode's words before the engine's, where the answer was read as a stream: `(HTTP code 500) server error - `. */
const CLIENT_PREFIX = /^\(HTTP code \d+\) .*? - (?=\S)/;

/** The engine's own sentence, on one line. */
export function messageOf(error: unknown): string {
  const { json, message } = error as EngineError;
  const said = json?.message ?? message?.replace(CLIENT_PREFIX, '') ?? String(error);
  return said.replace(/\s+/g, ' ').trim();
}

/** Podman answers 500 when it went between two looks of its own. */
export function isGone(error: unknown): boolean {
  const status = statusOf(error);
  return (
    status === 404 || (status === 500 && /no such (?:container|image)/i.test(messageOf(error)))
  );
}

/** Docker answers 409, Podman 500 with the same words. */
export function isNameTaken(error: unknown): boolean {
  return /already in use/.test(messageOf(error)) && [409, 500].includes(statusOf(error));
}

/** The path that Docker before 23 did not find, and does not make. */
export function missingMountSource(error: unknown): string | null {
  return /bind source path does not exist: (.+)$/.exec(messageOf(error))?.[1] ?? null;
}

/** runc says it in words, or dies in its first stage, which sets the score, before it can say anything. */
export function mayBeOomScore(error: unknown): boolean {
  return /oom_score_adj|get final child's PID from pipe/.test(messageOf(error));
}

/** `fallback`: what it is when the engine answered and nothing more is known. */
export function runtimeErrorOf(error: unknown, fallback: RuntimeErrorCode): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const { statusCode, code } = error as EngineError;
  const message = messageOf(error);
  if (
    statusCode === undefined &&
    (DOWN.has(code ?? '') || /socket hang up|timed? ?out/i.test(message))
  ) {
    return new RuntimeError(
      'EngineUnavailable',
      `the container engine does not answer: ${message}`,
      { cause: error },
    );
  }
  if (/no such container/i.test(message)) {
    return new RuntimeError('NotFound', message, { cause: error });
  }
  const port =
    /(?:Bind for [^ ]*?:(\d+) failed: port is already allocated|listen (?:tcp|udp)\d? [^ ]*:(\d+): bind: address already in use)/.exec(
      message,
    );
  if (port) {
    const number = port[1] ?? port[2] ?? '';
    return new RuntimeError(
      'HostPortTaken',
      `host port ${number} is taken on this node: ${message}`,
      { cause: error },
    );
  }
  return new RuntimeError(fallback, message, { cause: error });
}
