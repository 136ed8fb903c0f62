import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toApiObject, type ApiObject } from '../../../hub/api/api-object.js';
import { EVENT_TABLE } from '../../../hub/api/tables/events.js';
import { NODE_TABLE } from '../../../hub/api/tables/nodes.js';
import { BUNDLE_TABLE, TOKEN_TABLE } from '../../../hub/api/tables/own-kinds.js';
import { POD_TABLE } from '../../../hub/api/tables/pods.js';
import type { TableShape } from '../../../hub/api/tables/table.js';
import type { PodObject } from '../../../hub/objects.js';
import type { ObjectDraft, StoredObject } from '../../../hub/store/store.js';
import { bundle, event, MANIFEST, node, pod } from '../../support/api-objects.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');

function api(draft: ObjectDraft, createdAt = '2026-01-01T22:00:00Z'): ApiObject {
  const { labels = {}, annotations = {}, ...metadata } = draft.metadata;
  const stored: StoredObject = {
    ...draft,
    metadata: {
      ...metadata,
      labels,
      annotations,
      uid: 'u',
      generation: 1,
      resourceVersion: '7',
      creationTimestamp: createdAt,
    },
  };
  return toApiObject(stored);
}

function wide(table: TableShape, object: ApiObject): Record<string, unknown> {
  const cells = table.cells(object, NOW);
  assert.equal(cells.length, table.columns.length, 'one cell per column');
  return Object.fromEntries(table.columns.map((column, index) => [column.name, cells[index]]));
}

describe('cells', () => {
  test('of a pod', () => {
    assert.deepEqual(wide(POD_TABLE, api(pod('web-edge-1'))), {
      Name: 'web-edge-1',
      Ready: '1/1',
      Status: 'Running',
      Restarts: '0',
      Age: '120m',
      IP: '172.17.0.2',
      Node: 'edge-1',
      'Nominated Node': '<none>',
      'Readiness Gates': '<none>',
      Source: 'local (file)',
    });
  });

  test('of a pod that its node is ending', () => {
    const running = pod('web-edge-1');
    const { flotilla, ...status } = running.status as PodObject['status'];
    const deletion = { timestamp: '2026-07-01T12:00:30Z', graceSeconds: 30 };
    const ending = { ...running, status: { ...status, flotilla: { ...flotilla, deletion } } };
    const { Status } = wide(POD_TABLE, api(ending));
    assert.equal(Status, 'Terminating');
  });

  test('of a pod that has neither spec nor status yet', () => {
    const bare = { ...api(pod('web')), spec: undefined, status: undefined };
    assert.deepEqual(wide(POD_TABLE, bare)['Status'], 'Unknown');
  });

  test('of a node', () => {
    const labels = { 'node-role.kubernetes.io/edge': '', 'kubernetes.io/role': 'cam' };
    assert.deepEqual(wide(NODE_TABLE, api(node('edge-1', { labels }))), {
      Name: 'edge-1',
      Status: 'Ready',
      Roles: 'cam,edge',
      Age: '120m',
      Version: 'v0.1.0',
      'Internal-IP': '10.0.0.5',
      'External-IP': '<none>',
      'OS-Image': 'Debian GNU/Linux 12',
      'Kernel-Version': '6.1.0',
      'Container-Runtime': 'docker://28.2.2',
      Root: '1',
      Reported: '23h',
      Clock: 'synced',
      'Alone-Ready': '<unknown>',
      'Undo-Ready': '<unknown>',
      Key: '<unknown>',
    });
  });

  test('of a node that could not start alone: with the reason', () => {
    const status = api(node('n'))['status'] as { conditions?: object[] };
    const said = (type: string, word: 'True' | 'False' | 'Unknown', reason: string) => {
      return { type, status: word, reason, message: '', lastTransitionTime: '' };
    };
    const conditions = [
      ...(status.conditions ?? []),
      said('AloneReady', 'False', 'ImageMissing'),
      said('UndoReady', 'Unknown', 'EngineUnavailable'),
    ];
    const cells = wide(NODE_TABLE, { ...api(node('n')), status: { ...status, conditions } });
    assert.deepEqual(
      [cells['Status'], cells['Alone-Ready'], cells['Undo-Ready']],
      ['Ready', 'False (ImageMissing)', 'Unknown (EngineUnavailable)'],
    );
    const well = [...(status.conditions ?? []), said('AloneReady', 'True', 'Complete')];
    const whole = wide(NODE_TABLE, { ...api(node('n')), status: { ...status, conditions: well } });
    assert.equal(whole['Alone-Ready'], 'True');
  });

  const nodeStatus: readonly (readonly [string, ApiObject, string])[] = [
    ['offline', api(node('n', { ready: false })), 'NotReady'],
    ['never reported', { ...api(node('n')), status: {} }, 'Unknown'],
    ['cordoned', { ...api(node('n')), spec: { unschedulable: true } }, 'Ready,SchedulingDisabled'],
  ];
  for (const [what, object, expected] of nodeStatus) {
    test(`of a node that is ${what}`, () => {
      assert.equal(wide(NODE_TABLE, object)['Status'], expected);
    });
  }

  test('of an event', () => {
    assert.deepEqual(wide(EVENT_TABLE, api(event(3, { at: '2026-01-01T23:59:00Z' }))), {
      'Last Seen': '60s',
      Type: 'Normal',
      Reason: 'Started',
      Object: 'pod/web-edge-1',
      Subobject: 'spec.containers{web}',
      Source: 'flotilla-agent, edge-1',
      Message: 'Started container web',
      'First Seen': '60s',
      Count: 1,
      Name: 'edge-1.aaaaaaaa.3',
    });
  });

  test('of a bundle', () => {
    const spec = { nodeSelector: '', manifests: [MANIFEST] };
    assert.deepEqual(wide(BUNDLE_TABLE, api(bundle('shop', spec, 4))), {
      Name: 'shop',
      Revision: 4,
      Desired: 3,
      Updated: 2,
      Healthy: 1,
      Failed: 0,
      Offline: 1,
      Status: 'Progressing',
      Age: '120m',
      Selector: '<all>',
      Digest: 'ffffffffffff',
    });
  });

  test('of a bundle that waits for a maintenance window', () => {
    const spec = { nodeSelector: '', manifests: [MANIFEST] };
    const stored = bundle('shop', spec, 4);
    const status = (opensAt: string | null) => {
      const waiting = { nodes: 2, opensAt };
      return wide(
        BUNDLE_TABLE,
        api({ ...stored, status: { ...(stored.status as object), waiting } }),
      ).Status;
    };
    assert.equal(status('2026-01-02T05:00:00Z'), 'Window (opens in 5h)');
    assert.equal(status('2026-01-01T05:00:00Z'), 'Window (opens in 0s)');
    assert.equal(status(null), 'Window');
  });

  test('of a bundle that people at devices hold', () => {
    const spec = { nodeSelector: '', manifests: [MANIFEST] };
    const stored = bundle('shop', spec, 4);
    const status = (held: number) =>
      wide(BUNDLE_TABLE, api({ ...stored, status: { ...(stored.status as object), held } })).Status;
    assert.deepEqual([status(1), status(2)], ['Held on 1 node', 'Held on 2 nodes']);
  });

  const token = (expiresAt: string, usedBy: object[]) =>
    api({
      kind: 'Token',
      metadata: { namespace: '', name: 'abc' },
      spec: {
        ...{ secretHash: 'x', labels: { b: '2', a: '1' }, expiresAt },
        ...{ nodes: ['edge-*'], uses: 5, approve: true },
      },
      status: { usedBy },
    });
  test('of a token', () => {
    assert.deepEqual(wide(TOKEN_TABLE, token('2026-01-02T05:00:00Z', [])), {
      Name: 'abc',
      Labels: 'a=1,b=2',
      Nodes: 'edge-*',
      Expires: '5h',
      Used: '0/5',
      Approve: 'yes',
      'Used-By': '<none>',
      Age: '120m',
    });
  });
  test('of a token that is used and expired', () => {
    const cells = wide(
      TOKEN_TABLE,
      token(
        '2026-01-01T05:00:00Z',
        ['edge-1', 'b', 'c', 'd'].map(node => ({ node })),
      ),
    );
    assert.equal(cells['Expires'], '<expired>');
    assert.equal(cells['Used-By'], 'edge-1,b,c,1 more');
    assert.equal(cells['Used'], '4/5');
  });
});
