/** What the hub says of the nodes beside its root. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootStatusOf, type RootStatusInput } from '../../../hub/root/root-status.js';

const node = (name: string, rootVersion: number, enrolled: string) => ({
  metadata: { name },
  status: {
    conditions: [{ type: 'Enrolled', status: enrolled }],
    flotilla: { rootVersion, bundles: [] },
  },
});

test('a node that was shut out, or waits for approval, is not awaited at the newest root', () => {
  const status = rootStatusOf({
    tls: null,
    root: {
      digest: 'd'.repeat(64),
      document: {
        version: 2,
        issued: '2026-01-01T00:00:00.000Z',
        expires: '2029-01-01T00:00:00.000Z',
        roles: { root: { threshold: 1, keys: [] } },
      },
    },
    ...{ held: [], useless: [], bundles: [], dataDir: '/hub' },
    nodes: [
      node('has-it', 2, 'True'),
      node('behind', 1, 'True'),
      node('revoked', 1, 'False'),
      node('pending', 0, 'False'),
    ],
    now: Date.parse('2026-06-01T00:00:00.000Z'),
  } as unknown as RootStatusInput);
  assert.deepEqual(status.nodes, { total: 2, behind: [{ name: 'behind', version: 1 }] });
});
