import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toApiObject, type ApiObject } from '../../../hub/api/api-object.js';
import { parseBundle } from '../../../hub/api/bundle-body.js';
import { authenticate, authorise, type PeerEvidence } from '../../../hub/api/client-auth.js';
import { negotiate } from '../../../hub/api/negotiate.js';
import type { Route } from '../../../hub/api/request.js';
import { EVENTS, NODES, PODS, type Resource } from '../../../hub/api/resources.js';
import { buildRouter } from '../../../hub/api/router.js';
import { parseTokenRequest } from '../../../hub/api/routes/tokens.js';
import { parseSelection } from '../../../hub/api/selection.js';
import { selected } from '../../../hub/api/watch.js';
import { parseDeleteOptions, parseDryRun } from '../../../hub/api/write-options.js';
import { RequestError, type RequestReason } from '../../../hub/ports.js';
import type { Change, ObjectDraft, StoredObject } from '../../../hub/store/store.js';
import { event, MANIFEST, node, pod } from '../../support/api-objects.js';

function stored(draft: ObjectDraft, resourceVersion = '1'): StoredObject {
  const { labels = {}, annotations = {}, ...metadata } = draft.metadata;
  return {
    ...draft,
    metadata: {
      ...metadata,
      labels,
      annotations,
      uid: 'u',
      generation: 1,
      resourceVersion,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
  };
}

function refused(run: () => unknown, reason: RequestReason, message: RegExp): void {
  assert.throws(run, error => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.reason, reason);
    assert.match(error.message, message);
    return true;
  });
}

describe('selection', () => {
  const web = toApiObject(stored(pod('web-edge-1', { labels: { app: 'web' } })));
  const started = toApiObject(stored(event(1)));
  const edge = toApiObject(stored(node('edge-1', { labels: { zone: 'north' } })));
  const rows: readonly (readonly [string, Resource, ApiObject, string, boolean])[] = [
    ['no selector takes all', PODS, web, '', true],
    ['a label', PODS, web, 'labelSelector=app%3Dweb', true],
    ['another label', PODS, web, 'labelSelector=app%3Ddb', false],
    ['a set', PODS, web, 'labelSelector=app+in+(web,db),!gone', true],
    ['the node', PODS, web, 'fieldSelector=spec.nodeName%3Dedge-1', true],
    ['another node', PODS, web, 'fieldSelector=spec.nodeName%3Dedge-2', false],
    [
      'what describe node asks',
      PODS,
      web,
      'fieldSelector=spec.nodeName%3Dedge-1%2Cstatus.phase!%3DFailed%2Cstatus.phase!%3DSucceeded',
      true,
    ],
    ['the phase, negated', PODS, web, 'fieldSelector=status.phase!%3DRunning', false],
    ['name and namespace', PODS, web, 'fieldSelector=metadata.name==web-edge-1', true],
    ['the namespace', PODS, web, 'fieldSelector=metadata.namespace=other', false],
    [
      'the mirror annotation as uid, as describe pod asks',
      EVENTS,
      started,
      `fieldSelector=involvedObject.uid=${'0123456789abcdef'.repeat(2)}`,
      true,
    ],
    [
      'the kind of what is involved',
      EVENTS,
      started,
      'fieldSelector=involvedObject.kind=Node',
      false,
    ],
    ['type and reason', EVENTS, started, 'fieldSelector=type=Normal,reason=Started', true],
    ['a schedulable node', NODES, edge, 'fieldSelector=spec.unschedulable=false', true],
  ];
  for (const [what, resource, object, query, expected] of rows) {
    test(`${what}: ${expected}`, () => {
      const selection = parseSelection(resource, null, new URLSearchParams(query));
      assert.equal(selection.matches(object), expected);
    });
  }

  test('the namespace of the path', () => {
    const none = new URLSearchParams();
    assert.equal(parseSelection(PODS, 'default', none).matches(web), true);
    assert.equal(parseSelection(PODS, 'other', none).matches(web), false);
  });

  const bad: readonly (readonly [string, Resource, string, RegExp])[] = [
    ['a field that is not known', PODS, 'fieldSelector=spec.x=1', /field label not supported/],
    ['the namespace of a node', NODES, 'fieldSelector=metadata.namespace=a', /not supported/],
    ['a field without operator', PODS, 'fieldSelector=spec.nodeName', /expected FIELD=VALUE/],
    ['a label that is none', PODS, 'labelSelector=a=b=c', /selector/],
    ['an open list', PODS, 'labelSelector=a+in+(b', /selector/],
  ];
  for (const [what, resource, query, message] of bad) {
    test(`${what} is refused`, () => {
      refused(
        () => parseSelection(resource, null, new URLSearchParams(query)),
        'BadRequest',
        message,
      );
    });
  }
});

describe('what a change is to a watch with a selector', () => {
  const selection = parseSelection(PODS, null, new URLSearchParams('labelSelector=app=web'));
  const inside = (rv: string) => stored(pod('p', { labels: { app: 'web' } }), rv);
  const outside = (rv: string) => stored(pod('p', { labels: { app: 'db' } }), rv);
  const rows: readonly (readonly [string, Change, string | null])[] = [
    ['added inside', { type: 'ADDED', object: inside('2'), previous: null }, 'ADDED'],
    ['added outside', { type: 'ADDED', object: outside('2'), previous: null }, null],
    ['stays inside', { type: 'MODIFIED', object: inside('2'), previous: inside('1') }, 'MODIFIED'],
    ['enters', { type: 'MODIFIED', object: inside('2'), previous: outside('1') }, 'ADDED'],
    ['leaves', { type: 'MODIFIED', object: outside('2'), previous: inside('1') }, 'DELETED'],
    ['stays outside', { type: 'MODIFIED', object: outside('2'), previous: outside('1') }, null],
    ['deleted inside', { type: 'DELETED', object: inside('2'), previous: inside('1') }, 'DELETED'],
    ['deleted outside', { type: 'DELETED', object: outside('2'), previous: outside('1') }, null],
  ];
  for (const [what, change, expected] of rows) {
    test(`${what}: ${expected ?? 'nothing'}`, () => {
      assert.equal(selected(change, selection)?.type ?? null, expected);
    });
  }
  test('what left is shown as it was, with the version of the change', () => {
    const change: Change = { type: 'MODIFIED', object: outside('9'), previous: inside('1') };
    const shown = selected(change, selection);
    assert.equal(shown?.object.metadata.labels?.['app'], 'web');
    assert.equal(shown?.object.metadata.resourceVersion, '9');
  });
});

describe('the form of an answer', () => {
  const table = (v: string) => `application/json;as=Table;v=${v};g=meta.k8s.io`;
  const rows: readonly (readonly [string, string, string | null])[] = [
    ['kubectl get', `${table('v1')},${table('v1beta1')},application/json`, 'v1'],
    ['an older kubectl', `${table('v1beta1')}, application/json`, 'v1beta1'],
    ['a form that is not served is passed over', `${table('v9')},${table('v1')}`, 'v1'],
    ['JSON first', `application/json,${table('v1')}`, null],
    ['protobuf first', 'application/vnd.kubernetes.protobuf,application/json', null],
    ['anything', '*/*', null],
    ['nothing said', '', null],
    ['another group', 'application/json;as=Table;v=v1;g=example.com', null],
  ];
  for (const [what, accept, expected] of rows) {
    test(`${what}: ${expected ?? 'the object'}`, () => {
      assert.equal(negotiate(accept, new URLSearchParams()).table, expected);
    });
  }
  test('an unknown includeObject is refused', () => {
    refused(
      () => negotiate('', new URLSearchParams('includeObject=Some')),
      'BadRequest',
      /includeObject/,
    );
  });
});

describe('the way to a route', () => {
  const route = (method: Route['method'], path: string): Route => ({
    method,
    path,
    access: 'admin',
    handle: () => Promise.reject(new Error('not called')),
  });
  const router = buildRouter([
    route('GET', '/a'),
    route('GET', '/a/:name'),
    route('DELETE', '/a/:name'),
    route('GET', '/a/fixed/:x'),
  ]);
  const rows: readonly (readonly [string, string | null, Record<string, string>])[] = [
    ['/a', '/a', {}],
    ['/a/', '/a', {}],
    ['/a/b', '/a/:name', { name: 'b' }],
    ['/a/b%2Fc', '/a/:name', { name: 'b/c' }],
    ['/a/fixed/y', '/a/fixed/:x', { x: 'y' }],
    ['/a//', null, {}],
    ['/', null, {}],
    ['/b', null, {}],
    ['/a/b/c', null, {}],
    ['/a/__proto__/c', null, {}],
  ];
  for (const [path, expected, params] of rows) {
    test(`${path} leads to ${expected ?? 'nothing'}`, () => {
      const match = router.match('GET', path);
      assert.equal(match?.route.path ?? null, expected);
      assert.deepEqual({ ...match?.params }, params);
    });
  }
  test('another method tells which there are', () => {
    refused(() => router.match('PATCH', '/a/b'), 'MethodNotAllowed', /use GET, DELETE/);
  });
  test('a broken escape is refused', () => {
    refused(() => router.match('GET', '/a/%zz'), 'BadRequest', /escape/);
  });
  test('one method and path cannot be claimed twice', () => {
    assert.throws(() => buildRouter([route('GET', '/a'), route('GET', '/a')]), /twice/);
  });
});

describe('who may use the API', () => {
  const peer = (subject: unknown, more: Partial<PeerEvidence> = {}): PeerEvidence => ({
    authorized: true,
    authorizationError: null,
    subject: subject as PeerEvidence['subject'],
    ...more,
  });
  const enter = (evidence: PeerEvidence) => {
    const user = authenticate(evidence);
    authorise(user, 'admin');
    return user.name;
  };
  test('an administrator', () => {
    assert.equal(enter(peer({ CN: 'ada', O: 'flotilla:admins' })), 'ada');
    assert.equal(enter(peer({ CN: 'ada', O: ['x', 'flotilla:admins'] })), 'ada');
  });
  const rows: readonly (readonly [string, PeerEvidence, RequestReason, RegExp])[] = [
    ['no certificate', peer(null, { authorized: false }), 'Unauthorized', /no client certificate/],
    // A resumed TLS 1.3 session counts as authorized even where no certificate was ever shown.
    ['a session without certificate', peer(null), 'Unauthorized', /no client certificate/],
    [
      'a certificate of somebody else',
      peer({ CN: 'ada', O: 'flotilla:admins' }, { authorized: false, authorizationError: 'E_X' }),
      'Unauthorized',
      /E_X/,
    ],
    ['no name', peer({ O: 'flotilla:admins' }), 'Unauthorized', /no single user/],
    ['two names', peer({ CN: ['a', 'b'], O: 'flotilla:admins' }), 'Unauthorized', /no single/],
    ['a node', peer({ CN: 'edge-1', O: 'flotilla:nodes' }), 'Forbidden', /edge-1/],
    ['no group', peer({ CN: 'eve' }), 'Forbidden', /flotilla:admins/],
    [
      'a group that only looks like it',
      peer({ CN: 'eve', O: 'flotilla:admins2' }),
      'Forbidden',
      /./,
    ],
  ];
  for (const [what, evidence, reason, message] of rows) {
    test(`not ${what}`, () => refused(() => enter(evidence), reason, message));
  }
});

describe('the body of a bundle', () => {
  const path = { namespace: 'default', name: null };
  const spec = { nodeSelector: 'zone=north', manifests: [MANIFEST] };
  const good = {
    apiVersion: 'flotilla.dev/v1',
    kind: 'Bundle',
    metadata: { name: 'shop', labels: { a: 'b' }, annotations: { note: 'any text' } },
    spec,
  };

  test('is read', () => {
    assert.deepEqual(parseBundle(good, path), {
      namespace: 'default',
      name: 'shop',
      labels: { a: 'b' },
      annotations: { note: 'any text' },
      spec,
      resourceVersion: null,
      uid: null,
    });
  });

  test('can be one that was read before, status and all', () => {
    const read = {
      ...good,
      metadata: {
        ...good.metadata,
        namespace: 'default',
        uid: 'u',
        generation: 3,
        resourceVersion: '12',
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      status: { revision: 3 },
    };
    const parsed = parseBundle(read, { namespace: 'default', name: 'shop' });
    assert.equal(parsed.resourceVersion, '12');
    assert.equal(parsed.uid, 'u');
  });

  const meta = (more: object) => ({ ...good, metadata: { ...good.metadata, ...more } });
  const withSpec = (more: object) => ({ ...good, spec: { ...spec, ...more } });
  const rows: readonly (readonly [string, unknown, RequestReason, RegExp])[] = [
    ['a list', [good], 'BadRequest', /must be an object/],
    ['another kind', { ...good, kind: 'Pod' }, 'BadRequest', /kind: "Pod"/],
    ['another version', { ...good, apiVersion: 'v1' }, 'BadRequest', /apiVersion: "v1"/],
    ['an unknown field', { ...good, sepc: {} }, 'BadRequest', /unknown field "sepc"/],
    ['one in spec', withSpec({ nodes: 'x' }), 'BadRequest', /unknown field "spec\.nodes"/],
    ['one in metadata', meta({ finalizers: [] }), 'BadRequest', /"metadata\.finalizers"/],
    ['another namespace', meta({ namespace: 'x' }), 'BadRequest', /does not match "default"/],
    ['no name', meta({ name: undefined }), 'Invalid', /metadata\.name: required/],
    ['a name with a dot', meta({ name: 'a.b' }), 'Invalid', /RFC 1123 label/],
    ['a number as name', meta({ name: 1 }), 'BadRequest', /must be a string/],
    ['a label with a bad key', meta({ labels: { 'a b': '' } }), 'Invalid', /label key/],
    ['a label with a bad value', meta({ labels: { a: '-' } }), 'Invalid', /label value/],
    ['a label that is a number', meta({ labels: { a: 1 } }), 'Invalid', /must be a string/],
    ['annotations as list', meta({ annotations: [] }), 'Invalid', /object of strings/],
    ['no selector', withSpec({ nodeSelector: undefined }), 'Invalid', /selects every node/],
    ['a bad selector', withSpec({ nodeSelector: 'a=b=c' }), 'Invalid', /spec\.nodeSelector/],
    ['no manifests', withSpec({ manifests: undefined }), 'Invalid', /spec\.manifests: required/],
    ['a manifest that is text', withSpec({ manifests: ['x'] }), 'Invalid', /manifests\[0\]/],
  ];
  for (const [what, body, reason, message] of rows) {
    test(`${what} is refused`, () => refused(() => parseBundle(body, path), reason, message));
  }

  test('another name than the path has is refused', () => {
    const other = { namespace: 'default', name: 'other' };
    refused(() => parseBundle(good, other), 'BadRequest', /does not match "other"/);
  });

  test('everything that is wrong is told at once', () => {
    const body = { metadata: { name: 'A', labels: { a: 1 } }, spec: {} };
    assert.throws(
      () => parseBundle(body, path),
      error => {
        assert.ok(error instanceof RequestError);
        assert.deepEqual(
          error.causes.map(cause => cause.field),
          ['metadata.name', 'metadata.labels[a]', 'spec.nodeSelector', 'spec.manifests'],
        );
        return true;
      },
    );
  });
});

describe('the body of a token', () => {
  test('needs nothing', () => {
    assert.deepEqual(parseTokenRequest(undefined), {
      labels: {},
      ttlS: 86_400,
      nodes: [],
      uses: 1,
      approve: false,
    });
  });
  const rows: readonly (readonly [string, unknown, RequestReason, RegExp])[] = [
    ['a name of its own', { metadata: { name: 'x' } }, 'BadRequest', /metadata\.name/],
    ['an unknown field', { spec: { ttl: 1 } }, 'BadRequest', /"spec\.ttl"/],
    ['a moment', { spec: { ttlSeconds: 1 } }, 'Invalid', /from 60/],
    ['for ever', { spec: { ttlSeconds: 1e12 } }, 'Invalid', /to 7776000/],
    ['text as time', { spec: { ttlSeconds: '60' } }, 'Invalid', /whole number/],
    ['bad labels', { spec: { labels: { 'a b': 'c' } } }, 'Invalid', /label key/],
  ];
  for (const [what, body, reason, message] of rows) {
    test(`${what} is refused`, () => refused(() => parseTokenRequest(body), reason, message));
  }
});

describe('options of a write', () => {
  const none = new URLSearchParams();
  test('dryRun=All', () => {
    assert.equal(parseDryRun(new URLSearchParams('dryRun=All')), true);
    assert.equal(parseDryRun(none), false);
    refused(() => parseDryRun(new URLSearchParams('dryRun=Some')), 'BadRequest', /only "All"/);
    const long = new URLSearchParams({ dryRun: 'x'.repeat(5000) });
    refused(() => parseDryRun(long), 'BadRequest', /^dryRun: "x{254}… is not possible/);
  });
  test('a delete as kubectl sends it', () => {
    assert.deepEqual(parseDeleteOptions({ propagationPolicy: 'Background' }, none), {
      dryRun: false,
      uid: null,
      resourceVersion: null,
    });
    assert.equal(parseDeleteOptions({ dryRun: ['All'] }, none).dryRun, true);
    assert.equal(parseDeleteOptions({ preconditions: { uid: 'u' } }, none).uid, 'u');
  });
  test('what is not known in a delete is refused', () => {
    refused(() => parseDeleteOptions({ force: true }, none), 'BadRequest', /"force"/);
    refused(
      () => parseDeleteOptions({ preconditions: { uid: 1 } }, none),
      'BadRequest',
      /preconditions\.uid/,
    );
  });
});
