/**
 * A blob as published to the bytes that its digest names: as they are, or packed with gzip or
 * brotli. Never unpacks beyond the size that a signed document gave for it, so a bomb costs no more
 * than an honest blob.
 */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { sha256Hex } from '../../protocol/canonical.js';
import { BLOB_BYTES_MAX } from '../../protocol/limits.js';
import { accept, refuse, type Result } from '../../protocol/refusal.js';

export interface BlobName {
  readonly digest: string;
  /** Of the content, in bytes, from the signed document that names it. */
  readonly size: number;
}

/**
 * Refuses with `TooLarge`, or with `MixMatch` when these are not the bytes that the name stands
 * for.
 */
export function unpackBlob(published: Uint8Array, name: BlobName): Result<Buffer> {
  if (published.byteLength > BLOB_BYTES_MAX) {
    return refuse(
      'TooLarge',
      `blob: ${published.byteLength} bytes, the limit is ${BLOB_BYTES_MAX}`,
    );
  }
  const wrong = refuse('MixMatch', 'blob: not the content that the signed document names');
  if (isContent(published, name)) return accept(Buffer.from(published));
  const gzip = published[0] === 0x1f && published[1] === 0x8b;
  try {
    const options = { maxOutputLength: Math.max(1, name.size) };
    const content = (gzip ? gunzipSync : brotliDecompressSync)(published, options);
    return isContent(content, name) ? accept(content) : wrong;
  } catch {
    return wrong;
  }
}

function isContent(bytes: Uint8Array, { digest, size }: BlobName): boolean {
  return bytes.byteLength === size && sha256Hex(bytes) === digest;
}
