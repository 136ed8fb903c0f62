/** The hub's figures: what they are called, what they say, and that every reader of the format takes them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hubMetrics, type Metrics } from '../../../hub/metrics/exposition.js';
import type { Snapshot } from '../../../hub/metrics/gauges.js';
import type { BundleCounts } from '../../../hub/rollout/fleet-counts.js';
import { CLOCK } from '../../support/api-server.js';
import { parseExposition, valueOf } from '../../support/prometheus.js';

const STATES = {
  ...{ healthy: 5, failed: 1, undone: 0, held: 2, window: 0, locked: 0, notUndoReady: 3 },
  ...{ obstructed: 0, unknown: 0, underWay: 4, notReached: 85 },
};

function bundle(name: string, more: Partial<BundleCounts> = {}): BundleCounts {
  return {
    ...{ namespace: 'default', name, revision: 7, desired: 100, reached: 15, applied: 8 },
    ...{ offline: 12, states: STATES, rollout: null, ...more },
  };
}

const STANDS = {
  ...{ nodes: 100, healthy: 5, failed: 1, unknown: 0, aside: 2, underWay: 4, window: 0 },
  ...{ obstructed: 3, silent: 0, person: 0, waiting: 73, away: 12 },
};

function snapshot(more: Partial<Snapshot> = {}): Snapshot {
  return {
    version: '0.1.0',
    counts: {
      nodes: {
        states: { Ready: 3, NotReady: 2, Unknown: 1, PendingApproval: 0, Revoked: 0 },
        remarks: { SchedulingDisabled: 1, CloneSuspected: 0, Restoring: 0, AheadOfHub: 0 },
      },
      bundles: [
        bundle('web', { rollout: { phase: 'progressing', reason: 'Nodes', wave: 2, waves: 3 } }),
      ],
      rollouts: [{ namespace: 'default', name: 'web', stands: STANDS }],
    },
    isBrokerConnected: true,
    outbox: { depth: 4, seconds: 2.5 },
    brokerConnections: 3,
    apiConnections: 2,
    apiStreams: 1,
    auditLines: 12,
    rootExpires: 1_800_000_000,
    backupMade: null,
    ...more,
  };
}

let metrics: Metrics;
before(() => (metrics = hubMetrics(CLOCK)));
after(() => metrics.close());

async function scrape(more: Partial<Snapshot> = {}) {
  const { contentType, body } = await metrics.exposition(snapshot(more));
  assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8');
  return parseExposition(body);
}

describe('what the figures say', () => {
  const bundleOf = (state: string) => ({ namespace: 'default', bundle: 'web', state });
  const standOf = (stand: string) => ({ namespace: 'default', bundle: 'web', stand });
  const web = { namespace: 'default', bundle: 'web' };
  const rows: readonly (readonly [string, string, Record<string, string>, number])[] = [
    ['nodes by the state that `get nodes` shows', 'flotilla_nodes', { state: 'NotReady' }, 2],
    ['a state that no node is in', 'flotilla_nodes', { state: 'Revoked' }, 0],
    ['nodes that are cordoned', 'flotilla_nodes_with_remark', { remark: 'SchedulingDisabled' }, 1],
    ['nodes that a bundle selects', 'flotilla_bundle_desired_nodes', web, 100],
    ['nodes that were reached', 'flotilla_bundle_reached_nodes', web, 15],
    ['nodes that have applied it', 'flotilla_bundle_applied_nodes', web, 8],
    ['nodes where it is healthy', 'flotilla_bundle_nodes', bundleOf('healthy'), 5],
    ['nodes where a person holds it', 'flotilla_bundle_nodes', bundleOf('held'), 2],
    ['words are Prometheus’ own', 'flotilla_bundle_nodes', bundleOf('not_undo_ready'), 3],
    ['nodes that were not reached yet', 'flotilla_bundle_nodes', bundleOf('not_reached'), 85],
    ['the wave of a rollout', 'flotilla_rollout_wave', web, 2],
    ['of how many', 'flotilla_rollout_waves', web, 3],
    ['its phase', 'flotilla_rollout_phase', { ...web, phase: 'progressing' }, 1],
    ['and not another', 'flotilla_rollout_phase', { ...web, phase: 'paused' }, 0],
    ['how its nodes stand', 'flotilla_rollout_nodes', standOf('under_way'), 4],
    ['who is away', 'flotilla_rollout_nodes', standOf('away'), 12],
    ['what the broker has not acknowledged', 'flotilla_outbox_publications', {}, 4],
    ['and for how long', 'flotilla_outbox_oldest_seconds', {}, 2.5],
    ['lines of the audit log', 'flotilla_audit_lines_total', {}, 12],
    [
      'nothing was missed yet',
      'flotilla_ingest_missed_messages_total',
      { found_by: 'event_gap' },
      0,
    ],
  ];
  for (const [sentence, name, labels, value] of rows) {
    test(sentence, async () => assert.equal(valueOf(await scrape(), name, labels), value));
  }

  test('each node of a bundle is in one state', async () => {
    const { samples } = (await scrape()).get('flotilla_bundle_nodes') ?? { samples: [] };
    assert.equal(samples.length, 11);
    assert.equal(
      samples.reduce((sum, { value }) => sum + value, 0),
      100,
    );
  });

  test('each node of a rollout stands in one way', async () => {
    const { samples } = (await scrape()).get('flotilla_rollout_nodes') ?? { samples: [] };
    assert.equal(
      samples.reduce((sum, { value }) => sum + value, 0),
      100,
    );
  });

  test('of a complete rollout nobody asks how its nodes stand', async () => {
    const rollout = { phase: 'completed', reason: 'Done', wave: 3, waves: 3 } as const;
    const { counts } = snapshot();
    const families = await scrape({ counts: { ...counts, bundles: [bundle('web', { rollout })] } });
    assert.equal(families.get('flotilla_rollout_nodes')?.samples.length ?? 0, 0);
  });

  test('what nobody knows is not said', async () => {
    const families = await scrape({ outbox: null, brokerConnections: null, backupMade: null });
    for (const name of [
      'flotilla_outbox_publications',
      'flotilla_outbox_oldest_seconds',
      'flotilla_broker_connections',
      'flotilla_backup_last_success_timestamp_seconds',
    ]) {
      assert.equal(families.has(name), false, name);
    }
  });

  test('before the first count nothing is said of nodes', async () => {
    const families = await scrape({ counts: { nodes: null, bundles: [], rollouts: [] } });
    assert.equal(families.has('flotilla_nodes'), false);
    assert.equal(valueOf(families, 'flotilla_bundles'), 0);
  });

  test('a thousand bundles are counted, and two hundred of them told apart', async () => {
    const bundles = Array.from({ length: 1000 }, (_, i) => bundle(`b${i}`));
    const rollouts = bundles.map(({ namespace, name }) => ({ namespace, name, stands: STANDS }));
    const families = await scrape({ counts: { nodes: null, bundles, rollouts } });
    assert.equal(valueOf(families, 'flotilla_bundles'), 1000);
    assert.equal(families.get('flotilla_bundle_desired_nodes')?.samples.length, 200);
    assert.equal(families.has('flotilla_rollout_nodes'), false);
  });

  test('whatever stands in a label comes out as it was', async () => {
    const version = 'a "quoted" \\ back\nslash, {x="y"} # TYPE';
    const found = (await scrape({ version })).get('flotilla_hub_build_info')?.samples[0];
    assert.deepEqual(found?.labels, { version });
  });
});

describe('what is counted as it happens', () => {
  test('requests by verb and code, and how long they took', async () => {
    metrics.requests.answered({ verb: 'GET', code: 200, seconds: 0.02 });
    metrics.requests.answered({ verb: 'GET', code: 200, seconds: 3 });
    metrics.requests.answered({ verb: 'WATCH', code: 200, seconds: 3000 });
    const families = await scrape();
    const requests = 'flotilla_api_requests_total';
    const durations = 'flotilla_api_request_duration_seconds';
    assert.equal(valueOf(families, requests, { verb: 'GET', code: '200' }), 2);
    assert.equal(valueOf(families, requests, { verb: 'WATCH', code: '200' }), 1);
    assert.equal(valueOf(families, `${durations}_bucket`, { verb: 'GET', le: '0.025' }), 1);
    assert.equal(valueOf(families, `${durations}_count`, { verb: 'WATCH' }), undefined);
  });

  test('a verb that somebody invents is another', async () => {
    for (let i = 0; i < 50; i++) {
      metrics.requests.answered({ verb: `X${i}`, code: 405, seconds: 0 });
    }
    const families = await scrape();
    const other = { verb: 'OTHER', code: '405' };
    assert.equal(valueOf(families, 'flotilla_api_requests_total', other), 50);
    const { samples } = families.get('flotilla_api_requests_total') ?? { samples: [] };
    assert.ok(samples.length < 10);
  });

  test('reports that wait, that were committed, and that were missed', async () => {
    metrics.ingest.arrived('status');
    metrics.ingest.arrived('event');
    metrics.ingest.taken(1);
    metrics.ingest.committed(0.02);
    metrics.ingest.statusAge(31);
    metrics.ingest.missed('event_gap');
    metrics.ingest.missed('pod_digest', 3);
    const families = await scrape();
    const kinds = 'flotilla_ingest_messages_total';
    const missed = 'flotilla_ingest_missed_messages_total';
    const age = 'flotilla_ingest_status_age_seconds_bucket';
    assert.equal(valueOf(families, kinds, { kind: 'status' }), 1);
    assert.equal(valueOf(families, 'flotilla_ingest_waiting_messages'), 1);
    assert.equal(valueOf(families, 'flotilla_ingest_commit_duration_seconds_count'), 1);
    assert.equal(valueOf(families, age, { le: '30' }), 0);
    assert.equal(valueOf(families, age, { le: '45' }), 1);
    assert.equal(valueOf(families, missed, { found_by: 'event_gap' }), 1);
    assert.equal(valueOf(families, missed, { found_by: 'pod_digest' }), 3);
  });

  test('backups by how they ended', async () => {
    metrics.backups.ended(true);
    metrics.backups.ended(false);
    metrics.backups.ended(false);
    const families = await scrape();
    assert.equal(valueOf(families, 'flotilla_backups_total', { result: 'failure' }), 2);
    assert.equal(valueOf(families, 'flotilla_backups_total', { result: 'success' }), 1);
  });

  test('this process', async () => {
    const families = await scrape();
    assert.ok((valueOf(families, 'process_resident_memory_bytes') ?? 0) > 20e6);
    assert.ok((valueOf(families, 'process_cpu_seconds_total') ?? 0) > 0);
    const startedAt = valueOf(families, 'process_start_time_seconds') ?? 0;
    assert.ok(Math.abs(startedAt + process.uptime() - CLOCK.now() / 1000) < 5);
  });
});
