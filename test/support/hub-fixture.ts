/**
 * A hub on disk for tests: initialised, its store open, enrolment ready, on a clock that the test
 * moves.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEnrolment } from '../../hub/enrolment/enrolment.js';
import { initHub, type InitResult } from '../../hub/setup/init.js';
import type { Joining } from '../../hub/enrolment/join.js';
import type { StandingOptions } from '../../hub/enrolment/standing.js';
import { loadHub, type LoadedHub } from '../../hub/setup/load.js';
import type { Enrolment } from '../../hub/ports.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { AssignmentRecord, Store } from '../../hub/store/store.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import { openEnvelope, seal } from '../../protocol/envelope.js';
import type { Clock, Log } from '../../protocol/ports.js';

/** The real one, put forward by what the test says. */
export class MovableClock implements Clock {
  #aheadMs = 0;
  forward(ms: number): void {
    this.#aheadMs += ms;
  }
  now(): number {
    return Date.now() + this.#aheadMs;
  }
  monotonic(): number {
    return performance.now() + this.#aheadMs;
  }
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }
}

export class LineLog implements Log {
  readonly lines: string[] = [];
  info(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.lines.push(`info ${message} ${JSON.stringify(fields ?? {})}`);
  }
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.lines.push(`warn ${message} ${JSON.stringify(fields ?? {})}`);
  }
  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.lines.push(`error ${message} ${JSON.stringify(fields ?? {})}`);
  }
}

export interface HubFixture {
  readonly directory: string;
  readonly dataDir: string;
  readonly init: InitResult;
  readonly hub: LoadedHub;
  readonly store: Store;
  readonly clock: MovableClock;
  readonly log: LineLog;
  readonly enrolment: Enrolment;
  readonly options: StandingOptions;
  /** Nodes whose connections were cut. */
  readonly cut: string[];
  close(): Promise<void>;
}

export const QUIET_HOST = { name: 'test-host', addresses: ['192.0.2.7'] };

export async function hubFixture(): Promise<HubFixture> {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-hub-'));
  const dataDir = join(directory, 'hub');
  const clock = new MovableClock();
  const init = await initHub({ dataDir, host: QUIET_HOST, clock, random: randomBytes });
  const hub = loadHub(dataDir);
  const store = await openSqliteStore({ path: hub.databasePath, clock });
  const log = new LineLog();
  const cut: string[] = [];
  const options: StandingOptions = {
    hub,
    store,
    clock,
    random: randomBytes,
    log,
    firstAssignment: joining => emptyAssignment(hub, store, joining),
    disconnect: node => void cut.push(node),
  };
  return {
    ...{ directory, dataDir, init, hub, store, clock, log, options, cut },
    enrolment: createEnrolment(options),
    close: async () => {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
}

/** What the controller gives a node without bundles: one generation above the former one. */
async function emptyAssignment(hub: LoadedHub, store: Store, joining: Joining) {
  const former = await store.assignment(joining.node);
  const root = hub.root.document;
  const document: AssignmentDocument = {
    fleet: root.fleet,
    node: joining.node,
    nodeKey: joining.nodeKey,
    epoch: root.epoch,
    generation: (former?.generation ?? 0) + 1,
    rootVersion: root.version,
    issued: new Date(0).toISOString(),
    notAfter: new Date(90 * 24 * 3600 * 1000).toISOString(),
    nonce: joining.nonce,
    bundles: [],
    secrets: [],
    parameters: {},
  };
  const envelope = seal('assignment', document, [hub.hubSigner]);
  const opened = openEnvelope(envelope, { kind: 'assignment', bytesMax: 1 << 20 });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  const record: AssignmentRecord = {
    node: joining.node,
    epoch: document.epoch,
    generation: document.generation,
    digest: createHash('sha256').update(opened.value.payload).digest('hex'),
    envelope,
  };
  return { record, mutations: [{ type: 'assignment', record } as const] };
}
