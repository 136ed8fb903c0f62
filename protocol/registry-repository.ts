/**
 * What is asked of image registries, and what their answers are worth: HTTP API v2 of the OCI distribution specification 1.1,
 * for manifests and configurations alone. Tokens as Docker's token authentication has them. Plain http only to the loopback,
 * as Docker does; a password never leaves for anywhere else unencrypted, and is part of no message. Sends nothing itself.
 */
import { sha256Hex } from './canonical.js';
import { excerpt } from './excerpt.js';
import { ACCEPTED_TYPES } from './image-manifest.js';
import type { RegistryAuth } from './registry-credentials.js';

const BODY_BYTES_MAX = 4 * 1024 * 1024;

export type RegistryErrorCode = 'Unreachable' | 'Unauthorized' | 'NotFound' | 'BadAnswer';

export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: RegistryErrorCode;
  constructor(code: RegistryErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ManifestAnswer {
  /** Of the bytes that came: checked against what the registry says, and against what was asked for. */
  readonly digest: string;
  readonly contentType: string;
  readonly text: string;
}

/** The answer, whatever it is; rejects with any error where none comes. */
export type SendRequest = (
  url: string,
  headers: Readonly<Record<string, string>>,
) => Promise<Response>;

export interface RegistryOptions {
  /** Tried in order, and then none. */
  readonly auths: readonly RegistryAuth[];
  readonly send: SendRequest;
  /** Once it is aborted, its reason is thrown in place of what the sender says. */
  readonly signal: AbortSignal;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/;

/** One repository of one registry. */
export class Repository {
  readonly #host: string;
  readonly #name: string;
  readonly #options: RegistryOptions;
  #scheme: 'https' | 'http' | null = null;
  #authorization: string | null = null;

  constructor(host: string, name: string, options: RegistryOptions) {
    this.#host = host;
    this.#name = name;
    this.#options = options;
  }

  /** By tag or digest. Throws `RegistryError`. */
  manifest(reference: string): Promise<ManifestAnswer> {
    return this.#content('manifests', reference);
  }

  /** A configuration, by digest; as `manifest`. */
  blob(digest: string): Promise<ManifestAnswer> {
    return this.#content('blobs', digest);
  }

  async #content(kind: 'manifests' | 'blobs', reference: string): Promise<ManifestAnswer> {
    const path = `/v2/${this.#name}/${kind}/${reference}`;
    let response = await this.#get(path);
    if (response.status === 401) response = await this.#getAuthorized(path, response);
    if (response.status === 404)
      throw new RegistryError('NotFound', `${this.#host} has no such image`);
    if (response.status === 401 || response.status === 403) throw this.#unauthorized();
    if (response.status !== 200) {
      const code = response.status >= 500 ? 'Unreachable' : 'BadAnswer';
      throw new RegistryError(code, `${this.#host} answers ${response.status}`);
    }
    const body = await bodyOf(response, this.#host);
    const digest = `sha256:${sha256Hex(body)}`;
    const said = response.headers.get('docker-content-digest') ?? digest;
    const asked = reference.startsWith('sha256:') ? reference : digest;
    if (said !== digest || asked !== digest) {
      const other = said !== digest ? said : asked;
      throw new RegistryError(
        'BadAnswer',
        `${this.#host} answers ${excerpt(other)} with content of ${digest}`,
      );
    }
    const contentType = response.headers.get('content-type') ?? '';
    return { digest, contentType, text: body.toString('utf8') };
  }

  #unauthorized(): RegistryError {
    const { length } = this.#options.auths;
    const with_ = length === 0 ? 'without credentials' : 'with the credentials of this user';
    return new RegistryError('Unauthorized', `${this.#host} does not show it ${with_}`);
  }

  async #get(path: string): Promise<Response> {
    const headers: Record<string, string> = { accept: ACCEPTED_TYPES.join(', ') };
    if (this.#authorization !== null) headers['authorization'] = this.#authorization;
    if (this.#scheme !== null) return this.#send(`${this.#scheme}://${this.#host}${path}`, headers);
    try {
      const response = await this.#send(`https://${this.#host}${path}`, headers);
      this.#scheme = 'https';
      return response;
    } catch (error) {
      if (!LOOPBACK.test(this.#host)) throw error;
      const response = await this.#send(`http://${this.#host}${path}`, headers);
      this.#scheme = 'http';
      return response;
    }
  }

  async #send(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    try {
      return await this.#options.send(url, headers);
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const message = `${new URL(url).host} does not answer: ${whyNot(error)}`;
      throw new RegistryError('Unreachable', message);
    }
  }

  /** With each of the credentials in turn, then as anybody; the last answer, whatever it is. */
  async #getAuthorized(path: string, refused: Response): Promise<Response> {
    const challenge = refused.headers.get('www-authenticate') ?? '';
    let response = refused;
    for (const auth of [...this.#options.auths, null]) {
      const authorization = await this.#authorize(challenge, auth);
      if (authorization === null) continue;
      this.#authorization = authorization;
      response = await this.#get(path);
      if (response.status !== 401 && response.status !== 403) return response;
    }
    return response;
  }

  /** Null where these credentials open nothing. */
  async #authorize(challenge: string, auth: RegistryAuth | null): Promise<string | null> {
    const basic =
      auth && `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
    if (/^basic\b/i.test(challenge)) return basic;
    const parameters = new Map(
      [...challenge.matchAll(/(?<!\w)(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [
        key,
        value,
      ]),
    );
    const realm = parameters.get('realm');
    if (!/^bearer\b/i.test(challenge) || realm === undefined || !URL.canParse(realm)) return null;
    const url = new URL(realm);
    const isSafe =
      url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.host));
    if (!isSafe) {
      const where = `${url.protocol}//${url.host}`;
      throw new RegistryError(
        'BadAnswer',
        `${this.#host} asks for a login at ${where}, in the clear`,
      );
    }
    const service = parameters.get('service');
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', parameters.get('scope') ?? `repository:${this.#name}:pull`);
    const response = await this.#send(url.href, basic === null ? {} : { authorization: basic });
    if (response.status !== 200) return null;
    const token = tokenIn((await bodyOf(response, url.host)).toString('utf8'));
    if (token === null) throw new RegistryError('BadAnswer', `${url.host} gives no token`);
    return `Bearer ${token}`;
  }
}

function tokenIn(text: string): string | null {
  try {
    const { token, access_token: other } = JSON.parse(text) as Record<string, unknown>;
    const found = token ?? other;
    return typeof found === 'string' && found !== '' ? found : null;
  } catch {
    return null;
  }
}

/** `fetch` hides the reason in the cause. */
function whyNot(error: unknown): string {
  const { cause = error } = error as { cause?: unknown };
  const { code, message } = cause as { code?: string; message?: string };
  return code ?? message ?? String(cause);
}

async function bodyOf(response: Response, host: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += piece.byteLength;
      if (size > BODY_BYTES_MAX) break;
      pieces.push(piece);
    }
  } catch (error) {
    throw new RegistryError('Unreachable', `${host} breaks off: ${whyNot(error)}`);
  }
  if (size <= BODY_BYTES_MAX) return Buffer.concat(pieces);
  throw new RegistryError('BadAnswer', `${host} answers more than ${BODY_BYTES_MAX} bytes`);
}
