/**
 * Ed25519 public keys as people write them: 64 hex digits, or the line of an OpenSSH `.pub` file (RFC 8709). Pure.
 */
import { createHash } from 'node:crypto';
import { isSoundPublicKey } from '../../protocol/keys.js';

const SSH_TYPE = 'ssh-ed25519';

function sshString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The key as OpenSSH has it on the wire. */
export function sshBlobOf(publicKey: string): Buffer {
  return Buffer.concat([
    sshString(Buffer.from(SSH_TYPE)),
    sshString(Buffer.from(publicKey, 'hex')),
  ]);
}

/** Null for anything but a sound Ed25519 key in the one form that `sshBlobOf` writes. */
export function publicKeyOfSshBlob(blob: Buffer): string | null {
  const publicKey = blob.subarray(-32).toString('hex');
  return isSoundPublicKey(publicKey) && blob.equals(sshBlobOf(publicKey)) ? publicKey : null;
}

/** `ssh-ed25519 AAAA… comment`. */
export function publicKeyLine(publicKey: string, comment: string): string {
  return [SSH_TYPE, sshBlobOf(publicKey).toString('base64'), comment].join(' ').trim();
}

/** As `ssh-keygen -l` and `ssh-add -l` print it: `SHA256:…`. */
export function sshFingerprint(publicKey: string): string {
  const digest = createHash('sha256').update(sshBlobOf(publicKey)).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}

/** A comment is somebody's text: without what would move the cursor of who reads it. */
export function shownComment(comment: string): string {
  return comment.replace(/\p{C}/gu, '').trim();
}

export interface WrittenPublicKey {
  readonly publicKey: string;
  readonly comment: string;
}

/** Hex, or a line as in a `.pub` file; null if it is neither, or another type of key, or not a sound one. */
export function parsePublicKey(text: string): WrittenPublicKey | null {
  const line = text.trim();
  if (/^[0-9a-f]{64}$/.test(line)) {
    return isSoundPublicKey(line) ? { publicKey: line, comment: '' } : null;
  }
  const match = /^ssh-ed25519[ \t]+([A-Za-z0-9+/]{68}=*)(?:[ \t]+([^\n]*))?$/.exec(line);
  if (!match) return null;
  const publicKey = publicKeyOfSshBlob(Buffer.from(match[1] ?? '', 'base64'));
  return publicKey === null ? null : { publicKey, comment: shownComment(match[2] ?? '') };
}
