/** Bundle files of the fixed fleet: good ones, for tests to spoil one thing at a time. */
import { pack } from 'tar-stream';
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { EnvelopeSignature } from '../../protocol/documents/envelope.js';
import { payloadType, preAuthEncoding } from '../../protocol/envelope.js';
import { keyId, type Signer } from '../../protocol/keys.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { checkManifests } from '../../hub/rollout/check-manifests.js';
import { draftRevision, REQUIRES_NOTHING, type Draft } from '../../hub/rollout/revise.js';
import type { BundleFile } from '../../hub/signing/bundle-file.js';
import { FLEET, podManifest } from './fleet.js';

export function signatureOf(payload: Uint8Array, signer: Signer): EnvelopeSignature {
  const sig = signer.sign(preAuthEncoding(payloadType('bundle'), payload));
  return { keyid: keyId(signer.publicKey), sig: Buffer.from(sig).toString('base64') };
}

/** `default/shop` with one pod, revision 1, unless it is said otherwise. */
export function bundleFile(
  signers: readonly Signer[],
  change: Partial<
    Pick<BundleDocument, 'fleet' | 'namespace' | 'name' | 'revision' | 'rollbackFloor' | 'requires'>
  > & {
    readonly pods?: readonly Record<string, unknown>[];
  } = {},
): BundleFile {
  const { pods = [podManifest('web')], ...rest } = change;
  const namespace = rest.namespace ?? 'default';
  const { manifests, causes } = checkManifests(pods, { namespace, podsMax: 100 });
  if (causes.length > 0) throw new Error(JSON.stringify(causes));
  const draft = draftRevision({
    fleet: FLEET,
    namespace,
    name: 'shop',
    manifests,
    images: [],
    revision: 1,
    rollbackFloor: 0,
    issued: '2026-05-01T00:00:00.000Z',
    requires: REQUIRES_NOTHING,
    strategy: DEFAULT_STRATEGY,
    ...rest,
  });
  return fileOf(draft, signers, manifests);
}

export function fileOf(
  draft: Draft,
  signers: readonly Signer[],
  manifests: readonly BundleManifest[] = [],
): BundleFile {
  const signatures = signers.map(signer => signatureOf(draft.payload, signer));
  return { ...draft, signatures, manifests };
}

export interface TarEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly type?: 'file' | 'symlink' | 'link' | 'directory' | 'fifo';
  readonly linkname?: string;
  readonly mode?: number;
  readonly mtime?: Date;
}

/** A tar as anybody may pack one, in the order given. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of entries) {
    const size = Buffer.byteLength(content);
    const plain = { mode: 0o644, mtime: new Date(0), uid: 0, gid: 0, ...header };
    if (header.type === undefined || header.type === 'file') tar.entry({ ...plain, size }, content);
    else tar.entry(plain);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export const blobName = (content: string | Buffer) => `blob/${sha256Hex(content)}`;
