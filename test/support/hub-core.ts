/**
 * The hub between its store and MQTT, put together as `hub/main.ts` does it, with the keys of `fleet.ts`, a store on
 * disk that outlives it, and a line to the broker that a test can cut.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { startIngest } from '../../hub/ingest/ingest.js';
import { goneNodes } from '../../hub/link/gone-nodes.js';
import { startHubLink } from '../../hub/link/link.js';
import type { NodeObject } from '../../hub/objects.js';
import type { BundleWriter, NodeWriter } from '../../hub/ports.js';
import { bundleWriter } from '../../hub/rollout/apply.js';
import { startController } from '../../hub/rollout/controller.js';
import { nodeWriter } from '../../hub/rollout/remove-node.js';
import { republisher } from '../../hub/rollout/republish.js';
import { manifestsOf } from '../../hub/rollout/revision-document.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Actor, Publication, Store } from '../../hub/store/store.js';
import type { Signer } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import { fastClock, type FastClock } from './fast-clock.js';
import { FLEET, HUB, RELEASE, trustedRoot } from './fleet.js';
import { enrolMember, memberRecord } from './member.js';

export const ADMIN: Actor = { kind: 'user', name: 'admin' };
const topics = topicsOf(FLEET);

export class HubCore {
  readonly store: Store;
  readonly clock: FastClock;
  readonly bundles: BundleWriter;
  readonly nodes: NodeWriter;
  readonly log: string[] = [];
  readonly #directory: string;
  readonly #line: Line;
  #stop: () => Promise<void> = async () => undefined;
  #controller: ReturnType<typeof startController> | null = null;

  private constructor(parts: { directory: string; store: Store; clock: FastClock; line: Line }) {
    this.#directory = parts.directory;
    this.#line = parts.line;
    this.store = parts.store;
    this.clock = parts.clock;
    const root = () => trustedRoot();
    const { store, clock } = parts;
    this.bundles = bundleWriter({ store, root, releaseSigner: RELEASE, clock });
    this.nodes = nodeWriter({ store, fleet: FLEET, disconnect: () => undefined });
  }

  /** `speed`: how much faster than the real one its clock runs. The hub is not started yet. */
  static async make(brokerPort: number, { speed = 1 }: { speed?: number } = {}): Promise<HubCore> {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-hub-core-'));
    const clock = fastClock(Date.now(), speed);
    const store = await openSqliteStore({ path: join(directory, 'hub.db'), clock });
    const { digest, envelope, document } = trustedRoot();
    const { version } = document;
    await store.commit({ kind: 'hub', name: 'init' }, [
      { type: 'root', record: { version, digest, envelope } },
      { type: 'publish', topic: topics.root(), payload: envelope },
      { type: 'publish', topic: topics.root(version), payload: envelope },
    ]);
    return new HubCore({ directory, store, clock, line: await Line.to(brokerPort) });
  }

  /** Begins, or begins again, on the same store. */
  start(options: { brokerIsFresh?: boolean } = {}): void {
    const { store, clock } = this;
    const root = () => trustedRoot();
    const say = (message: string, fields: object = {}) =>
      void this.log.push(`${message} ${JSON.stringify(fields)}`);
    const log = { info: say, warn: say, error: say };
    const controller = startController({ store, root, hubSigner: HUB, clock, log });
    const link = startHubLink({
      url: `mqtt://127.0.0.1:${this.#line.port}`,
      tls: null,
      root,
      hubSigner: HUB,
      sealingKey: '11'.repeat(32),
      store,
      clock,
      log,
      random: randomBytes,
      brokerIsFresh: options.brokerIsFresh ?? false,
      onMessage: message => ingest.receive(message),
      onUp: () => ingest.linkUp(),
      onDown: () => ingest.linkDown(),
      guests: [goneNodes({ store, topics, clock, log })],
    });
    const again = republisher({ store, fleet: FLEET, clock });
    const ingest = startIngest({
      store,
      root,
      messenger: link.messenger,
      clock,
      log,
      freshAssignment: (node, nonce) => controller.freshAssignment(node, nonce),
      republish: digests => again.blobs(digests),
      republishRoot: version => again.root(version),
      manifestsOf: bundle => manifestsOf(store, bundle),
    });
    this.#controller = controller;
    this.#stop = async () => {
      await ingest.close();
      await link.close();
      await controller.close();
    };
  }

  async stop(): Promise<void> {
    await this.#stop();
    this.#stop = async () => undefined;
  }

  /** As a hub that was killed: nobody says goodbye, and nothing is brought to an end. */
  async kill(): Promise<void> {
    this.#line.cut({ forGood: true });
    await this.stop();
    this.#line.mend();
  }

  /** No way to the broker, until it is plugged in again. */
  unplug(): void {
    this.#line.cut({ forGood: true });
  }

  plugIn(): void {
    this.#line.mend();
  }

  /** The connection breaks; the hub comes back by itself. */
  cut(): void {
    this.#line.cut({ forGood: false });
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#line.close();
    await this.store.close();
    rmSync(this.#directory, { recursive: true });
  }

  /** What a join does in its transaction. */
  async join(name: string, signer: Signer, labels: Record<string, string> = {}): Promise<void> {
    const joinedAt = new Date(this.clock.now()).toISOString();
    const record = memberRecord(name, { identityKey: signer.publicKey, joinedAt, labels });
    await enrolMember({ store: this.store, controller: this.#controller }, record);
  }

  async apply(name: string, manifests: readonly Pod[], nodeSelector = ''): Promise<string> {
    const { object } = await this.bundles.apply(ADMIN, {
      namespace: 'default',
      name,
      labels: {},
      annotations: {},
      spec: { nodeSelector, manifests },
      expect: 'any',
      dryRun: false,
    });
    return object.status.digest;
  }

  async label(name: string, labels: Record<string, string>): Promise<void> {
    const { kind, metadata, spec, status } = await this.node(name);
    const { annotations } = metadata;
    await this.store.commit(ADMIN, [
      {
        type: 'put',
        object: { kind, metadata: { namespace: '', name, labels, annotations }, spec, status },
        expect: { resourceVersion: metadata.resourceVersion },
      },
    ]);
  }

  async node(name: string): Promise<NodeObject> {
    const found = await this.store.get('Node', '', name);
    if (!found) throw new Error(`there is no node ${name}`);
    return found as NodeObject;
  }

  async ready(name: string): Promise<string | undefined> {
    const { conditions } = (await this.node(name)).status;
    return conditions?.find(({ type }) => type === 'Ready')?.status;
  }

  /** All that the broker shall hold, by topic; cleared topics with null. */
  async publications(): Promise<Map<string, Uint8Array | null>> {
    const all: Publication[] = [];
    for (let after = 0; ; after = all[all.length - 1]?.number ?? 0) {
      const page = await this.store.publications(after, 100);
      if (page.length === 0) break;
      all.push(...page);
    }
    return new Map(all.map(({ topic, payload }) => [topic, payload]));
  }
}

/** TCP to the broker that can be cut. */
class Line {
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: Set<Socket>;
  readonly #gate: { open: boolean };

  private constructor(
    server: ReturnType<typeof createServer>,
    sockets: Set<Socket>,
    gate: { open: boolean },
  ) {
    this.#server = server;
    this.#sockets = sockets;
    this.#gate = gate;
    this.port = (server.address() as AddressInfo).port;
  }

  static async to(brokerPort: number): Promise<Line> {
    const sockets = new Set<Socket>();
    const gate = { open: true };
    const server = createServer(near => {
      if (!gate.open) return void near.destroy();
      const far = connect(brokerPort, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return new Line(server, sockets, gate);
  }

  cut({ forGood }: { forGood: boolean }): void {
    this.#gate.open = !forGood;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#gate.open = true;
  }

  async close(): Promise<void> {
    this.cut({ forGood: true });
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}
