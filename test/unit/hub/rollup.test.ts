/** What a bundle's status counts, by what the nodes say of exactly its newest revision. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BundleObject, NodeObject } from '../../../hub/objects.js';
import { rollUp } from '../../../hub/rollout/rollout.js';
import type { BundleState } from '../../../protocol/documents/node.js';

const DIGEST = 'd'.repeat(64);
const OTHER = 'e'.repeat(64);

const bundle = {
  kind: 'Bundle',
  metadata: { namespace: 'default', name: 'shop' },
  spec: { nodeSelector: 'role=shop', manifests: [] },
  status: { revision: 2, digest: DIGEST, nodes: {} },
} as unknown as BundleObject;

interface NodeRow {
  readonly role?: string;
  readonly ready?: string;
  /** Of its condition `Enrolled`. */
  readonly enrolled?: string;
  readonly state?: BundleState;
  readonly digest?: string;
  /** What runs; like `digest` when left out. */
  readonly active?: string | null;
  readonly name?: string;
}

function node({ role = 'shop', ready = 'True', state, name, ...row }: NodeRow): NodeObject {
  const { enrolled = 'True' } = row;
  const { digest = DIGEST, active = digest } = row;
  const own = { namespace: 'default', name: name ?? 'shop', digest, active, state };
  return {
    metadata: { labels: { role } },
    status: {
      conditions: [
        { type: 'Ready', status: ready },
        { type: 'Enrolled', status: enrolled },
      ],
      flotilla: { bundles: state === undefined ? [] : [own] },
    },
  } as unknown as NodeObject;
}

const NONE = { desired: 0, updated: 0, healthy: 0, failed: 0, offline: 0 };
const ROWS: readonly [string, readonly NodeRow[], Partial<typeof NONE>][] = [
  ['nobody, where no node matches', [{ role: 'lab', state: 'healthy' }], {}],
  ['a node that has not spoken of it as desired alone', [{}], { desired: 1 }],
  ['one on its way as updated', [{ state: 'activating' }], { desired: 1, updated: 1 }],
  [
    'one that still fetches it as not updated',
    [
      { state: 'staged', active: null },
      { state: 'staged', active: OTHER },
    ],
    { desired: 2 },
  ],
  [
    'one that refused it as failed and not updated: its former revision runs on',
    [{ state: 'failed', active: OTHER }],
    { desired: 1, failed: 1 },
  ],
  ['a healthy one', [{ state: 'healthy' }], { desired: 1, updated: 1, healthy: 1 }],
  [
    'failures',
    [{ state: 'failed' }, { state: 'rolledBack' }],
    { desired: 2, updated: 2, failed: 2 },
  ],
  ['not what is said of another revision', [{ state: 'healthy', digest: OTHER }], { desired: 1 }],
  ['not what is said of another bundle', [{ state: 'healthy', name: 'bar' }], { desired: 1 }],
  [
    'an offline node by the last that it said',
    [{ state: 'healthy', ready: 'Unknown' }],
    { desired: 1, updated: 1, healthy: 1, offline: 1 },
  ],
  [
    'nobody who was shut out or waits for approval',
    [{ enrolled: 'False', state: 'healthy', ready: 'Unknown' }, { enrolled: 'False' }, {}],
    { desired: 1 },
  ],
  ['a node without its engine as online', [{ ready: 'False' }], { desired: 1 }],
];

for (const [sentence, nodes, expected] of ROWS) {
  test(`counts ${sentence}`, () => {
    const status = rollUp(bundle, nodes.map(node));
    assert.deepEqual(status, { revision: 2, digest: DIGEST, nodes: { ...NONE, ...expected } });
  });
}
