/** Which blobs leave the broker, and when: a day after nothing names them any more. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { signAssignment } from '../../../hub/rollout/director.js';
import { blobSweeper } from '../../../hub/rollout/republish.js';
import { revise, type Revised } from '../../../hub/rollout/revise.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Store } from '../../../hub/store/store.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { topicsOf } from '../../../protocol/topics.js';
import {
  assignmentDocument,
  FLEET,
  HUB,
  NODE_NAME,
  podManifest,
  RELEASE,
} from '../../support/fleet.js';
import { MovableClock } from '../../support/hub-fixture.js';

const TOPICS = topicsOf(FLEET);
const ACTOR = { kind: 'user', name: 'test' } as const;
const HOUR_MS = 3_600_000;

let directory: string;
let clock: MovableClock;
let store: Store;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-sweep-'));
  clock = new MovableClock();
  store = await openSqliteStore({ path: join(directory, 'hub.db'), clock });
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const blobOf = (image: string) => sha256Hex(canonicalJson(podManifest('web', image)));

/** The newest revision of `shop`. */
async function applied(lastRevision: number): Promise<Revised> {
  const revised = revise({
    ...{ fleet: FLEET, topics: TOPICS, namespace: 'default', name: 'shop', lastRevision },
    ...{ manifests: [podManifest('web', `web:${lastRevision + 1}`)], images: [] },
    ...{ strategy: DEFAULT_STRATEGY, lastRollbackFloor: 0, issued: '2026-06-01T00:00:00.000Z' },
    ...{ createdBy: 'test', signer: RELEASE },
  });
  const { digest, revision } = revised;
  const object = {
    kind: 'Bundle' as const,
    metadata: { namespace: 'default', name: 'shop' },
    ...{ spec: {}, status: { digest, revision } },
  };
  await store.commit(ACTOR, [...revised.mutations, { type: 'put', object, expect: 'any' }]);
  return revised;
}

async function assigned({ digest, revision }: Revised, generation = 7): Promise<void> {
  const bundle = { namespace: 'default', name: 'shop', revision, digest, size: 1, attempt: 0 };
  const document = assignmentDocument({ generation, bundles: [bundle] });
  await store.commit(ACTOR, signAssignment(document, HUB, TOPICS).mutations);
}

async function enrolled(): Promise<void> {
  const record = {
    ...{ node: NODE_NAME, identityKey: 'aa'.repeat(32), tlsKey: 'x', sealingKey: '' },
    ...{ certificate: '', joinedAt: '2026-06-01T00:00:00Z', token: '', labels: {} },
    ...({ state: 'active' } as const),
    suspectedAt: null,
  };
  await store.commit(ACTOR, [{ type: 'identity', record, expect: 'absent' }]);
}

async function lies(digest: string): Promise<boolean> {
  return ((await store.publication(TOPICS.blob(digest)))?.payload ?? null) !== null;
}

describe('a blob', () => {
  test('of a former revision goes after a day, and what is named stays', async () => {
    const sweep = blobSweeper(store, FLEET, clock);
    const one = await applied(0);
    const two = await applied(1);
    assert.equal(await sweep(), 0);
    clock.forward(23 * HOUR_MS);
    assert.equal(await sweep(), 0);
    clock.forward(2 * HOUR_MS);
    assert.equal(await sweep(), 2);
    const gone = [one.digest, blobOf('web:1')];
    const left = [two.digest, blobOf('web:2')];
    assert.deepEqual(await Promise.all([...gone, ...left].map(lies)), [false, false, true, true]);
    assert.equal(await sweep(), 0);
  });

  test('goes a day after nothing named it, however often the hub is started anew in between', async () => {
    const one = await applied(0);
    await applied(1);
    const startedAnew = async () => {
      await store.close();
      store = await openSqliteStore({ path: join(directory, 'hub.db'), clock });
      return blobSweeper(store, FLEET, clock)();
    };
    const cleared: number[] = [];
    for (let hour = 0; hour <= 30; hour += 6) {
      cleared.push(await startedAnew());
      clock.forward(6 * HOUR_MS);
    }
    assert.deepEqual(cleared, [0, 0, 0, 0, 2, 0]);
    assert.equal(await lies(one.digest), false);
    assert.equal((await store.unneeded()).size, 0);
  });

  test('has its day anew when the clock was set back to before nothing named it', async () => {
    await applied(0);
    await applied(1);
    const sweep = blobSweeper(store, FLEET, clock);
    assert.equal(await sweep(), 0);
    clock.forward(-72 * HOUR_MS);
    assert.equal(await sweep(), 0);
    clock.forward(23 * HOUR_MS);
    assert.equal(await sweep(), 0);
    clock.forward(2 * HOUR_MS);
    assert.equal(await sweep(), 2);
  });

  test('that a node is assigned stays however old it is, and goes a day after the node', async () => {
    const sweep = blobSweeper(store, FLEET, clock);
    await enrolled();
    await assigned(await applied(0));
    await applied(1);
    for (let day = 0; day < 3; day++) {
      assert.equal(await sweep(), 0);
      clock.forward(25 * HOUR_MS);
    }
    await store.commit(ACTOR, [{ type: 'dropIdentity', node: NODE_NAME }]);
    assert.equal(await sweep(), 0);
    clock.forward(25 * HOUR_MS);
    assert.equal(await sweep(), 2);
    assert.equal(await lies(blobOf('web:1')), false);
  });

  test('that is named again in between has its day anew, and one that went comes back', async () => {
    const sweep = blobSweeper(store, FLEET, clock);
    const one = await applied(0);
    const two = await applied(1);
    await enrolled();
    assert.equal(await sweep(), 0);
    clock.forward(20 * HOUR_MS);
    await assigned(one);
    assert.equal(await sweep(), 0);
    await assigned(two, 8);
    clock.forward(20 * HOUR_MS);
    assert.equal(await sweep(), 0);
    clock.forward(25 * HOUR_MS);
    assert.equal(await sweep(), 2);
    await store.commit(
      ACTOR,
      one.mutations.filter(({ type }) => type === 'publish'),
    );
    assert.equal(await lies(blobOf('web:1')), true);
  });
});
