/**
 * A simulated node is deleted at the hub and joins again under the same name: the same device with new keys, as a person does it
 * who removes its identity folder, or another one in its place, on which nothing is. And what it is labelled as.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identityPaths } from '../../agent/membership/private-keys.js';
import { nodeWriter } from '../../hub/rollout/remove-node.js';
import type { NodeObject } from '../../hub/objects.js';
import type { IdentityRecord, Store } from '../../hub/store/store.js';
import { FLEET } from '../support/fleet.js';
import { enrolMember, memberRecord } from '../support/member.js';
import { CERTIFICATE } from './certificate.js';
import type { Device } from './device.js';
import { ADMIN } from './hub-life.js';
import type { SimulatedFleet } from './simulated-fleet.js';

export function recordOf(device: Device, joinedAt: number, zone: string): IdentityRecord {
  const { signer, sealingKey, tlsKey } = device.keys();
  return memberRecord(device.name, {
    ...{ identityKey: signer.publicKey, sealingKey, tlsKey, certificate: CERTIFICATE },
    joinedAt: new Date(joinedAt).toISOString(),
    labels: { zone },
  });
}

/** It runs on and is heard no more. */
export async function deleteNode(fleet: SimulatedFleet, device: Device): Promise<void> {
  const done = await fleet.byHub(async ({ store }) => {
    const disconnect = (node: string) => fleet.broker.drop(node, false);
    const writer = nodeWriter({ store, fleet: FLEET, disconnect });
    await writer.remove(ADMIN, { name: device.name, dryRun: false });
    return true;
  });
  if (done) device.isMember = false;
}

/** Nothing where it is a member; where the hub is away it is not let in. `isOther`: of the former device nothing is left. */
export async function joinAgain(
  fleet: SimulatedFleet,
  device: Device,
  { isOther }: { readonly isOther: boolean },
): Promise<void> {
  if (device.isMember) return;
  device.stop();
  rmSync(identityPaths(device.dataDir).directory, { recursive: true, force: true });
  if (isOther) wipe(device);
  const zone = fleet.zone();
  const record = recordOf(device, fleet.wallNow(), zone);
  const done = await fleet.byHub(async ({ store, controller }) => {
    await enrolMember({ store, controller }, record);
    return true;
  });
  if (done) device.isMember = true;
  device.start();
}

function wipe(device: Device): void {
  const { dataDir, manifests, engine } = device;
  device.loseJournal(true);
  device.reboot();
  engine.containers.clear();
  engine.sandboxes.clear();
  for (const name of readdirSync(manifests)) rmSync(join(manifests, name), { recursive: true });
  for (const name of readdirSync(dataDir)) {
    if (name !== 'manifests') rmSync(join(dataDir, name), { recursive: true, force: true });
  }
}

/** Another zone, drawn. */
export async function relabel(fleet: SimulatedFleet, node: string): Promise<void> {
  const zone = fleet.zone();
  await fleet.byHub(async ({ store }) => {
    const { kind, metadata, spec, status } = await nodeOf(store, node);
    const { name, annotations } = metadata;
    const labels = { ...metadata.labels, zone };
    const object = { kind, metadata: { namespace: '', name, labels, annotations }, spec, status };
    const expect = { resourceVersion: metadata.resourceVersion };
    await store.commit(ADMIN, [{ type: 'put', object, expect }]);
  });
}

async function nodeOf(store: Store, name: string): Promise<NodeObject> {
  const found = await store.get('Node', '', name);
  if (!found) throw new Error(`there is no node ${name}`);
  return found as NodeObject;
}
