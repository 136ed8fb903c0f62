/** Lists of the hub's API: whole, selected, as Tables, and at a version. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  at,
  isStatus,
  listAt,
  names,
  startFixture,
  type CallOptions,
  type Fixture,
} from '../../support/api-server.js';
import { event, HUB, node, pod, put } from '../../support/api-objects.js';

const PODS = '/api/v1/namespaces/default/pods';
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

let fixture: Fixture;
const call = (path: string, options?: CallOptions) => fixture.call(path, options);

before(async () => {
  fixture = await startFixture();
});
after(() => fixture.close());

describe('lists', () => {
  before(() =>
    fixture.store.commit(HUB, [
      put(node('edge-1', { labels: { zone: 'north' } })),
      put(node('edge-2')),
      put(pod('web-edge-1', { labels: { app: 'web' } })),
      put(pod('db-edge-2', { namespace: 'data', node: 'edge-2' })),
      put(event(2, { at: '2026-01-01T00:00:02Z' })),
      put(event(9, { at: '2026-01-01T00:00:10Z' })),
      put(event(10, { at: '2026-01-01T00:00:10Z' })),
      put(event(1, { at: '2026-01-01T00:00:01Z' })),
    ]),
  );

  test('a list has kind, resourceVersion and whole objects', async () => {
    const { body } = await call('/api/v1/nodes');
    assert.equal(at(body, 'kind'), 'NodeList');
    assert.match(String(at(body, 'metadata.resourceVersion')), /^\d+$/);
    assert.equal(at(body, 'items.0.apiVersion'), 'v1');
    assert.equal(at(body, 'items.0.kind'), 'Node');
    assert.equal(at(body, 'items.0.metadata.namespace'), undefined);
    assert.equal(at(body, 'items.0.status.nodeInfo.kubeletVersion'), 'v0.1.0');
  });
  test('of one namespace, of all', async () => {
    assert.deepEqual(names(await call(PODS)), ['web-edge-1']);
    assert.deepEqual(names(await call('/api/v1/pods')), ['db-edge-2', 'web-edge-1']);
    assert.deepEqual(names(await call('/api/v1/namespaces/empty/pods')), []);
  });
  test('by labels and by fields', async () => {
    assert.deepEqual(names(await call('/api/v1/nodes?labelSelector=zone')), ['edge-1']);
    const onNode = await call('/api/v1/pods?fieldSelector=spec.nodeName%3Dedge-2');
    assert.deepEqual(names(onNode), ['db-edge-2']);
    isStatus(await call('/api/v1/pods?labelSelector=a%3D%3D%3Db'), 400, 'BadRequest');
    isStatus(await call('/api/v1/pods?fieldSelector=spec.x%3Db'), 400, 'BadRequest');
  });
  test('events are v1 Events, in the order in which they happened', async () => {
    const { body } = await call('/api/v1/events');
    const numbers = listAt(body, 'items').map(item => at(item, 'flotilla.n'));
    assert.deepEqual(numbers, [1, 2, 9, 10]);
    assert.equal(at(body, 'items.0.involvedObject.name'), 'web-edge-1');
    assert.equal(at(body, 'items.0.spec'), undefined);
  });
  test('namespaces are those in use, and default', async () => {
    const reply = await call('/api/v1/namespaces');
    assert.deepEqual(names(reply), ['data', 'default']);
    assert.equal(at((await call('/api/v1/namespaces/data')).body, 'status.phase'), 'Active');
    isStatus(await call('/api/v1/namespaces/other'), 404, 'NotFound');
    isStatus(await call('/api/v1/namespaces?watch=true'), 405, 'MethodNotAllowed');
  });
  test('a Table holds what was asked for beside the cells', async () => {
    const table = async (query: string) =>
      (await call(`/api/v1/pods${query}`, { headers: TABLE })).body;
    const usual = await table('');
    assert.equal(at(usual, 'kind'), 'Table');
    assert.equal(at(usual, 'apiVersion'), 'meta.k8s.io/v1');
    assert.equal(at(usual, 'rows.1.cells.0'), 'web-edge-1');
    assert.equal(at(usual, 'rows.1.object.kind'), 'PartialObjectMetadata');
    assert.equal(at(usual, 'rows.0.object.metadata.namespace'), 'data');
    assert.equal(at(await table('?includeObject=None'), 'rows.0.object'), null);
    const whole = await table('?includeObject=Object');
    assert.equal(at(whole, 'rows.1.object.status.phase'), 'Running');
  });
  test('one object as a Table', async () => {
    const { body } = await call('/api/v1/nodes/edge-1', { headers: TABLE });
    assert.equal(at(body, 'kind'), 'Table');
    assert.equal(listAt(body, 'rows').length, 1);
  });
  test('versions: 0 is any, later than the store is 410, words are 400', async () => {
    assert.equal((await call('/api/v1/pods?resourceVersion=0')).code, 200);
    isStatus(await call('/api/v1/pods?resourceVersion=999999999'), 410, 'Expired');
    isStatus(await call('/api/v1/pods?resourceVersion=new'), 400, 'BadRequest');
    isStatus(await call('/api/v1/pods?continue=abc'), 400, 'BadRequest');
  });
  test('a list of thousands is whole', async () => {
    const many = Array.from({ length: 3000 }, (_, n) => put(pod(`p${n}`, { namespace: 'many' })));
    await fixture.store.commit(HUB, many);
    const reply = await call('/api/v1/namespaces/many/pods');
    assert.equal(new Set(names(reply)).size, 3000);
  });
});
