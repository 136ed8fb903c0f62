/**
 * The hub's side of a real node in this process: journal, link, intake and report on real files;
 * pods are scripted.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHubSession, type HubSession } from '../../agent/hub-session.js';
import type { Journal } from '../../agent/journal/journal.js';
import { openJournal } from '../../agent/journal/open.js';
import { openPlainSocket } from '../../agent/link/link.js';
import { readNodeInfo } from '../../agent/node-info.js';
import { openOwnedDirectory, type OwnedDirectory } from '../../agent/intake/owned-files.js';
import type { PodReport } from '../../agent/ports.js';
import { keyId } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import { openAssignment } from '../../protocol/verify-assignment.js';
import { FLEET, NODE, NODE_NAME, trustedRoot } from './fleet.js';

export interface TestNode {
  readonly session: HubSession;
  readonly journal: Journal;
  readonly logged: string[];
  readonly manifests: string;
  pods: PodReport[] | null;
  /** Names in the static pod directory, sorted. */
  files(): string[];
  /** Images of the owned manifests, sorted. */
  images(): string[];
  stop(): Promise<void>;
}

export interface TestNodeOptions {
  readonly dataDir: string;
  readonly port: number;
  readonly clock: Clock;
  /** The hub's answer to a join; accepted into a new journal, as `flotilla-agent join` does. */
  readonly first?: { readonly nonce: string; readonly assignment: Uint8Array };
  readonly wrapDirectory?: (directory: OwnedDirectory) => OwnedDirectory;
}

const randomId = () => randomBytes(16).toString('hex');

export function startNode(options: TestNodeOptions): TestNode {
  const { dataDir, clock } = options;
  const manifests = join(dataDir, 'manifests');
  mkdirSync(manifests, { recursive: true });
  const journal = openJournal({ dataDir, clock, randomId });
  const isNew = journal.root() === null && journal.conditions().length === 0;
  if (options.first && isNew) acceptFirst(journal, options.first);
  const logged: string[] = [];
  const write = (message: string, fields = {}) =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const directory = openOwnedDirectory(manifests);
  const scripted: { pods: PodReport[] | null } = { pods: [] };
  const node: TestNode = {
    get pods() {
      return scripted.pods;
    },
    set pods(pods) {
      scripted.pods = pods;
    },
    journal,
    logged,
    manifests,
    session: startHubSession({
      identity: { fleet: FLEET, node: NODE_NAME, signer: NODE },
      journal,
      directory: options.wrapDirectory?.(directory) ?? directory,
      pinnedRoot: trustedRoot(),
      releasedAt: 0,
      machine: { bootId: 'machine-1', uptimeMs: () => clock.monotonic() },
      kernelSynced: () => false,
      arch: 'amd64',
      agentVersion: '0.1.0',
      containerRuntimeVersion: () => 'docker://0.0.0',
      nodeInfo: readNodeInfo,
      refuses: () => null,
      pods: () => scripted.pods,
      conditions: () => [],
      clock,
      random: Math.random,
      randomId,
      log: { info: write, warn: write, error: write },
      brokers: [`mqtt://127.0.0.1:${options.port}`],
      openSocket: openPlainSocket,
    }),
    files: () => readdirSync(manifests).sort(),
    images: () =>
      readdirSync(manifests)
        .filter(file => file.startsWith('flotilla_'))
        .map(file => imageOf(readFileSync(join(manifests, file), 'utf8')))
        .sort(),
    stop: async () => {
      await node.session.close();
      journal.close();
    },
  };
  return node;
}

function acceptFirst(journal: Journal, first: NonNullable<TestNodeOptions['first']>): void {
  const root = trustedRoot();
  const opened = openAssignment(first.assignment, {
    root,
    node: NODE_NAME,
    nodeKey: keyId(NODE.publicKey),
    accepted: null,
    nonce: first.nonce,
    freshOnly: true,
    now: 0,
  });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.acceptRoot(root);
  journal.acceptAssignment(opened.value);
}

function imageOf(text: string): string {
  const pod = JSON.parse(text) as { spec: { containers: { image: string }[] } };
  return pod.spec.containers[0]?.image ?? '';
}

/** A pod of an owned file as the pod runner would report it. */
export function podReport(
  bundle: { namespace: string; name: string },
  change: { name: string; manifestDigest: string; startedAt?: string; phase?: string },
): PodReport {
  const name = `${change.name}-${NODE_NAME}`;
  const { namespace } = bundle;
  return {
    key: `${namespace}/${name}`,
    source: 'bundle',
    bundle,
    manifestDigest: change.manifestDigest,
    pod: {
      metadata: { name, namespace, uid: 'abc' },
      spec: { containers: [{ name: 'main', image: 'web:1' }] },
      status: {
        phase: change.phase ?? 'Running',
        containerStatuses: change.startedAt
          ? [
              {
                name: 'main',
                image: 'web:1',
                imageID: '',
                ready: true,
                restartCount: 0,
                state: { running: { startedAt: change.startedAt } },
              },
            ]
          : [],
      },
    },
  };
}
