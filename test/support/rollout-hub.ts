/** A hub's store and controller with three members, a, b and c, of which a is the canary: the test writes their words as the ingest does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import type { BundleObject, NodeObject } from '../../hub/objects.js';
import { bundleWriter } from '../../hub/rollout/apply.js';
import { startController, type Controller } from '../../hub/rollout/controller.js';
import type { RolloutDesk } from '../../hub/rollout/desk.js';
import { assignmentOf } from '../../hub/rollout/director.js';
import { rolloutDesk } from '../../hub/rollout/say.js';
import { DEFAULT_PLAN, plainPlan, type RolloutPlan } from '../../hub/rollout/waves/plan.js';
import type { RolloutObject } from '../../hub/rollout/waves/rollout-object.js';
import type { Verb } from '../../hub/rollout/waves/verbs.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Actor, Mutation, Store } from '../../hub/store/store.js';
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import { REAL_CLOCK } from './clock.js';
import { HUB, RELEASE, trustedRoot } from './fleet.js';
import { enrolMember, memberRecord } from './member.js';
import { eventually } from './wait.js';

export const ADMIN: Actor = { kind: 'user', name: 'ann' };
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const NODES = ['a', 'b', 'c'];
export const CANARY: RolloutPlan = plainPlan({
  ...DEFAULT_PLAN,
  maxUnavailable: 3,
  waves: [{ selector: 'canary=yes' }],
});

export class RolloutHub {
  readonly directory = mkdtempSync(join(tmpdir(), 'flotilla-rollout-'));
  store!: Store;
  controller: Controller | null = null;
  desk!: RolloutDesk;

  async open(): Promise<void> {
    const path = join(this.directory, 'hub.db');
    this.store = await openSqliteStore({ path, clock: REAL_CLOCK });
    const root = () => trustedRoot();
    this.desk = rolloutDesk({ store: this.store, root, clock: REAL_CLOCK });
  }

  start(): void {
    const root = () => trustedRoot();
    const parts = { store: this.store, root, hubSigner: HUB, clock: REAL_CLOCK, log: SILENT };
    this.controller = startController(parts);
  }

  async close(): Promise<void> {
    await this.controller?.close();
    this.controller = null;
    await this.store.close();
  }

  async join(node: string): Promise<void> {
    const labels: Readonly<Record<string, string>> = node === 'a' ? { canary: 'yes' } : {};
    const identityKey = Buffer.from(node.padEnd(32)).toString('hex');
    const record = memberRecord(node, { identityKey, labels });
    await enrolMember({ store: this.store, controller: this.controller }, record);
    await this.change(node, status => ({ ...status, conditions: ready(status, 'True') }));
  }

  /** As the ingest writes it. */
  async change(
    node: string,
    change: (status: NodeObject['status']) => NodeObject['status'],
  ): Promise<void> {
    const object = (await this.store.get('Node', '', node)) as NodeObject;
    const { name, namespace, labels, annotations } = object.metadata;
    const put: Mutation = {
      type: 'put',
      object: {
        kind: 'Node',
        metadata: { name, namespace, labels, annotations },
        spec: object.spec,
        status: change(object.status),
      },
      expect: 'any',
    };
    await this.store.commit({ kind: 'node', name: node }, [put]);
  }

  async label(node: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const object = (await this.store.get('Node', '', node)) as NodeObject;
    const { kind, spec, status } = object;
    const { name, namespace, annotations } = object.metadata;
    const metadata = { name, namespace, labels, annotations };
    const put: Mutation = { type: 'put', object: { kind, metadata, spec, status }, expect: 'any' };
    await this.store.commit(ADMIN, [put]);
  }

  away(node: string): Promise<void> {
    return this.change(node, status => ({ ...status, conditions: ready(status, 'Unknown') }));
  }

  back(node: string): Promise<void> {
    return this.change(node, status => ({ ...status, conditions: ready(status, 'True') }));
  }

  /** The node speaks of what it is assigned; `former`: what lies in its directory then. */
  async says(node: string, state: BundleStatus['state']): Promise<void> {
    const assigned = await this.assigned(node);
    assert.ok(assigned, `${node} has nothing to speak of`);
    const { revision, digest, attempt } = assigned;
    const isIn = state === 'healthy' || state === 'failed';
    const said: BundleStatus = {
      ...{ namespace: 'default', name: 'shop', revision, digest, attempt, state },
      ...{ active: isIn ? digest : null, failed: state === 'failed' ? digest : null },
      ...{ reason: '', message: '', since: '2026-01-01T00:00:00.000Z' },
    };
    await this.change(node, status => ({
      ...status,
      flotilla: { ...status.flotilla, bundles: [said] },
    }));
  }

  async assigned(node: string) {
    const record = await this.store.assignment(node);
    return record ? assignmentOf(record).bundles.find(b => b.name === 'shop') : undefined;
  }

  async revisions(): Promise<(number | null)[]> {
    const all = await Promise.all(NODES.map(node => this.assigned(node)));
    return all.map(one => one?.revision ?? null);
  }

  async has(...wanted: (number | null)[]): Promise<void> {
    await eventually(`nodes have ${wanted.join()}`, async () => {
      const now = await this.revisions();
      if (now.join() === wanted.join()) return true;
      throw new Error(`${now.join()}: ${JSON.stringify((await this.rollout())?.status)}`);
    });
  }

  async rollout(): Promise<RolloutObject | null> {
    return (await this.store.get('Rollout', 'default', 'shop')) as RolloutObject | null;
  }

  async phase(wanted: string): Promise<void> {
    await eventually(`the rollout is ${wanted}`, async () => {
      const { status } = (await this.rollout()) ?? {};
      if (status?.phase === wanted) return true;
      throw new Error(JSON.stringify(status));
    });
  }

  async apply(image: string, rollout?: RolloutPlan, nodeSelector = ''): Promise<BundleObject> {
    const { store } = this;
    const root = () => trustedRoot();
    const writer = bundleWriter({ store, root, releaseSigner: RELEASE, clock: REAL_CLOCK });
    const { object } = await writer.apply(ADMIN, {
      ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {} },
      spec: {
        nodeSelector,
        manifests: [podOf('web', image)],
        ...(rollout ? { rollout } : {}),
      },
      ...{ expect: 'any', dryRun: false },
    });
    return object;
  }

  say(verb: Verb, isForced = false): Promise<string> {
    const word = {
      namespace: 'default',
      name: 'shop',
      verb,
      reason: 'a test',
      isForced,
      seen: null,
    };
    return this.desk.say(ADMIN, word);
  }
}

export const podOf = (name: string, image: string): BundleManifest => ({
  ...{ apiVersion: 'v1' as const, kind: 'Pod' as const, metadata: { name } },
  spec: { containers: [{ name: 'main', image }] },
});

export function ready(
  { conditions = [] }: NodeObject['status'],
  status: 'True' | 'Unknown',
): NonNullable<NodeObject['status']['conditions']> {
  return [...conditions.filter(c => c.type !== 'Ready'), { type: 'Ready', status }];
}

/** For each test of a `describe` another hub, whose three nodes are well with revision 1. */
export function eachOnSettledHub(begin: (hub: RolloutHub) => void): void {
  let hub: RolloutHub;
  beforeEach(async () => {
    hub = new RolloutHub();
    await hub.open();
    begin(hub);
    hub.start();
    for (const node of NODES) await hub.join(node);
    await hub.apply('web:1');
    await hub.has(1, 1, 1);
    for (const node of NODES) await hub.says(node, 'healthy');
  });
  afterEach(async () => {
    await hub.close();
    rmSync(hub.directory, { recursive: true });
  });
}
