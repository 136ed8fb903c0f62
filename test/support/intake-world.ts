/** A broker, a scripted hub that is online and a node that is joined, for tests of the whole way. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { seal } from '../../protocol/envelope.js';
import { startBroker, type BrokerKind, type TestBroker } from './brokers.js';
import { fastClock } from './fast-clock.js';
import { assigned, assignmentDocument, bundleDocument, HUB, NOW, podManifest } from './fleet.js';
import { startNode, type TestNode } from './intake-node.js';
import { ScriptedHub } from './scripted-hub.js';

export interface World {
  readonly broker: TestBroker;
  readonly hub: ScriptedHub;
  readonly dataDir: string;
  node: TestNode;
  readonly start: (speed?: number) => TestNode;
  readonly stop: () => Promise<void>;
}

/**
 * A broker, a hub that is online, and a node that runs generation 7: bundle `shop` with one pod of
 * image web:1.
 */
export async function world(
  options: { broker?: BrokerKind; speed?: number; join?: boolean } = {},
): Promise<World> {
  const broker = await startBroker(options.broker ?? 'aedes');
  const hub = await ScriptedHub.connect(broker.port);
  const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-intake-'));
  const nonce = 'ab'.repeat(16);
  const start = (speed = options.speed ?? 1) => {
    const clock = fastClock(NOW, speed);
    const assignment = seal('assignment', assignmentDocument({ nonce, bundles: [] }), [HUB]);
    const first = { nonce, assignment };
    const base = { dataDir, port: broker.port, clock };
    return startNode(options.join === false ? base : { ...base, first });
  };
  await hub.announce('01'.repeat(16));
  const it: World = {
    broker,
    hub,
    dataDir,
    node: start(),
    start,
    stop: async () => {
      await it.node.stop().catch(() => undefined);
      await hub.stop();
      await broker.stop();
      rmSync(dataDir, { recursive: true });
    },
  };
  return it;
}

export function revision(number: number, change: Partial<BundleDocument> = {}) {
  const pods = [podManifest('web', `web:${number}`)];
  return { pods, document: bundleDocument(pods, { revision: number, ...change }) };
}

export async function publish(
  hub: ScriptedHub,
  generation: number,
  made: ReturnType<typeof revision>,
) {
  await hub.publishBundle(made.document, made.pods);
  await hub.assign({ generation, bundles: [assigned(made.document)] });
}
