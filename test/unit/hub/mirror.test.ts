/** The objects that are made from what a node says; a node that says nonsense breaks nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toApiObject } from '../../../hub/api/api-object.js';
import { joinedNode } from '../../../hub/enrolment/node-object.js';
import {
  eventDraft,
  manifestOf,
  mirrorDraft,
  nameBeside,
  nodeDraft,
} from '../../../hub/ingest/mirror.js';
import { newReporter } from '../../../hub/ingest/node-state.js';
import type { EventSpec, NodeObject, PodObject } from '../../../hub/objects.js';
import type { IdentityRecord } from '../../../hub/store/store.js';
import { podSummary } from '../../../protocol/pod-summary.js';
import type { PodDocument, StatusDocument } from '../../../protocol/documents/node.js';
import { manifest } from '../../support/pods.js';
import { FLEET } from '../../support/fleet.js';

const NODE = 'edge1';
const HASH = 'kubernetes.io/config.hash';

function document(pod: Record<string, unknown>, change: Partial<PodDocument> = {}): PodDocument {
  const stamp = { fleet: FLEET, node: NODE, journal: 'a'.repeat(32), boot: 1, counter: 1 };
  return { ...stamp, source: 'file', bundle: null, pod, ...change };
}

function mirror(said: PodDocument, change: Partial<Parameters<typeof mirrorDraft>[0]> = {}) {
  const input = { document: said, digest: 'd'.repeat(64), name: 'web-edge1', manifest: null };
  return mirrorDraft({ ...input, ...change }) as PodObject;
}

const metadata = { namespace: 'default', name: 'web-edge1', annotations: { [HASH]: 'h1' } };

describe('a mirror pod', () => {
  test('bears the annotations of the kubelet’s mirrors and its node’s name', () => {
    const { metadata: made, spec } = mirror(document({ metadata, status: {} }));
    assert.equal(made.annotations['kubernetes.io/config.mirror'], 'h1');
    assert.equal(made.annotations['kubernetes.io/config.source'], 'file');
    assert.equal(spec.nodeName, NODE);
  });

  test('of a bundle shows the signed manifest with defaults, not what the node says of it', () => {
    const web = manifest('web', { labels: { app: 'web' } });
    const labels = { app: 'forged' };
    const spec = { containers: [{ name: 'other', image: 'other:1' }] };
    const said = document({ metadata: { ...metadata, labels }, spec, status: {} });
    assert.equal(manifestOf(said, [manifest('db'), web]), web);
    const made = mirror(said, { manifest: web });
    assert.deepEqual(made.metadata.labels, { app: 'web' });
    assert.deepEqual(
      made.spec.containers.map(({ name, imagePullPolicy }) => [name, imagePullPolicy]),
      [['app', 'IfNotPresent']],
    );
    assert.equal(made.spec.restartPolicy, 'Always');
  });

  test('of a local file shows the spec that the node told', () => {
    const spec = { containers: [{ name: 'app', image: 'busybox:1' }], restartPolicy: 'Never' };
    assert.deepEqual(mirror(document({ metadata, spec, status: {} })).spec, {
      ...spec,
      nodeName: NODE,
    });
  });

  test('whose content is lost shows the containers of its status', () => {
    const containerStatuses = [{ name: 'app', image: 'web:1', ready: true, restartCount: 2 }];
    const { spec } = mirror(document({ metadata, status: { containerStatuses } }));
    assert.deepEqual(spec.containers, [{ name: 'app', image: 'web:1' }]);
  });

  test('with a name that another node has first stands beside it and says so', () => {
    const beside = nameBeside('web-edge1', NODE);
    assert.match(beside, /^web-edge1-[0-9a-f]{4}$/);
    const made = mirror(document({ metadata, status: {} }), { name: beside });
    assert.equal(made.metadata.name, beside);
    assert.equal(made.status.conditions?.[0]?.type, 'flotilla.dev/NameTaken');
  });

  test('of a pod that is being ended says by when it is gone, as Kubernetes says it', () => {
    const ending = {
      ...{ deletionTimestamp: '2026-07-01T12:00:30.250Z', deletionGracePeriodSeconds: 30 },
      ...metadata,
    };
    const made = mirror(document({ metadata: ending, status: { phase: 'Running' } }));
    const { metadata: served, status } = toApiObject(made);
    assert.equal(served.deletionTimestamp, '2026-07-01T12:00:30Z');
    assert.equal(served.deletionGracePeriodSeconds, 30);
    assert.ok(!('deletion' in (status as { flotilla: object }).flotilla));
  });

  for (const deletionTimestamp of ['soon', 7, '2026-13-45T00:00:00Z']) {
    test(`does not end where its node says that it is gone by ${deletionTimestamp}`, () => {
      const said = { ...metadata, deletionTimestamp };
      const made = mirror(document({ metadata: said, status: {} }));
      assert.equal(toApiObject(made).metadata.deletionTimestamp, undefined);
    });
  }

  const NONSENSE: readonly [string, Record<string, unknown>][] = [
    ['no status', { metadata }],
    ['a status that is a text', { metadata, status: 'fine' }],
    ['lists that are none', { metadata, status: { containerStatuses: 5, conditions: 'x' } }],
    ['entries that are none', { metadata, status: { containerStatuses: [null, 7, {}] } }],
    [
      'a state of the wrong kind',
      { metadata, status: { containerStatuses: [{ name: 'a', state: 3 }] } },
    ],
    [
      'a terminated state without an exit code',
      { metadata, status: { containerStatuses: [{ name: 'a', state: { terminated: {} } }] } },
    ],
    [
      'counts that are texts',
      { metadata, status: { containerStatuses: [{ name: 'a', restartCount: '9' }] } },
    ],
    ['a spec that is none', { metadata, spec: { containers: 'x' }, status: {} }],
    ['a spec with foreign fields', { metadata, spec: { containers: [], surprise: 1 }, status: {} }],
    ['labels that are none', { metadata: { ...metadata, labels: { a: 1, 'b c': 'd', e: 'f g' } } }],
    ['annotations that are none', { metadata: { ...metadata, annotations: { a: { b: 1 } } } }],
  ];
  for (const [sentence, pod] of NONSENSE) {
    test(`is shown even for ${sentence}`, () => {
      const { spec, status, metadata: made } = mirror(document(pod));
      const summary = podSummary({ spec, status }, 0);
      assert.match(summary.ready, /^\d+\/\d+$/);
      assert.ok(Array.isArray(spec.containers));
      const texts = [...Object.values(made.labels), ...Object.values(made.annotations)];
      assert.ok(texts.every(text => typeof text === 'string'));
      assert.deepEqual(made.labels, {});
    });
  }
});

describe('a node', () => {
  const at = '2026-06-01T12:00:00.000Z';
  const identity: IdentityRecord = {
    ...{ node: NODE, identityKey: '', tlsKey: '', sealingKey: '', certificate: '' },
    ...{ state: 'active', joinedAt: at, token: 't', labels: {}, suspectedAt: null },
  };
  const fresh = joinedNode({ identity, now: at, existing: null });
  const joined = { ...fresh, metadata: { ...fresh.metadata, annotations: {} } } as NodeObject;
  const condition = (status: 'True' | 'False') => ({
    type: 'ContainerRuntime',
    status,
    reason: status === 'True' ? 'Answers' : 'EngineUnavailable',
    message: '',
    lastTransitionTime: at,
  });
  const reported = (engine: 'True' | 'False') =>
    ({
      journal: 'a'.repeat(32),
      conditions: [condition(engine)],
      info: { agentVersion: '0.1.0', architecture: 'arm64', addresses: [] },
      history: { row: 1, head: null, oldest: 1, known: null },
      bundles: [],
      pods: {},
    }) as unknown as StatusDocument;
  const readyOf = (object: NodeObject) => object.status.conditions?.[0];
  const said = (
    node: NodeObject,
    change: { online: boolean; status?: StatusDocument; now?: string },
  ) => {
    const reporter = { ...newReporter(NODE, 'a'.repeat(32)), online: change.online };
    const { status = null, now = at } = change;
    return nodeDraft({ node, reporter, status, recorded: {}, now }) as NodeObject;
  };

  const online = said(joined, { online: true, status: reported('True') });
  const ROWS: readonly [string, NodeObject, [string, string]][] = [
    [
      'is unknown before it reported',
      said(joined, { online: true }),
      ['Unknown', 'NodeStatusNeverUpdated'],
    ],
    ['is ready when it reports', online, ['True', 'AgentReady']],
    [
      'is not ready without its engine',
      said(joined, { online: true, status: reported('False') }),
      ['False', 'ContainerRuntimeDown'],
    ],
    [
      'is unknown while it is offline',
      said(online, { online: false }),
      ['Unknown', 'NodeStatusUnknown'],
    ],
  ];
  for (const [sentence, object, expected] of ROWS) {
    test(sentence, () => {
      const ready = readyOf(object);
      assert.deepEqual([ready?.status, ready?.reason], expected);
    });
  }

  test('says since when it is offline, and goes on saying it', () => {
    const later = '2026-06-01T13:00:00.000Z';
    const gone = said(online, { online: false, now: later });
    assert.match(String(readyOf(gone)?.message), /since 2026-06-01T13:00:00Z/);
    assert.equal(readyOf(gone)?.lastHeartbeatTime, '2026-06-01T12:00:00Z');
    const still = said(gone, { online: false, now: '2026-06-01T14:00:00.000Z' });
    assert.deepEqual(readyOf(still), readyOf(gone));
  });

  test('is ready again when it comes back, by what it reported last', () => {
    const gone = said(online, { online: false });
    assert.equal(readyOf(said(gone, { online: true }))?.status, 'True');
  });

  describe('whose assignment this hub never made', () => {
    const has = (generation: number, epoch = 1) => ({ ...reported('True'), epoch, generation });
    const FAULT = 'it has assignment 8: take a backup';
    const told = (node: NodeObject, status: StatusDocument | null, fault: string | null) => {
      const reporter = newReporter(NODE, 'a'.repeat(32));
      const parts = { node, reporter, status, recorded: {}, now: at, ahead: fault };
      return nodeDraft(parts) as NodeObject;
    };
    const ahead = ({ status }: NodeObject) =>
      status.conditions?.find(({ type }) => type === 'AheadOfHub')?.message ?? null;

    test('says so, with what to do, until it has one of this hub', () => {
      const first = told(joined, has(8), FAULT);
      assert.equal(ahead(first), FAULT);
      assert.equal(ahead(told(first, null, null)), FAULT);
      assert.equal(ahead(told(first, has(8), null)), FAULT, 'the hub made other content for 8');
      assert.equal(ahead(told(first, has(9), null)), null);
      assert.equal(ahead(told(first, has(1, 2), null)), null, 'of a new epoch');
    });

    test('is not for the node to say, nor that it is restoring', () => {
      const forged = ['AheadOfHub', 'Restoring'].map(type => ({ ...condition('True'), type }));
      const object = told(joined, { ...has(7), conditions: forged }, null);
      const types = (object.status.conditions ?? []).map(({ type }) => type);
      assert.deepEqual(
        types.filter(type => type === 'AheadOfHub' || type === 'Restoring'),
        [],
      );
    });
  });

  test('gets its architecture as a label', () => {
    assert.equal(online.metadata.labels['kubernetes.io/arch'], 'arm64');
  });
});

describe('an event', () => {
  const record = {
    n: 12,
    at: '2026-06-01T12:00:00.500Z',
    type: 'Normal',
    reason: 'Started',
    message: 'Started container app',
    involved: { kind: 'Pod', namespace: 'default', name: 'web-edge1', uid: 'u', fieldPath: '' },
  } as const;
  const where = { node: NODE, journal: 'abcdef0123'.padEnd(32, '0'), name: 'web-edge1', uid: 'h1' };

  test('is named after its number, so that it is one object however often it comes', () => {
    const made = eventDraft(record, where);
    assert.equal(made.metadata.name, 'edge1.abcdef01.12');
    const spec = made.spec as EventSpec;
    assert.deepEqual(spec.flotilla, { node: NODE, journal: where.journal, n: 12 });
    assert.equal(spec.involvedObject.uid, 'h1');
    assert.equal(spec.firstTimestamp, '2026-06-01T12:00:00Z');
  });

  test('about something in no sound namespace stands in default', () => {
    const involved = { ...record.involved, namespace: '../x' };
    assert.equal(eventDraft({ ...record, involved }, where).metadata.namespace, 'default');
  });
});
