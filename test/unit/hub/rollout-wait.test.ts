/** Waiting for a rollout: when it ends, whoever reads the bundle next finds what was waited for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Connected, Context } from '../../../hub/cli/context.js';
import { isCounted, nodeViewOf, progressOf } from '../../../hub/cli/rollout-progress.js';
import { CliError } from '../../../protocol/cli-error.js';
import { NEVER_OPEN } from '../../../protocol/maintenance-window.js';
import { waitForRollout } from '../../../hub/cli/rollout-wait.js';

const DIGEST = 'd'.repeat(64);
const NOBODY = { desired: 1, updated: 0, healthy: 0, failed: 0, offline: 0 };
const ALL = { desired: 1, updated: 1, healthy: 1, failed: 0, offline: 0 };

const bundleWith = (nodes: typeof ALL) => ({
  metadata: { namespace: 'default', name: 'shop' },
  spec: { nodeSelector: '', manifests: [] },
  status: { revision: 1, digest: DIGEST, nodes },
});

const NODE = {
  metadata: { name: 'edge-1', labels: {} },
  status: {
    conditions: [{ type: 'Ready', status: 'True' }],
    flotilla: {
      bundles: [
        { namespace: 'default', name: 'shop', revision: 1, digest: DIGEST, active: DIGEST },
      ].map(one => ({ ...one, state: 'healthy', reason: '', message: '', attempt: 0 })),
    },
  },
};

/** A hub that counts `countedAfterMs` late; gives how long the command waited. */
async function waitedMs(countedAfterMs: number): Promise<number> {
  let now = 0;
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms: number) => void (now += ms),
  };
  const call = async ({ path }: { path: string }) =>
    path.endsWith('/nodes') ? { items: [NODE] } : bundleWith(now < countedAfterMs ? NOBODY : ALL);
  const terminal = { print: () => undefined, interactive: false };
  const context = { clock, terminal, signal: new AbortController().signal };
  const hub = { client: { call, get: async () => null }, namespace: 'default' };
  await waitForRollout(context as unknown as Context, hub as unknown as Connected, {
    ...{ name: 'shop', timeout: '1s', output: 'text' },
  });
  return now;
}

describe('waiting for a rollout', () => {
  test('ends at once when the hub has counted its nodes', async () => {
    assert.equal(await waitedMs(0), 0);
  });

  test('says once, where nobody looks on, what a person may have to do', async () => {
    let now = 0;
    const clock = { monotonic: () => now, sleep: async (ms: number) => void (now += ms) };
    const [healthy] = NODE.status.flotilla.bundles;
    const stateNow = () =>
      now < 3_000
        ? { state: 'waiting', reason: 'Fetching', message: `of ${now}`, active: null }
        : now < 6_000
          ? { state: 'waiting', reason: 'SecretNotSealed', message: `of ${now}`, active: null }
          : {};
    const nodeNow = () => {
      const flotilla = { bundles: [{ ...healthy, ...stateNow() }] };
      return { ...NODE, status: { ...NODE.status, flotilla } };
    };
    const call = async ({ path }: { path: string }) =>
      path.endsWith('/nodes') ? { items: [nodeNow()] } : bundleWith(ALL);
    const printed: string[] = [];
    const terminal = { print: (line: string) => printed.push(line), interactive: false };
    const context = { clock, terminal, signal: new AbortController().signal };
    const hub = { client: { call, get: async () => null }, namespace: 'default' };
    await waitForRollout(context as unknown as Context, hub as unknown as Connected, {
      ...{ name: 'shop', timeout: '10s', output: 'text' },
    });
    assert.deepEqual(
      printed.filter(line => line.startsWith(' ')),
      ['  edge-1: waiting (SecretNotSealed: of 3000)'],
    );
  });

  test('is not for a node that was shut out: it never becomes healthy', () => {
    const nodes = ['True', 'False'].map((status, i) => {
      const node = { ...NODE, metadata: { name: `edge-${i}`, labels: {} } };
      const conditions = [{ type: 'Enrolled', status }];
      return nodeViewOf({ ...node, status: { ...node.status, conditions } });
    });
    const { desired, healthy, open } = progressOf(bundleWith(ALL), nodes);
    assert.deepEqual({ desired, healthy, open }, { desired: 1, healthy: 1, open: [] });
  });

  test('ends when the hub has counted what the nodes say already', async () => {
    assert.equal(await waitedMs(900), 1_000);
  });

  test('is not in vain for counts that never come, and no time-out', async () => {
    assert.equal(await waitedMs(Infinity), 5_000);
  });

  const REFUSAL = {
    ...{ code: 'Expired', digest: 'd'.repeat(64), detail: 'root 3 is past its end' },
    ...{ topic: 'node/edge-1/assignment', at: '2026-05-01T12:00:00.000Z' },
  };
  const WAITS: [string, object, string][] = [
    ['nothing else is known', {}, 'has not reported it yet'],
    [
      'it refused its assignment',
      { lastRefusal: REFUSAL },
      'has not reported it yet; it refused an assignment at 2026-05-01T12:00:00Z: Expired: root 3 is past its end',
    ],
    [
      'it refused something else',
      { lastRefusal: { ...REFUSAL, topic: 'root' } },
      'has not reported it yet',
    ],
    [
      'its disk has no room for the assignment',
      {
        conditions: [
          { type: 'JournalWritable', status: 'False', reason: 'DiskError', message: 'disk full' },
          { type: 'NewerWaiting', status: 'True', reason: 'DiskError', message: 'one waits' },
        ],
      },
      'has not reported it yet; JournalWritable False (DiskError): disk full; NewerWaiting True (DiskError): one waits',
    ],
    [
      'its disk is writable',
      { conditions: [{ type: 'JournalWritable', status: 'True', reason: 'Written' }] },
      'has not reported it yet',
    ],
    [
      'it has what this hub did not make',
      { conditions: [{ type: 'AheadOfHub', status: 'True' }] },
      'AheadOfHub: `flotilla describe node edge-1` says what to do',
    ],
  ];
  for (const [sentence, { conditions = [], ...extra }, expected] of WAITS as [
    string,
    { conditions?: object[] },
    string,
  ][]) {
    test(`says of a node that is awaited why, where ${sentence}`, () => {
      const ready = { type: 'Ready', status: 'True' };
      const status = { conditions: [ready, ...conditions], flotilla: { bundles: [], ...extra } };
      const node = { ...NODE, metadata: { name: 'edge-1', labels: {} }, status };
      const { open } = progressOf(bundleWith(ALL), [nodeViewOf(node)]);
      assert.deepEqual(open, [{ node: 'edge-1', text: expected }]);
    });
  }

  /** How the wait ends where the node stands so. */
  async function ended(stand: object, rollout: object | null = null): Promise<CliError> {
    let now = 0;
    const clock = { monotonic: () => now, sleep: async (ms: number) => void (now += ms) };
    const [healthy] = NODE.status.flotilla.bundles;
    const flotilla = { bundles: [{ ...healthy, ...stand }] };
    const node = { ...NODE, status: { ...NODE.status, flotilla } };
    const call = async ({ path }: { path: string }) =>
      path.endsWith('/nodes') ? { items: [node] } : bundleWith(NOBODY);
    const terminal = { print: () => undefined, interactive: false };
    const context = { clock, terminal, signal: new AbortController().signal };
    const hub = { client: { call, get: async () => rollout }, namespace: 'default' };
    const wait = waitForRollout(context as unknown as Context, hub as unknown as Connected, {
      ...{ name: 'shop', timeout: '10s', output: 'text' },
    });
    return wait.then(
      () => assert.fail('it ended well'),
      (error: unknown) => (error instanceof CliError ? error : assert.fail(String(error))),
    );
  }

  test('says on how many nodes it was undone', async () => {
    const { exit, message } = await ended({ state: 'rolledBack', reason: 'UndoneAtDevice' });
    assert.equal(exit, 'rolloutFailed');
    assert.match(message, /^bundle\/shop was undone on 1 node\n/);
  });

  test('says what to do when the windows leave no hour', async () => {
    const message = `${NEVER_OPEN} (…)`;
    const { exit, hint } = await ended({ state: 'waiting', reason: 'Window', message });
    assert.equal(exit, 'timedOut');
    assert.match(hint ?? '', /`flotilla rollout activate bundle\/shop -n default --now`$/);
  });

  test('each count counts', () => {
    const view = {
      name: 'edge-1',
      labels: {},
      member: true,
      held: false,
      ahead: false,
      online: true,
      refused: null,
      bundles: [],
      retried: [],
    };
    const progress = progressOf(bundleWith(NOBODY), [view]);
    assert.equal(isCounted(bundleWith(NOBODY).status, progress), true);
    for (const name of Object.keys(NOBODY)) {
      const other = { ...NOBODY, [name]: 7 };
      assert.equal(isCounted(bundleWith(other).status, progress), false, name);
    }
    assert.equal(isCounted(undefined, progress), true);
  });
});
