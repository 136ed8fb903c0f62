/**
 * Whether a bundle that was signed elsewhere may run in a fleet: by the rules that its nodes go by, so that what the hub takes no
 * node refuses. Pure.
 */
import { isPod } from '../../protocol/bundle-manifest.js';
import type { ReleaseScope, RootDocument } from '../../protocol/documents/root.js';
import { refuse, type Result } from '../../protocol/refusal.js';
import { outOfScope } from '../../protocol/release-scope.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openBundle, scopesOf } from '../../protocol/verify-bundle.js';
import { VERSION } from '../../protocol/version.js';
import { envelopeOfFile, type BundleFile } from './bundle-file.js';
import { countBundleSignatures } from './signature-count.js';

/** The scopes that its signatures reach; or the first thing that is wrong with it, as a node would say it. */
export function acceptBundleFile(
  file: BundleFile,
  root: TrustedRoot,
): Result<readonly ReleaseScope[]> {
  const { document, digest, payload } = file;
  const { namespace, name, revision, requires } = document;
  const what = `bundle ${namespace}/${name} revision ${revision}`;
  const envelope = envelopeOfFile(file);
  if (file.signatures.length === 0) return refuse('BadSignature', `${what}: nobody signed it yet`);
  const size = payload.byteLength;
  const opened = openBundle(envelope, {
    root,
    assigned: { namespace, name, revision, digest, size, attempt: 0 },
    // Which node is of the right kind is for each of them to say.
    arch: requires.arch[0] ?? '',
    agentVersion: requires.minAgent ?? VERSION,
  });
  if (!opened.ok) {
    const short = opened.refusal.code === 'BadSignature' && missingSignatures(file, root.document);
    return short ? refuse('BadSignature', `${what}: ${short}`) : opened;
  }
  if (root.document.denied.includes(digest)) {
    return refuse('Denied', `${what}: withdrawn by root ${root.document.version}`);
  }
  const floor = root.document.floors[`${namespace}/${name}`] ?? 0;
  if (revision < floor) {
    return refuse('Rollback', `${what}: below ${floor}, the floor that the root sets`);
  }
  const scopes = scopesOf(envelope, root.document, document);
  if (!scopes.ok) return scopes;
  for (const pod of file.manifests.filter(isPod)) {
    const beyond = outOfScope(pod, scopes.value);
    if (beyond !== null)
      return refuse('OutOfScope', `${what}: pod "${pod.metadata.name}" is ${beyond}`);
  }
  return scopes;
}

/** How many signatures there are and what is wrong with the others. */
function missingSignatures(file: BundleFile, root: RootDocument): string {
  const { namespace, name } = file.document;
  const { role, have, need, verdicts } = countBundleSignatures(root, { ...file, namespace, name });
  if (!role) return `root ${root.version} names no release role for it`;
  const rest = verdicts.filter(({ verdict }) => verdict !== 'good');
  const told = rest.map(({ keyid, verdict }) =>
    verdict === 'bad'
      ? `that of ${keyid.slice(0, 16)} does not fit`
      : `${keyid.slice(0, 16)} is not a release key for it`,
  );
  const count = `${have} of ${need} signatures that root ${root.version} wants`;
  return [count, ...told].join('; ');
}
