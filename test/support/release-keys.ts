/** Takes the release keys of a hub away from it, as a fleet that keeps them offline does: root 2 names others. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hubPaths } from '../../hub/setup/config.js';
import { loadHub } from '../../hub/setup/load.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { seal } from '../../protocol/envelope.js';
import { keyId, signerOf } from '../../protocol/keys.js';
import { DEFAULT_GRANT } from '../../protocol/release-scope.js';
import { topicsOf } from '../../protocol/topics.js';
import { REAL_CLOCK } from './clock.js';

/** The hub must not run. Returns the fingerprint of the new root. */
export async function releaseKeysElsewhere(
  dataDir: string,
  publicKeys: readonly string[],
  threshold: number,
): Promise<string> {
  const paths = hubPaths(dataDir);
  const { root } = loadHub(dataDir);
  const former = root.document;
  const keys = publicKeys.map(keyId);
  const kept = [...former.roles.root.keys, ...former.roles.hub.keys];
  const document: RootDocument = {
    ...former,
    version: former.version + 1,
    development: false,
    keys: Object.fromEntries([
      ...kept.map(id => [id, former.keys[id] ?? '']),
      ...publicKeys.map(key => [keyId(key), key]),
    ]) as Record<string, string>,
    roles: {
      ...former.roles,
      release: [
        { bundles: ['*/*'], threshold, keys, scopes: [{ threshold, keys, ...DEFAULT_GRANT }] },
      ],
    },
  };
  const rootSigner = signerOf(createPrivateKey(readFileSync(paths.keys.root)));
  const envelope = seal('root', document, [rootSigner]);
  const digest = sha256Hex(canonicalJson(document));
  const store = await openSqliteStore({ path: paths.database, clock: REAL_CLOCK, create: false });
  const topics = topicsOf(document.fleet);
  const { version } = document;
  await store.commit({ kind: 'user', name: 'ceremony' }, [
    { type: 'root', record: { version, digest, envelope } },
    { type: 'publish', topic: topics.root(), payload: envelope },
    { type: 'publish', topic: topics.root(version), payload: envelope },
  ]);
  await store.close();
  writeFileSync(paths.root, envelope);
  for (const path of [paths.keys.root, paths.keys.release]) rmSync(path);
  return digest;
}
