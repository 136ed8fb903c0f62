/** What an attacker makes of the keys that he has: bundles, and envelopes spoilt in one place. */
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { AssignedBundle } from '../../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../../protocol/documents/bundle.js';
import type { Envelope } from '../../../protocol/documents/envelope.js';
import { preAuthEncoding, seal } from '../../../protocol/envelope.js';
import { keyId, type Signer } from '../../../protocol/keys.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { bundleDocument } from '../fleet.js';
import { podText } from './documents.js';
import type { Victim } from './victim.js';

type Pod = Record<string, unknown>;

export interface Bundle {
  readonly document: BundleDocument;
  readonly pods: readonly Pod[];
  readonly assigned: AssignedBundle;
  /** Signed as it should be by the hub's own release key, or by these. */
  readonly envelope: (...signers: readonly Signer[]) => Buffer;
}

/** How an assignment names the bundle document with these bytes. */
function namedBy(
  payload: Buffer,
  of: { readonly namespace: string; readonly name: string; readonly revision: number },
): AssignedBundle {
  const { namespace, name, revision } = of;
  const digest = sha256Hex(payload);
  return { namespace, name, revision, digest, size: payload.byteLength, attempt: 0 };
}

/** Revision 1 of a bundle in namespace `default` with one pod, if nothing else is said. */
export function bundle(
  victim: Victim,
  change: Partial<BundleDocument> = {},
  pods: readonly Pod[] = [podText('prey')],
): Bundle {
  const document = bundleDocument(pods, {
    fleet: victim.root.fleet,
    name: 'prey',
    issued: new Date().toISOString(),
    strategy: { ...DEFAULT_STRATEGY, minReadySeconds: 1 },
    ...change,
  });
  return {
    document,
    pods,
    assigned: namedBy(Buffer.from(canonicalJson(document)), document),
    envelope: (...signers) =>
      seal('bundle', document, signers.length > 0 ? signers : [victim.keys.release]),
  };
}

/** The envelope and the manifests, each where it belongs. */
export async function publishBundle(
  victim: Victim,
  { assigned, pods, envelope }: Bundle,
  bytes: Buffer | string = envelope(),
): Promise<void> {
  await victim.publishContent(pods);
  await victim.publish(victim.topics.blob(assigned.digest), bytes);
}

/** The envelope with a change to its own fields, canonical again. */
export function spoilt(
  envelope: Buffer,
  change: (envelope: Envelope) => Record<string, unknown> | Envelope,
): Buffer {
  return Buffer.from(canonicalJson(change(JSON.parse(envelope.toString('utf8')) as Envelope)));
}

/** Exactly these payload bytes, whatever they say, properly signed. */
export function sealText(
  kind: 'assignment' | 'root' | 'bundle',
  text: string | Buffer,
  signers: readonly Signer[],
): Buffer {
  const payload = Buffer.from(text);
  const payloadType = `application/vnd.flotilla.${kind}.v1+json`;
  const message = preAuthEncoding(payloadType, payload);
  return Buffer.from(
    canonicalJson({
      payload: payload.toString('base64'),
      payloadType,
      signatures: signers.map(signer => ({
        keyid: keyId(signer.publicKey),
        sig: Buffer.from(signer.sign(message)).toString('base64'),
      })),
    }),
  );
}
