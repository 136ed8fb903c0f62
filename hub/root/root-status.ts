/** What the hub says beside the root's own document: its keys, which nodes lag, what somebody should do. Pure. */
import type { RootDocument } from '../../protocol/documents/root.js';
import { rootLifeCondition } from '../../protocol/root-life.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { isMember } from '../enrolment/standing-conditions.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { runningOn } from '../rollout/rollout.js';
import { withdrawalOf, withdrawnText, type WithdrawnRevision } from '../rollout/withdrawn.js';
import type { HeldKey } from '../setup/held-keys.js';
import type { RevisionRecord } from '../store/store.js';
import type { TlsChange } from './tls-change.js';

export interface RootStatus {
  readonly digest: string;
  /** Keys in roles of the root whose private halves lie at this hub. */
  readonly held: readonly { readonly role: string; readonly id: string }[];
  /** The hub's own keys are enough to sign the next root. */
  readonly signsRoots: boolean;
  /** Members alone: who waits or was shut out gets no root. */
  readonly nodes: {
    readonly total: number;
    /** With the version that each said last; 0: it said none yet. */
    readonly behind: readonly { readonly name: string; readonly version: number }[];
  };
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly warnings: readonly string[];
  /** Newest revisions, and former ones that nodes still run, with which no node may begin. */
  readonly withdrawn: readonly WithdrawnRevision[];
  /** The change of the hub's TLS authority that is under way. */
  readonly tls: TlsChange | null;
}

export interface RootStatusInput {
  readonly tls: TlsChange | null;
  readonly root: TrustedRoot;
  readonly held: readonly HeldKey[];
  readonly useless: readonly HeldKey[];
  readonly nodes: readonly NodeObject[];
  readonly bundles: readonly {
    readonly object: BundleObject;
    /** All that are kept. */
    readonly revisions: readonly RevisionRecord[];
  }[];
  readonly dataDir: string;
  readonly now: number;
}

export function rootStatusOf(input: RootStatusInput): RootStatus {
  const { root, held, useless, nodes, now } = input;
  const { document } = root;
  const named = held.filter(key => !useless.includes(key));
  const members = nodes.filter(({ status }) => isMember(status.conditions));
  const behind = members.flatMap(({ metadata: { name }, status }) => {
    const version = status.flotilla.rootVersion;
    return version < document.version ? [{ name, version }] : [];
  });
  const withdrawn = withdrawnRevisions(input);
  const life = rootLifeCondition(document, now);
  return {
    digest: root.digest,
    held: named.map(({ role, id }) => ({ role, id })),
    signsRoots: signsRoots(document, named),
    nodes: { total: members.length, behind },
    conditions: life ? [life] : [],
    warnings: [...withdrawn.map(({ text }) => text), ...uselessText(input)],
    withdrawn: withdrawn.map(({ told }) => told),
    tls: input.tls,
  };
}

export function signsRoots({ roles }: RootDocument, held: readonly HeldKey[]): boolean {
  const own = held.filter(({ role, id }) => role === 'root' && roles.root.keys.includes(id));
  return own.length >= roles.root.threshold;
}

/** What runs runs on, but no node could begin with it any more. */
function withdrawnRevisions({
  root,
  bundles,
  nodes,
}: RootStatusInput): { readonly told: WithdrawnRevision; readonly text: string }[] {
  const running = runningWhere(nodes.filter(({ status }) => isMember(status.conditions)));
  const left = runningWhere(nodes.filter(({ status }) => !isMember(status.conditions)));
  return bundles.flatMap(({ object, revisions }) =>
    revisions.flatMap(record => {
      const { namespace, bundle: name, revision, digest } = record;
      const newest = digest === object.status.digest;
      const [runs, revoked] = [running.get(digest) ?? [], left.get(digest) ?? []];
      if (!newest && runs.length + revoked.length === 0) return [];
      const withdrawal = withdrawalOf(root.document, record);
      if (withdrawal === null) return [];
      const { reason } = withdrawal;
      const where = { nodes: [...runs].sort(), revoked: [...revoked].sort() };
      const told = { namespace, name, revision, digest, reason, newest, ...where };
      return [{ told, text: withdrawnText(told, withdrawal) }];
    }),
  );
}

/** Names of nodes by the digest of a revision that lies in their directory. */
function runningWhere(nodes: readonly NodeObject[]): ReadonlyMap<string, readonly string[]> {
  const running = new Map<string, string[]>();
  for (const node of nodes) {
    for (const digest of runningOn(node)) {
      running.set(digest, [...(running.get(digest) ?? []), node.metadata.name]);
    }
  }
  return running;
}

function uselessText({ useless, dataDir }: RootStatusInput): string[] {
  const roles = [...new Set(useless.map(({ role }) => role))].filter(role => role !== 'hub');
  if (roles.length === 0) return [];
  const command = `flotilla hub drop-keys --data-dir ${dataDir}`;
  return [
    `this hub keeps private ${roles.join(' and ')} keys that the root does not name: ${command}`,
  ];
}
