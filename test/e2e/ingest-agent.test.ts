/**
 * Both ends of the way back, each the real one: what an agent's journal and report say, and what the hub records and
 * confirms of it, end in the same state whatever gets lost between them. The two share a clock that stands still.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Journal } from '../../agent/journal/journal.js';
import { openJournal } from '../../agent/journal/open.js';
import { readNodeInfo } from '../../agent/node-info.js';
import type { PodReport } from '../../agent/ports.js';
import { Activation } from '../../agent/activation/activation.js';
import { startReport, type Report } from '../../agent/report/report.js';
import type { NodeMessage } from '../../hub/link/messages.js';
import type { AckDocument } from '../../protocol/documents/hub.js';
import { seal } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { FLEET, HUB, NODE, NODE_NAME, trustedRoot } from '../support/fleet.js';
import { testTime } from '../support/test-time.js';
import { IngestWorld } from '../support/ingest-world.js';

const topics = topicsOf(FLEET);
const ABOUT_NODE = {
  kind: 'Node',
  namespace: '',
  name: NODE_NAME,
  uid: '',
  fieldPath: '',
} as const;

class Agent {
  readonly journal: Journal;
  readonly report: Report;
  pods: PodReport[] = [];
  /** Which of its messages arrive. */
  carries: (kind: string) => boolean = () => true;
  /** How often it said each kind. */
  readonly said: Record<string, number> = {};

  constructor(hub: IngestWorld, dataDir: string) {
    let ids = 0;
    const randomId = () => String(++ids).padStart(32, '0');
    this.journal = openJournal({ dataDir, clock: hub.clock, randomId });
    const quiet = () => undefined;
    const identity = { fleet: FLEET, node: NODE_NAME, signer: NODE };
    const { clock } = hub;
    const log = { info: quiet, warn: quiet, error: quiet };
    const { journal } = this;
    this.report = startReport({
      activation: new Activation({ journal, pods: () => this.pods, clock, log, onGivenUp: quiet }),
      identity,
      journal: this.journal,
      time: testTime({ identity, journal: this.journal, clock: hub.clock }),
      link: {
        connected: () => true,
        publish: async (topic, payload) => {
          const { kind } = topics.parse(topic) as { kind: NodeMessage['kind'] };
          this.said[kind] = (this.said[kind] ?? 0) + 1;
          if (this.carries(kind)) hub.receive({ kind, node: NODE_NAME, payload, retained: false });
          return true;
        },
      },
      intake: () => ({
        root: trustedRoot(),
        lastRefusal: null,
        newestRefusal: null,
        conditions: [],
      }),
      nodeInfo: readNodeInfo,
      agentVersion: '0.1.0',
      containerRuntimeVersion: () => 'docker://28.2.2',
      pods: () => this.pods,
      conditions: () => [],
      clock: hub.clock,
      random: () => 0,
      log,
    });
    const epoch = 1;
    const [session, sealingKey] = ['01'.repeat(16), '11'.repeat(32)];
    this.report.hub({ fleet: FLEET, epoch, session, online: true, sealingKey }, true);
  }

  hear(ack: AckDocument): void {
    assert.equal(this.report.ack(seal('ack', ack, [HUB])), null);
  }

  show(...names: string[]): void {
    this.pods = names.map(name => ({
      key: `default/${name}-${NODE_NAME}`,
      source: 'file',
      bundle: null,
      manifestDigest: null,
      pod: {
        metadata: { name: `${name}-${NODE_NAME}`, namespace: 'default' },
        spec: { containers: [{ name: 'main', image: 'web:1' }] },
        status: { phase: 'Running' },
      },
    }));
    this.report.changed();
  }

  close(): void {
    this.report.close();
    this.journal.close();
  }
}

let folder: string;
let hub: IngestWorld;
let agent: Agent;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-ingest-agent-'));
  hub = await IngestWorld.make();
  await hub.join(NODE_NAME);
  agent = new Agent(hub, folder);
  hub.onAck = ack => agent.hear(ack);
});
afterEach(async () => {
  agent.close();
  await hub.close();
  rmSync(folder, { recursive: true });
});

function happen(count: number): void {
  for (let i = 0; i < count; i++) {
    agent.journal.record({ type: 'Normal', reason: 'Tested', message: 'it', involved: ABOUT_NODE });
  }
  agent.report.changed();
}

/** The hub shows the agent's pods and every event once, and the agent has nothing left to say. */
async function assertAgreement(events: number): Promise<void> {
  const node = await hub.node(NODE_NAME);
  const shown = (await hub.pods()).map(({ metadata, status }) => [
    `${metadata.namespace}/${metadata.name}`,
    status.flotilla.digest,
  ]);
  const meant = Object.entries(agent.report.current().pods).map(([key, pod]) => [key, pod.digest]);
  assert.deepEqual(shown.sort(), meant.sort());
  assert.deepEqual(
    Object.keys(node.status.flotilla.recorded).sort(),
    meant.map(([key]) => key),
  );
  const told = (await hub.events()).filter(({ spec }) => spec.reason === 'Tested');
  assert.deepEqual(
    told.map(({ spec }) => spec.flotilla.n).sort((a, b) => a - b),
    Array.from({ length: events }, (_, i) => i + 1),
  );
  assert.equal(agent.journal.oldestEvent(), events + 1);
}

describe('hub and agent', () => {
  test('agree at once when nothing is lost, and then keep silent', async () => {
    agent.show('web', 'db');
    happen(300);
    await hub.pass(2_000);
    await assertAgreement(300);
    const { pod, event } = agent.said;
    await hub.pass(2 * 3_600_000);
    assert.deepEqual([agent.said['pod'], agent.said['event']], [pod, event]);
    assert.ok((agent.said['status'] ?? 0) <= 5, 'a status an hour, and the first ones');
  });

  test('agree when the acks of ten minutes were lost', async () => {
    hub.delivers = false;
    agent.show('web');
    happen(5);
    await hub.pass(600_000);
    assert.equal(agent.journal.oldestEvent(), 1);
    hub.delivers = true;
    await hub.pass(1_800_000);
    await assertAgreement(5);
  });

  test('agree when every document of pods was lost, then nothing else happens', async () => {
    agent.carries = kind => kind !== 'pod';
    agent.show('web', 'db');
    await hub.pass(10_000);
    assert.deepEqual(await hub.pods(), []);
    agent.carries = () => true;
    await hub.pass(120_000);
    await assertAgreement(0);
  });

  test('agree when the hub forgot the pods of a node where nothing happens any more', async () => {
    agent.show('web', 'db');
    happen(2);
    await hub.pass(2_000);
    await assertAgreement(2);
    const { status, ...node } = await hub.node(NODE_NAME);
    const forgetful = { ...status, flotilla: { ...status.flotilla, pods: {}, recorded: {} } };
    await hub.store.commit({ kind: 'hub', name: 'test' }, [
      { type: 'put', object: { ...node, status: forgetful }, expect: 'any' },
      ...(await hub.pods()).map(({ metadata: { namespace, name } }) => {
        return { type: 'delete', kind: 'Pod', namespace, name } as const;
      }),
    ]);
    agent.report.linkUp();
    await hub.pass(90_000);
    await assertAgreement(2);
  });

  for (let seed = 1; seed <= 5; seed++) {
    test(`agree after an hour in which half of all was lost (${seed})`, async () => {
      let state = seed;
      // Numerical Recipes' linear congruential generator: the same history for the same seed.
      const random = () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
      agent.carries = () => random() < 0.5;
      hub.onAck = ack => void (random() < 0.5 && agent.hear(ack));
      let events = 0;
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      for (let minute = 0; minute < 60; minute++) {
        const count = Math.floor(random() * 4);
        events += count;
        happen(count);
        agent.show(...names.filter(() => random() < 0.6));
        if (random() < 0.1) await hub.restart();
        await hub.pass(60_000);
      }
      agent.carries = () => true;
      hub.onAck = ack => agent.hear(ack);
      await hub.pass(3 * 3_600_000);
      await assertAgreement(events);
    });
  }
});
