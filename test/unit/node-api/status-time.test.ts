/** `flotilla-agent status` on a machine whose clock stands at 1970: since when is said by the node's own time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AgentStatus } from '../../../agent/agent-status.js';
import { statusLines } from '../../../agent/cli/status.js';

const bundle = { namespace: 'default', name: 'shop', revision: 2, attempt: 0, failed: null };
const digest = 'a'.repeat(64);
const STATUS: AgentStatus = {
  at: '2026-06-01T05:00:00.000Z',
  version: '0.1.0',
  node: 'edge-1',
  dataDir: '/data',
  staticPodPath: '/data/manifests',
  engine: '',
  journal: { id: '', boot: 1, unconfirmedEvents: 0 },
  pods: { total: 0, ready: 0 },
  conditions: [],
  usage: null,
  connection: {
    connected: false,
    since: '2026-06-01T04:58:00.000Z',
    reason: 'LinkDown',
    message: 'no broker',
  },
  hub: {
    ...{
      url: 'https://hub',
      fleet: '',
      connected: false,
      linkFault: null,
      epoch: 1,
      generation: 2,
    },
    ...{ rootVersion: 1, development: false, clock: 'floor', clockOffset: null, sealingKey: '' },
    lastRefusal: null,
    bundles: [
      {
        ...{ ...bundle, digest, active: digest, state: 'healthy', reason: '', message: '' },
        since: '2026-06-01T02:00:00.000Z',
      },
    ],
  },
};

describe('flotilla-agent status', () => {
  test('counts SINCE by the time that the agent says it is', () => {
    const lines = statusLines(STATUS, { isMember: true });
    assert.match(lines.join('\n'), /default\/shop +2 +this +healthy +3h/);
    assert.match(lines.join('\n'), /Told to pods: +not connected for 2m/);
  });

  test('says how long ago something was refused', () => {
    const refusal = { code: 'Expired', digest, topic: 'root', detail: 'over' };
    const lastRefusal = { ...refusal, at: '2026-06-01T03:00:00.000Z' };
    const hub = STATUS.hub && { ...STATUS.hub, lastRefusal };
    const lines = statusLines({ ...STATUS, hub }, { isMember: true });
    assert.match(
      lines.join('\n'),
      /Last refusal: +120m ago \(2026-06-01T03:00:00.000Z\), Expired on root: over/,
    );
  });

  test('shows a removal that waits as one, and no revision that is wanted', () => {
    const [healthy] = STATUS.hub?.bundles ?? [];
    const going = healthy && { ...healthy, state: 'removing' as const, reason: 'Locked' };
    const hub = STATUS.hub && { ...STATUS.hub, bundles: going ? [going] : [] };
    const lines = statusLines({ ...STATUS, hub }, { isMember: true });
    assert.match(lines.join('\n'), /default\/shop +- +revision 2 +removing +3h +Locked/);
  });
});
