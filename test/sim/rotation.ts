/**
 * A simulated node changes its keys: the steps of `agent/membership/refresh.ts` from the same parts, with what HTTPS does between two
 * that trust each other. Whoever dies on the way finds the keys on the disk and asks again.
 */
import { openAnswer } from '../../agent/membership/answer.js';
import { ensureNodeKeys } from '../../agent/membership/identity.js';
import { beginRotation, openRotation, settleRotation } from '../../agent/membership/next-keys.js';
import type { RotateDocument } from '../../protocol/documents/enrolment.js';
import { seal } from '../../protocol/envelope.js';
import { keyId, rawPublicKey, signerOf } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot } from '../../protocol/verify-root.js';
import { FLEET, trustedRoot } from '../support/fleet.js';
import type { AgentLife } from './agent-life.js';
import type { Device } from './device.js';
import type { HubLife } from './hub-life.js';
import type { SimulatedFleet } from './simulated-fleet.js';

const AGAIN_MS = 90_000;
const GIVES_UP_MS = 30_000;
const WAY_MS = 50;
const HUB_URL = 'https://hub';

/** `identity` false: the sealing key alone. */
export function rotateKeys(
  fleet: SimulatedFleet,
  device: Device,
  what: { readonly identity: boolean },
): void {
  const { actor, life } = device;
  if (!actor || !life || !device.isUp()) return;
  fleet.scheduler.after(0, actor, () => {
    if (life.isPaused()) return;
    watch(fleet, device);
    void life.apart(() => exchange(fleet, device, { life, what }));
  });
}

/** What was begun and did not end is tried again, as the agent's keeper does it. */
function watch(fleet: SimulatedFleet, device: Device): void {
  fleet.scheduler.after(AGAIN_MS, device.machine, () => {
    if (!isOpen(device)) return;
    if (device.isUp()) rotateKeys(fleet, device, { identity: false });
    else watch(fleet, device);
  });
}

function isOpen({ dataDir }: Device): boolean {
  return openRotation(dataDir, ensureNodeKeys(dataDir)) !== null;
}

async function exchange(
  fleet: SimulatedFleet,
  device: Device,
  { life, what }: { readonly life: AgentLife; readonly what: { readonly identity: boolean } },
): Promise<void> {
  const { dataDir, name: node } = device;
  try {
    const keys = ensureNodeKeys(dataDir);
    const root = await newestRoot(fleet, life);
    const nonce = await ask(fleet, async hub => hub.enrolment.nonce());
    const next = openRotation(dataDir, keys) ?? beginRotation(dataDir, keys, what);
    const [signer, successor] = [signerOf(keys.identity), signerOf(next.identity)];
    const nodeNonce = life.randomId();
    const document: RotateDocument = {
      ...{ fleet: FLEET, node, nonce, nodeNonce, previousKey: signer.publicKey },
      identityKey: successor.publicKey,
      sealingKey: rawPublicKey(next.sealing),
    };
    const isNew = successor.publicKey !== signer.publicKey;
    const envelope = seal('rotate', document, isNew ? [signer, successor] : [signer]);
    const body = await ask(fleet, hub => hub.enrolment.rotate(envelope, node));
    const nodeKey = keyId(successor.publicKey);
    openAnswer(Buffer.from(body), { hubUrl: HUB_URL, root, node, nodeKey, nonce: nodeNonce });
    settleRotation(dataDir);
    fleet.trace(`${node} has other keys`);
  } catch (error) {
    fleet.trace(`${node} keeps its keys: ${String(error)}`);
  }
}

async function newestRoot(fleet: SimulatedFleet, { journal }: AgentLife): Promise<TrustedRoot> {
  for (let root = journal.root() ?? trustedRoot(); ;) {
    const { version } = root.document;
    const next = await ask(fleet, ({ store }) => store.root(version + 1));
    if (next === null) return root;
    const opened = openNextRoot(next.envelope, root);
    if (!opened.ok) throw new Error(opened.refusal.detail);
    journal.acceptRoot(opened.value);
    root = opened.value;
  }
}

/** A request over HTTPS by whoever acts now; rejects where the hub does not answer. */
function ask<T>(fleet: SimulatedFleet, work: (hub: HubLife) => Promise<T>): Promise<T> {
  const { scheduler, person } = fleet;
  const caller = scheduler.actor;
  if (!caller) throw new Error('nobody asks');
  return new Promise((resolve, reject) => {
    scheduler.after(GIVES_UP_MS, caller, () => reject(new Error('the hub does not answer')));
    scheduler.after(WAY_MS, person, () => {
      const { hub, hubActor } = fleet;
      if (!hub || !hubActor) return;
      scheduler.after(0, hubActor, () => {
        work(hub).then(
          value => void scheduler.after(WAY_MS, caller, () => resolve(value)),
          (error: unknown) =>
            void scheduler.after(WAY_MS, caller, () =>
              reject(error instanceof Error ? error : new Error(String(error))),
            ),
        );
      });
    });
  });
}
