/**
 * The root that a command goes by: a file that came by a way which is trusted, or the hub's, pinned by its hash or, with none, as
 * far as the kubeconfig is trusted. From there the chain is walked and checked step by step.
 */
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import { CliError } from '../../protocol/cli-error.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { ROOT_BYTES_MAX } from '../../protocol/limits.js';
import type { Result } from '../../protocol/refusal.js';
import { envelopeBytesMax, type TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot, openPinnedRoot } from '../../protocol/verify-root.js';
import type { ApiClient } from './client.js';
import type { Context } from './context.js';
import { readText } from './root-files.js';

const BYTES_MAX = envelopeBytesMax(ROOT_BYTES_MAX);
/** As many as a node walks in one session. */
const STEPS_MAX = 1024;

/** `sha256:<64 hex>`; null for anything else. */
export function fingerprintOf(spec: string): string | null {
  return /^sha256:([0-9a-f]{64})$/.exec(spec)?.[1] ?? null;
}

/** A root's envelope in a file; that it is the fleet's is for who passes it to know. Throws `CliError`. */
export function readTrustedRoot(path: string): TrustedRoot {
  const bytes = Buffer.from(readText(path, 'a root').trim());
  return taken(openAsItIs(bytes), path);
}

/** The hub's newest root; it must come after the one pinned, if one is. Throws `CliError`. */
export async function fetchRoot(
  client: ApiClient,
  fingerprint: string | null,
): Promise<TrustedRoot> {
  const first = await fetchEnvelope(
    client,
    fingerprint === null ? '/flotilla/v1/roots/1' : `/flotilla/v1/root/${fingerprint}`,
  );
  if (!first) throw new CliError('refused', 'the hub has no such root');
  const where = `root of ${client.connection.server.origin}`;
  let root = taken(
    fingerprint === null ? openAsItIs(first) : openPinnedRoot(first, fingerprint),
    where,
  );
  for (let step = 0; step < STEPS_MAX; step++) {
    const next = await fetchEnvelope(client, `/flotilla/v1/roots/${root.document.version + 1}`);
    if (!next) break;
    root = taken(openNextRoot(next, root), where);
  }
  return root;
}

/** One form for everything signed: what was parsed gives the bytes again. */
async function fetchEnvelope(client: ApiClient, path: string): Promise<Buffer | null> {
  const envelope = await client.get<object>(path);
  return envelope && Buffer.from(canonicalJson(envelope));
}

function openAsItIs(bytes: Buffer): Result<TrustedRoot> {
  const opened = openEnvelope(bytes, { kind: 'root', bytesMax: BYTES_MAX });
  return opened.ok ? openPinnedRoot(bytes, sha256Hex(opened.value.payload)) : opened;
}

function taken(root: Result<TrustedRoot>, where: string): TrustedRoot {
  if (root.ok) return root.value;
  throw new CliError('refused', `${where}: ${root.refusal.code}: ${root.refusal.detail}`);
}

/** `root 3, sha256:…`. */
export function rootText(root: TrustedRoot): string {
  return `root ${root.document.version}, sha256:${root.digest}`;
}

/** Nodes with a good clock take nothing new under a root that is past its time, but the next root. */
export function warnOfExpiry({ terminal, clock }: Context, root: TrustedRoot): void {
  const { version, expires } = root.document;
  if (Date.parse(expires) > clock.now()) return;
  terminal.warn(`Warning: root ${version} expired at ${expires}; it needs a successor first`);
}
