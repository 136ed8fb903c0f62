/**
 * What the hub tells a device about its membership: a client certificate from the hub's own
 * template, where to go, and who the device is; signed by the hub's key.
 */
import { X509Certificate } from 'node:crypto';
import type { JoinedDocument, TokenCount } from '../../protocol/documents/enrolment.js';
import { seal } from '../../protocol/envelope.js';
import { keyId } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import type { LoadedHub } from '../setup/load.js';
import { issueCertificate, ORGANISATION, type RandomBytes } from '../setup/pki.js';
import type { AssignmentRecord, IdentityRecord } from '../store/store.js';

/** Of a certificate's year: what is left when it should be replaced (security.md 1.6). */
const LEFT_AT_RENEWAL_MS = (365 * 86_400_000) / 3;

/** One year by the hub's clock; only the broker judges it. */
export function nodeCertificate(
  { hub, clock, random }: { hub: LoadedHub; clock: Clock; random: RandomBytes },
  asked: { readonly node: string; readonly tlsKey: string },
): Promise<string> {
  const notAfter = new Date(clock.now());
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + 1);
  return issueCertificate(
    hub.issuer,
    {
      commonName: asked.node,
      organisation: ORGANISATION.nodes,
      publicKey: Buffer.from(asked.tlsKey, 'base64'),
      use: 'client',
      notAfter,
    },
    random,
  );
}

export function sealAnswer(
  hub: LoadedHub,
  identity: IdentityRecord,
  told: {
    readonly nonce: string;
    readonly assignment: AssignmentRecord | null;
    readonly token?: TokenCount;
  },
): Uint8Array {
  const { certificate } = identity;
  const isIn = identity.state === 'active';
  const joined: JoinedDocument = {
    fleet: hub.root.document.fleet,
    node: identity.node,
    nodeKey: keyId(identity.identityKey),
    nonce: told.nonce,
    state: isIn ? 'active' : 'pending',
    certificate: isIn ? certificate : null,
    renewAfter: isIn ? renewAfter(certificate) : null,
    authorities: hub.authorities,
    brokers: [...hub.config.advertise.brokers],
    labels: { ...identity.labels },
    ...(told.token ? { token: told.token } : {}),
    assignment: told.assignment && Buffer.from(told.assignment.envelope).toString(),
  };
  return seal('joined', joined, [hub.hubSigner]);
}

function renewAfter(certificate: string): string {
  const endsMs = Date.parse(new X509Certificate(certificate).validTo);
  return new Date(endsMs - LEFT_AT_RENEWAL_MS).toISOString();
}
