/** Patches as the hub makes them, from one signed revision of a bundle to the next; and spoilt ones. */
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { openEnvelope, seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { counterpart, namedBlobs, PatchWriter } from '../../protocol/patches.js';
import { RELEASE } from './fleet.js';

export interface MadeRevision {
  readonly document: BundleDocument;
  readonly pods: readonly Record<string, unknown>[];
}

/** `signers`: of the new revision. */
export function patchFrom(
  former: MadeRevision,
  next: MadeRevision,
  { signers = [RELEASE], bytesMax = 64 * 1024 }: { signers?: Signer[]; bytesMax?: number } = {},
): Buffer {
  const basePayload = Buffer.from(canonicalJson(former.document));
  const by = signers.length > 0 ? signers : [RELEASE];
  const opened = openEnvelope(seal('bundle', next.document, by), {
    kind: 'bundle',
    bytesMax: 1 << 20,
  });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  const contents = new Map(
    [...former.pods, ...next.pods].map(pod => {
      const content = Buffer.from(canonicalJson(pod));
      return [sha256Hex(content), content] as const;
    }),
  );
  const had = new Set(namedBlobs(former.document).map(({ digest }) => digest));
  const blobs = namedBlobs(next.document).flatMap((blob, index) => {
    const content = contents.get(blob.digest);
    if (had.has(blob.digest) || !content) return [];
    const beside = counterpart(blob, former.document)?.digest ?? '';
    return [{ index, content, base: contents.get(beside) ?? Buffer.alloc(0) }];
  });
  const base = sha256Hex(basePayload);
  const signatures = signers.length > 0 ? opened.value.signatures : [];
  const target = { ...opened.value, signatures };
  const writer = PatchWriter.begin({ base, basePayload, target }, bytesMax);
  if (writer === null) throw new Error('no patch');
  for (const blob of blobs) writer.add(blob);
  return writer.body();
}
