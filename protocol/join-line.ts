/**
 * The join line: what an operator carries from `flotilla token create` to `flotilla-agent join`, in
 * one line of three fields, `URL token sha256:fingerprint`. The fingerprint is the SHA-256 of the
 * newest root's payload, so that the hub is pinned before anything secret is sent (kubeadm's token
 * and CA hash). Pure.
 */
import { accept, refuse, type Result } from './refusal.js';

export interface JoinLine {
  /** `https://host:port`, without a path. */
  readonly hubUrl: string;
  readonly token: JoinToken;
  /** SHA-256 of a root payload, hex. */
  readonly fingerprint: string;
}

/** `<id>.<secret>`: the id is public, the secret has 128 bits. */
export interface JoinToken {
  readonly id: string;
  readonly secret: string;
}

const TOKEN = /^([0-9a-f]{10})\.([0-9a-f]{32})$/;
const FINGERPRINT = /^sha256:([0-9a-f]{64})$/;

export function formatToken(token: JoinToken): string {
  return `${token.id}.${token.secret}`;
}

/** Null for anything that no hub made. */
export function parseToken(text: string): JoinToken | null {
  const [, id, secret] = TOKEN.exec(text) ?? [];
  return id === undefined || secret === undefined ? null : { id, secret };
}

export function formatJoinLine(line: JoinLine): string {
  return `${line.hubUrl} ${formatToken(line.token)} sha256:${line.fingerprint}`;
}

/**
 * The origin of an `https://` URL without path, query, user or password; null for anything else.
 */
export function parseHubUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return url.protocol === 'https:' && url.pathname === '/' && bare ? url.origin : null;
}

/**
 * Reads the text of a token file: one line; blank lines and lines that begin with `#` are passed
 * over. The refusal names the field at fault and never its content.
 */
export function parseJoinLine(text: string): Result<JoinLine> {
  const lines = text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'));
  const again = 'copy the whole line that `flotilla token create` printed';
  if (lines.length !== 1) {
    return refuse('Malformed', `join line: ${lines.length} lines instead of one; ${again}`);
  }
  const fields = (lines[0] ?? '').split(/\s+/);
  if (fields.length !== 3) {
    return refuse('Malformed', `join line: ${fields.length} fields instead of three; ${again}`);
  }
  const hubUrl = parseHubUrl(fields[0] ?? '');
  if (hubUrl === null) {
    return refuse('Malformed', `join line: field 1 is not an https:// URL; ${again}`);
  }
  const token = parseToken(fields[1] ?? '');
  if (token === null) return refuse('Malformed', `join line: field 2 is not a token; ${again}`);
  const fingerprint = FINGERPRINT.exec(fields[2] ?? '')?.[1];
  if (fingerprint === undefined) {
    return refuse('Malformed', `join line: field 3 is not sha256:<64 hex digits>; ${again}`);
  }
  return accept({ hubUrl, token, fingerprint });
}
