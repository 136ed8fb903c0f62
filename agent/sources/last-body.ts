/**
 * The last good answer of the URL source, kept on disk so that its pods are known when the server is away at the start
 * (kubelet behaviour row 43 done better).
 *
 * One file, `<data-dir>/last-body.json`, mode 0600, replaced as a whole. One that cannot be read, or of another URL,
 * is as good as none. Decides nothing.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../protocol/canonical.js';
import { writePrivate } from './write-private.js';

/** What a server gives with a body for the question whether that changed (RFC 9110, section 8.8). */
export interface Validators {
  readonly etag: string | null;
  readonly lastModified: string | null;
}

export interface KeptBody extends Validators {
  readonly bytes: Uint8Array;
}

export interface LastBody {
  load(): Promise<KeptBody | null>;
  /** Rejects with the system's error; the former body stays then. */
  put(body: KeptBody): Promise<void>;
}

interface Stored extends Validators {
  readonly version: 1;
  /** SHA-256 of the URL, which may hold credentials. */
  readonly url: string;
  readonly body: string;
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) return false;
  const { version, url, body, etag, lastModified } = value as Record<string, unknown>;
  const isTextOrNull = (one: unknown) => one === null || typeof one === 'string';
  return (
    version === 1 &&
    typeof url === 'string' &&
    typeof body === 'string' &&
    isTextOrNull(etag) &&
    isTextOrNull(lastModified)
  );
}

export function openLastBody(dataDir: string, url: string): LastBody {
  const path = join(dataDir, 'last-body.json');
  const key = sha256Hex(url);
  return {
    async load() {
      try {
        const value: unknown = JSON.parse(await readFile(path, 'utf8'));
        if (!isStored(value) || value.url !== key) return null;
        const { body, etag, lastModified } = value;
        return { bytes: new TextEncoder().encode(body), etag, lastModified };
      } catch {
        return null;
      }
    },
    async put({ bytes, etag, lastModified }) {
      const body = new TextDecoder().decode(bytes);
      const stored: Stored = { version: 1, url: key, etag, lastModified, body };
      await writePrivate(path, JSON.stringify(stored));
    },
  };
}
