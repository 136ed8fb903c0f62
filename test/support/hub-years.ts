/**
 * A hub whose clock is wrong, and one that had other keys meanwhile: what lies between two visits
 * of a node. The keys of root stay; hub key and authority are replaced by a chain of roots.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostAddresses } from '../../hub/setup/host-addresses.js';
import { hubPaths } from '../../hub/setup/config.js';
import { writeCertificates } from '../../hub/setup/init-certificates.js';
import { initPlan } from '../../hub/setup/init-plan.js';
import { generatePrivateKey, privatePem } from '../../hub/setup/keys.js';
import { loadHub } from '../../hub/setup/load.js';
import { createAuthority, pinOf } from '../../hub/setup/pki.js';
import { writePrivateFile } from '../../hub/setup/private-files.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { openEnvelope, seal } from '../../protocol/envelope.js';
import { keyId, signerOf } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import { HUB_PROGRAM, type Playground } from './programs.js';
import { MovableClock } from './hub-fixture.js';

/** Preloaded rather than run through its wrapper, which would stand between a signal and the hub. */
const FAKETIME = ['x86_64', 'aarch64', 'arm']
  .flatMap(machine => ['gnu', 'gnueabihf'].map(abi => `/usr/lib/${machine}-linux-${abi}`))
  .map(directory => `${directory}/faketime/libfaketime.so.1`)
  .find(path => existsSync(path));

export function noFaketime(): string | false {
  return FAKETIME === undefined ? 'libfaketime is not installed' : false;
}

/** `offset`: as faketime takes it, such as `-400d`. */
export function startHubInThePast(play: Playground, offset: string): void {
  const hub = [process.execPath, HUB_PROGRAM, 'hub', 'run', '--data-dir', play.path('hub')];
  const time = [`LD_PRELOAD=${FAKETIME}`, `FAKETIME=${offset}`, 'FAKETIME_DONT_FAKE_MONOTONIC=1'];
  play.start('hub', '/usr/bin/env', [...time, ...hub]);
}

/**
 * Of a hub that does not run: `steps` roots, the last of which names another hub key and pins
 * another authority; certificates and the kubeconfig follow.
 */
export async function changeHubKeys(dataDir: string, { steps }: { steps: number }): Promise<void> {
  const paths = hubPaths(dataDir);
  const { root, rootSigner, config } = loadHub(dataDir);
  if (!rootSigner) throw new Error('the root key is not here');
  const clock = new MovableClock();
  const { fleet } = root.document;
  const keys = { hub: generatePrivateKey('ed25519'), authority: generatePrivateKey('p256') };
  const authority = await createAuthority(keys.authority, { fleet, random: randomBytes });
  const hubKey = signerOf(keys.hub).publicKey;
  const former = root.document.roles.hub.keys[0] ?? '';
  const store = await openSqliteStore({ path: paths.database, clock });
  let document: RootDocument = { ...root.document, issued: new Date(clock.now()).toISOString() };
  let envelope = root.envelope;
  for (let step = 1; step <= steps; step++) {
    document = { ...document, version: document.version + 1 };
    if (step === steps) {
      const { [former]: gone, ...others } = document.keys;
      if (gone === undefined) throw new Error('the former hub key is not in the root');
      document = {
        ...document,
        keys: { ...others, [keyId(hubKey)]: hubKey },
        roles: { ...document.roles, hub: { threshold: 1, keys: [keyId(hubKey)] } },
        tls: [pinOf(authority.certificate)],
      };
    }
    envelope = seal('root', document, [rootSigner]);
    const opened = openEnvelope(envelope, { kind: 'root', bytesMax: 1 << 20 });
    if (!opened.ok) throw new Error(opened.refusal.detail);
    const record = { version: document.version, digest: sha256Hex(opened.value.payload), envelope };
    const topics = topicsOf(fleet);
    await store.commit({ kind: 'hub', name: 'test' }, [
      { type: 'root', record },
      { type: 'publish', topic: topics.root(), payload: envelope },
      { type: 'publish', topic: topics.root(document.version), payload: envelope },
    ]);
  }
  await store.close();
  writePrivateFile(paths.root, envelope);
  writePrivateFile(paths.keys.hub, privatePem(keys.hub));
  writePrivateFile(paths.keys.authority, privatePem(keys.authority));
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const mqtt = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  writePrivateFile(paths.keys.server, privatePem(server));
  writePrivateFile(paths.keys.mqtt, privatePem(mqtt));
  const plan = { ...initPlan({}, hostAddresses()), config };
  await writeCertificates(dataDir, { authority, plan, server, mqtt, random: randomBytes });
}
