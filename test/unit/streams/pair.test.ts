/**
 * Both ends of the command channel, without a broker between them: what is believed of an answer, how a stream ends when
 * something goes away, and what is not done when it cannot be told.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, test } from 'node:test';
import type { Attachment } from '../../../agent/runtime/attach.js';
import type { StreamRuntime } from '../../../agent/streams/serve.js';
import {
  Streams,
  type StreamCommand,
  type StreamsOptions,
} from '../../../agent/streams/streams.js';
import type { PodReport } from '../../../agent/ports.js';
import { NodeCommands } from '../../../hub/link/commands.js';
import { HUB_STREAMS_MAX, HubStreams } from '../../../hub/streams/hub-streams.js';
import { StreamRefused, type StreamAsk, type StreamEnd } from '../../../hub/streams/streams.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { OpeningDocument } from '../../../protocol/documents/node.js';
import { openEnvelope, seal } from '../../../protocol/envelope.js';
import { topicsOf } from '../../../protocol/topics.js';
import { fastClock } from '../../support/fast-clock.js';
import { FLEET, HUB, NODE, NODE_NAME } from '../../support/fleet.js';
import { randomHex } from '../../support/docker.js';
import { eventually } from '../../support/wait.js';

const topics = topicsOf(FLEET);
/** What a test leaves open would keep its clock going. */
const left: (() => void)[] = [];
afterEach(() => left.splice(0).forEach(close => close()));
const SESSION = 'a'.repeat(32);
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const POD = {
  key: `default/web-${NODE_NAME}`,
  pod: {
    metadata: { name: `web-${NODE_NAME}`, namespace: 'default', uid: 'u' },
    spec: { containers: [{ name: 'app', image: 'x' }] },
    status: {
      phase: 'Running',
      containerStatuses: [{ name: 'app', containerID: 'docker://c', state: { running: {} } }],
    },
  },
} as unknown as PodReport;
const LOGS: StreamAsk = { kind: 'logs', namespace: 'default', pod: 'web', follow: true };
const EXEC: StreamAsk = {
  ...{ kind: 'exec', namespace: 'default', pod: 'web', command: ['/bin/sh', '-c', 'hunter2'] },
  ...{ stdin: false, stdout: true, stderr: true, tty: false },
};

interface Change {
  readonly node?: Partial<StreamsOptions>;
  /** What becomes of the node's answer on its way. */
  readonly answer?: (opening: Buffer) => readonly Buffer[];
  readonly speed?: number;
}

function world({ node = {}, answer = opening => [opening], speed = 1 }: Change = {}) {
  const clock = fastClock(Date.now(), speed);
  const told: string[] = [];
  const execs: string[][] = [];
  const runtime: StreamRuntime = {
    logs: async function* (_id, _options, signal) {
      yield Buffer.from('line\n');
      await new Promise(resolve => signal.addEventListener('abort', resolve));
    },
    openExec: (_id, { command }) => {
      execs.push([...command]);
      return Promise.resolve(over());
    },
    openAttach: () => Promise.resolve(over()),
  };
  const streams: Streams = new Streams({
    identity: { fleet: FLEET, node: NODE_NAME, signer: NODE },
    journal: {
      ...{ id: 'b'.repeat(32), boot: 1, nextCounter: () => 1 },
      record: ({ reason, message }) => void told.push(`${reason}: ${message}`),
    },
    link: {
      publish: async (topic, payload) => {
        const address = topics.parse(topic);
        const rest = address && 'rest' in address ? (address.rest ?? '') : '';
        const isOpening = openEnvelope(payload, { kind: 'opening', bytesMax: 1 << 20 }).ok;
        for (const one of isOpening ? answer(payload) : [payload]) {
          hub.receive({ kind: 'reply', node: NODE_NAME, rest, payload: one, retained: false });
        }
        return true;
      },
    },
    pods: () => [POD],
    development: () => true,
    remote: { access: null, runtime, keyPair: () => generateKeyPairSync('x25519') },
    ...{ clock, log: quiet },
    ...node,
  });
  const commands = new NodeCommands({
    ...{ fleet: FLEET, epoch: () => 1, clock },
    messenger: {
      command: (_node, document) => {
        const digest = sha256Hex(canonicalJson(document));
        setImmediate(() => streams.open(document as StreamCommand, digest));
      },
    },
  });
  const object = { metadata: { name: NODE_NAME }, status: { conditions: [] } };
  const hub: HubStreams = new HubStreams({
    ...{ fleet: FLEET, commands, clock, log: quiet, randomId: () => randomHex(16) },
    store: {
      get: async (_kind, _namespace, name) => (name === NODE_NAME ? (object as never) : null),
      identity: async () => ({ state: 'active', identityKey: NODE.publicKey }) as never,
      unheard: async () => [],
    },
    link: {
      connected: () => true,
      frame: async (_node, request, payload) => {
        streams.receive(request, Buffer.from(payload));
        return true;
      },
    },
    keyPair: () => generateKeyPairSync('x25519'),
  });
  const presence = (online: boolean, session = SESSION) => {
    commands.presence({ node: NODE_NAME, session, online });
    hub.presence({ node: NODE_NAME, session, online });
  };
  presence(true);
  left.push(
    () => hub.linkDown(),
    () => streams.end('the test is over'),
  );
  return { hub, streams, told, execs, presence, commands };
}

/** Of a program that is over. */
function over(): Attachment {
  return {
    output: (async function* () {})(),
    write: async () => undefined,
    endInput: () => undefined,
    resize: async () => undefined,
    exitCode: async () => 0,
    close: () => undefined,
  };
}

type Asked = { output?: (bytes: Buffer) => Promise<void>; signal?: AbortSignal };

async function ask({ hub }: ReturnType<typeof world>, what: StreamAsk, more: Asked = {}) {
  const ends: StreamEnd[] = [];
  const output: string[] = [];
  const stream = await hub.open(NODE_NAME, what, {
    ...{ user: 'alice', signal: more.signal ?? new AbortController().signal },
    sink: {
      output: async (_channel, bytes) => {
        output.push(bytes.toString());
        await more.output?.(bytes);
      },
      ended: end => ends.push(end),
    },
  });
  return { stream, ends, output };
}

const refusedWith = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StreamRefused, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, words);
  return true;
};

/** The node's answer, changed, and signed by whoever. */
function changed(opening: Buffer, change: Partial<OpeningDocument>, signer = NODE): Buffer {
  const opened = openEnvelope(opening, { kind: 'opening', bytesMax: 1 << 20 });
  assert.ok(opened.ok);
  const document = JSON.parse(opened.value.payload.toString()) as OpeningDocument;
  return seal('opening', { ...document, ...change }, [signer]);
}

describe("the node's answer", () => {
  test('opens the stream', async () => {
    const { output } = await ask(world(), LOGS);
    await eventually('its output', () => output.join('') === 'line\n');
  });

  test('that another signed is passed over; the true one still counts', async () => {
    const key = 'c'.repeat(64);
    const answer = (opening: Buffer) => [
      changed(opening, { key }, HUB),
      opening,
      changed(opening, { key }),
    ];
    const { output } = await ask(world({ answer }), LOGS);
    await eventually('its output', () => output.join('') === 'line\n');
  });

  const NONE: readonly [string, (opening: Buffer) => Buffer[]][] = [
    ['that does not come', () => []],
    ['of another command', opening => [changed(opening, { command: 'd'.repeat(64) })]],
    ['of another request', opening => [changed(opening, { request: 'd'.repeat(32) })]],
    ['of another node', opening => [changed(opening, { node: 'edge-2' })]],
    ['that is garbage', () => [Buffer.from('{"garbage":1}')]],
  ];
  for (const [sentence, answer] of NONE) {
    test(`${sentence} is none`, async () => {
      const made = world({ answer, speed: 1000 });
      await assert.rejects(ask(made, LOGS), refusedWith('Timeout', /did not answer for 15 s/));
    });
  }

  test('with a key of small order opens nothing', async () => {
    const answer = (opening: Buffer) => [changed(opening, { key: '0'.repeat(64) })];
    await assert.rejects(ask(world({ answer }), LOGS), refusedWith('InternalError', /none/));
  });
});

describe('the node refuses, in words', () => {
  const remote = { access: null, runtime: null, keyPair: () => generateKeyPairSync('x25519') };
  const ROWS: readonly [string, Partial<StreamsOptions>, string, RegExp][] = [
    [
      'what its configuration does not allow',
      { development: () => false },
      'Forbidden',
      /exec is off/,
    ],
    ['where a kubelet runs the pods', { remote }, 'NotSupported', /run by a kubelet/],
    ['where it gives no streams', { remote: undefined }, 'NotSupported', /gives no streams/],
    ['before it knows its pods', { pods: () => null }, 'InternalError', /does not know its pods/],
    ['what is not there', { pods: () => [] }, 'NotFound', /no pod "web"/],
  ];
  for (const [sentence, node, code, words] of ROWS) {
    test(sentence, async () => {
      const made = world({ node });
      await assert.rejects(ask(made, EXEC), refusedWith(code, words));
      assert.deepEqual([made.execs, made.told], [[], []]);
    });
  }
});

describe('a use is told', () => {
  test('before it begins, with who asked and the program, not its arguments', async () => {
    const made = world();
    const { ends } = await ask(made, EXEC);
    await eventually('its end', () => ends.length > 0);
    assert.deepEqual(made.told, ['RemoteExec: User "alice" runs "sh" in container app']);
    assert.deepEqual(made.execs, [['/bin/sh', '-c', 'hunter2']]);
  });

  test('or does not begin', async () => {
    const journal = {
      ...{ id: 'b'.repeat(32), boot: 1, nextCounter: () => 1 },
      record: () => {
        throw new Error('the disk is full');
      },
    };
    const made = world({ node: { journal } });
    const { ends } = await ask(made, EXEC);
    await eventually('its end', () => ends.length > 0);
    assert.deepEqual([ends[0]?.reason, ends[0]?.message], ['InternalError', 'the disk is full']);
    assert.deepEqual(made.execs, []);
  });
});

describe('a stream ends, once, with a reason', () => {
  const CASES: readonly [string, string, (made: ReturnType<typeof world>) => void][] = [
    ['when the node goes', 'NodeOffline', ({ presence }) => presence(false)],
    [
      'when the node begins another session',
      'NodeOffline',
      ({ presence }) => presence(true, 'e'.repeat(32)),
    ],
    ["when the hub's link is down", 'LinkLost', ({ hub }) => hub.linkDown()],
    ['when the hub stops', 'Cancelled', ({ hub }) => hub.close()],
    ['when the agent stops', 'AgentStopping', ({ streams }) => streams.close()],
  ];
  for (const [sentence, reason, happen] of CASES) {
    test(sentence, async () => {
      const made = world();
      const { ends, stream } = await ask(made, LOGS);
      happen(made);
      await eventually('its end', () => ends.length > 0);
      stream.close();
      made.hub.linkDown();
      assert.deepEqual(
        ends.map(end => end.reason),
        [reason],
      );
    });
  }

  test('when its sink fails; the node is told', async () => {
    const made = world();
    const { ends } = await ask(made, LOGS, { output: () => Promise.reject(new Error('gone')) });
    await eventually('its end', () => ends.length > 0);
    // There is room for all eight again.
    await Promise.all(Array.from({ length: 8 }, () => ask(made, LOGS)));
  });

  test('when whoever asked goes, before the answer and after it', async () => {
    const early = new AbortController();
    const asked = ask(world({ answer: () => [] }), LOGS, { signal: early.signal });
    setTimeout(() => early.abort(), 10);
    await assert.rejects(asked, refusedWith('Cancelled', /went away/));
    const late = new AbortController();
    const { ends } = await ask(world(), LOGS, { signal: late.signal });
    late.abort();
    await eventually('its end', () => ends.length > 0);
    assert.equal(ends[0]?.reason, 'Cancelled');
  });
});

describe('limits', () => {
  test('of the hub: those that wait for their answer count too', async () => {
    const made = world({ answer: () => [] });
    const all = Array.from({ length: HUB_STREAMS_MAX }, () => ask(made, LOGS));
    await assert.rejects(ask(made, LOGS), refusedWith('TooManyStreams', /256 streams/));
    made.hub.linkDown();
    const settled = await Promise.allSettled(all);
    assert.ok(settled.every(({ status }) => status === 'rejected'));
  });

  test('of the node', async () => {
    const made = world();
    const opened = await Promise.all(Array.from({ length: 8 }, () => ask(made, LOGS)));
    await assert.rejects(ask(made, LOGS), refusedWith('TooManyStreams', /8 streams open/));
    opened[0]?.stream.close();
    await ask(made, LOGS);
  });

  test('a node that nobody knows, and one that is away, are refused at once', async () => {
    const made = world();
    const asked = {
      user: 'a',
      signal: new AbortController().signal,
      sink: { output: async () => undefined, ended: () => undefined },
    };
    await assert.rejects(made.hub.open('edge-9', LOGS, asked), refusedWith('NotFound', /edge-9/));
    made.presence(false);
    await assert.rejects(ask(made, LOGS), refusedWith('NodeOffline', /was not heard/));
  });
});
