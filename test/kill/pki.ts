/**
 * A node that has joined: its identity on disk as `flotilla-agent join` leaves it, and the certificates of its hub's
 * broker.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  createAuthority,
  issueCertificate,
  NO_EXPIRY,
  pinOf,
  spkiOf,
} from '../../hub/setup/pki.js';
import { ensureNodeKeys, saveMembership } from '../../agent/membership/identity.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { seal } from '../../protocol/envelope.js';
import { keyId, rawPublicKey, signerOf, type Signer } from '../../protocol/keys.js';
import { FLEET, ROOT, rootDocument } from '../support/fleet.js';
import type { SealingKey } from '../support/sealed.js';

/** All PEM but what says otherwise. */
export interface Pki {
  /** The node's name. */
  readonly node: string;
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  readonly root: RootDocument;
  readonly identity: Signer;
  /** Key id of the identity. */
  readonly nodeKey: string;
  /** What is sealed for the node is sealed for this. */
  readonly sealing: SealingKey;
}

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** Makes `dataDir` that of a member of that name; where its broker is is said by `atBroker`. */
export async function makeMember(dataDir: string, node: string): Promise<Pki> {
  const options = { fleet: FLEET, random: randomBytes };
  const authority = await createAuthority(newKey(), options);
  const serverKey = newKey();
  const issue = (template: Parameters<typeof issueCertificate>[1]) =>
    issueCertificate(authority, template, randomBytes);
  const cert = await issue({
    ...{ commonName: 'broker', organisation: 'flotilla:hub', publicKey: spkiOf(serverKey) },
    ...{ use: { serverNames: ['flotilla-hub', '127.0.0.1'] }, notAfter: NO_EXPIRY },
  });
  const keys = ensureNodeKeys(dataDir);
  const certificate = await issue({
    ...{ commonName: node, organisation: 'flotilla:nodes', publicKey: spkiOf(keys.tls) },
    ...{ use: 'client', notAfter: NO_EXPIRY },
  });
  const identity = signerOf(keys.identity);
  const root = rootDocument({ tls: [pinOf(authority.certificate)] });
  const pki: Pki = {
    node,
    ...{ key: serverKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert },
    ...{ ca: authority.certificate, root, identity, nodeKey: keyId(identity.publicKey) },
    sealing: { key: keys.sealing, publicKey: rawPublicKey(keys.sealing) },
  };
  const membership = {
    ...{ fleet: FLEET, node, hubUrl: 'https://127.0.0.1:1', labels: {} },
    brokers: ['mqtts://127.0.0.1:1'],
    root: seal('root', root, [ROOT]).toString(),
    rootDigest: sha256Hex(canonicalJson(root)),
    joinedAt: new Date().toISOString(),
    renewAfter: '2035-01-01T00:00:00.000Z',
  };
  saveMembership(dataDir, { membership, certificate, authorities: authority.certificate });
  return pki;
}
