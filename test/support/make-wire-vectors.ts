/**
 * Writes `test/vectors/wire/`: documents as they stand on the wire, good and bad, signed with the fixed test keys. Run
 * once for a new document or rule (`node dist/test/support/make-wire-vectors.js`); what lies there already is never
 * rewritten, so that every later version is held to the bytes that earlier ones sent.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson } from '../../protocol/canonical.js';
import { seal, sealBytes, type DocumentKind } from '../../protocol/envelope.js';
import { rawPublicKey, type Signer } from '../../protocol/keys.js';
import {
  beginPayload,
  CHANNEL,
  creditPayload,
  resizePayload,
  WINDOW_BYTES,
} from '../../protocol/stream-frames.js';
import { FrameSealer, streamKeys } from '../../protocol/stream-seal.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  FLEET,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  RELEASE,
  ROOT,
  rootDocument,
} from './fleet.js';

export interface WireVector {
  /** A sentence. */
  what: string;
  kind: DocumentKind;
  /** The envelope as text. */
  envelope: string;
  /** `accepted` or the refusal's code. */
  expect: string;
}

const id = (digit: string) => digit.repeat(32);
const digest = (digit: string) => digit.repeat(64);
const stamp = { fleet: FLEET, node: NODE_NAME, journal: id('1'), boot: 3 };
const at = '2026-06-01T12:00:00.000Z';

const documents: Record<DocumentKind, [object, Signer]> = {
  root: [rootDocument(), ROOT],
  bundle: [bundleDocument(), RELEASE],
  assignment: [assignmentDocument(), HUB],
  secret: [
    {
      fleet: FLEET,
      node: NODE_NAME,
      namespace: 'default',
      bundle: 'shop',
      name: 'db',
      version: 2,
      recipient: digest('1'),
      sealed: 'AAAA',
    },
    HUB,
  ],
  hub: [{ fleet: FLEET, epoch: 1, session: id('2'), online: true, sealingKey: digest('3') }, HUB],
  mark: [{ fleet: FLEET, store: id('4'), number: 17 }, HUB],
  answer: [
    { fleet: FLEET, node: NODE_NAME, nonce: id('5'), published: [digest('6')], absent: [] },
    HUB,
  ],
  time: [{ fleet: FLEET, node: NODE_NAME, nonce: id('5'), time: at }, HUB],
  ack: [
    {
      fleet: FLEET,
      node: NODE_NAME,
      journal: id('1'),
      through: 9,
      boot: 3,
      counter: 4,
      row: 5,
      pods: { 'default/web-edge-1': digest('7') },
      ...{ epoch: 1, generation: 8 },
    },
    HUB,
  ],
  command: [
    {
      fleet: FLEET,
      node: NODE_NAME,
      epoch: 1,
      session: id('9'),
      n: 1,
      request: id('b'),
      ask: { kind: 'kept', want: 'bundle', digest: digest('b'), rootVersion: 0 },
    },
    HUB,
  ],
  joined: [
    {
      fleet: FLEET,
      node: NODE_NAME,
      nodeKey: idOf(NODE),
      nonce: id('8'),
      state: 'active',
      certificate: 'PEM',
      renewAfter: at,
      authorities: 'PEM',
      brokers: ['mqtts://hub:8883'],
      labels: { site: 'harbour' },
      assignment: '{}',
    },
    HUB,
  ],
  renew: [
    { fleet: FLEET, node: NODE_NAME, nonce: id('1'), nodeNonce: id('2'), tlsKey: 'AAAA' },
    NODE,
  ],
  rotate: [
    {
      ...{ fleet: FLEET, node: NODE_NAME, nonce: id('1'), nodeNonce: id('2') },
      ...{ previousKey: NODE.publicKey, identityKey: digest('4'), sealingKey: digest('5') },
    },
    NODE,
  ],
  presence: [{ ...stamp, n: 2, session: id('9'), online: true }, NODE],
  request: [
    { ...stamp, counter: 5, nonce: id('a'), want: 'blobs', digests: [digest('b')], rootVersion: 0 },
    NODE,
  ],
  status: [
    {
      ...stamp,
      counter: 6,
      at,
      epoch: 1,
      generation: 7,
      rootVersion: 1,
      clock: 'synced',
      clockOffset: null,
      development: true,
      lastRefusal: null,
      history: { row: 7, head: digest('c'), oldest: 3, known: { row: 5, hash: digest('d') } },
      reads: { assignment: [1] },
      conditions: [
        {
          type: 'StaticPodPath',
          status: 'True',
          reason: 'Readable',
          message: '',
          lastTransitionTime: at,
        },
      ],
      info: {
        agentVersion: '0.1.0',
        architecture: 'amd64',
        operatingSystem: 'linux',
        osImage: 'Debian',
        kernelVersion: '6.1',
        containerRuntimeVersion: 'docker://28.2.2',
        bootID: 'b',
        machineID: 'm',
        addresses: [{ type: 'Hostname', address: NODE_NAME }],
      },
      capacity: { cpu: '2' },
      allocatable: { cpu: '2' },
      bundles: [
        {
          namespace: 'default',
          name: 'shop',
          revision: 1,
          digest: assigned(bundleDocument()).digest,
          active: assigned(bundleDocument()).digest,
          failed: null,
          attempt: 0,
          state: 'healthy',
          reason: '',
          message: '',
          since: at,
        },
      ],
      pods: { 'default/web-edge-1': { digest: digest('7'), phase: 'Running', ready: true } },
    },
    NODE,
  ],
  pod: [
    {
      ...stamp,
      counter: 7,
      source: 'bundle',
      bundle: { namespace: 'default', name: 'shop', revision: 1 },
      pod: { metadata: { name: 'web-edge-1', namespace: 'default' }, status: { phase: 'Running' } },
    },
    NODE,
  ],
  event: [
    {
      ...stamp,
      counter: 8,
      oldest: 1,
      events: [
        {
          n: 1,
          at,
          type: 'Normal',
          reason: 'Started',
          message: 'Started container main',
          involved: {
            kind: 'Pod',
            namespace: 'default',
            name: 'web-edge-1',
            uid: 'u',
            fieldPath: 'spec.containers{main}',
          },
        },
      ],
    },
    NODE,
  ],
  reply: [
    { ...stamp, counter: 9, request: id('b'), n: 0, last: true, found: true, data: 'AAAA' },
    NODE,
  ],
  opening: [
    {
      ...stamp,
      counter: 10,
      request: id('b'),
      command: digest('c'),
      key: digest('d'),
      refusal: null,
    },
    NODE,
  ],
  join: [
    {
      fleet: FLEET,
      node: NODE_NAME,
      token: 'abcdef.0123456789',
      nonce: id('d'),
      nodeNonce: id('e'),
      identityKey: NODE.publicKey,
      tlsKey: 'AAAA',
      sealingKey: digest('f'),
    },
    NODE,
  ],
};

const target = { key: digest('3'), user: 'alice', namespace: 'default', pod: 'web' };
const terminal = { container: 'main', stdin: true, stdout: true, stderr: false, tty: true };

/** The asks of a stream, each by its name. */
const asks: Record<string, object> = {
  logs: {
    ...{ kind: 'logs', ...target, uid: null, container: null, follow: true, previous: false },
    ...{ timestamps: true, tailLines: 10, sinceSeconds: null, sinceTime: null, limitBytes: null },
  },
  exec: { kind: 'exec', ...target, ...terminal },
  attach: { kind: 'attach', ...target, ...terminal },
  'port-forward': { kind: 'portForward', ...target, port: 8080 },
};

/** What does not fit, each a sentence. */
const badAsks: Record<string, [string, object]> = {
  'exec-argv': ['an exec that says its program in the open', { ...asks['exec'], command: ['sh'] }],
  'exec-no-key': ['an exec without a key', { ...asks['exec'], key: '' }],
  'exec-no-user': ['an exec by nobody', { ...asks['exec'], user: '' }],
  'port-zero': ['a port that is none', { ...asks['port-forward'], port: 0 }],
  'port-large': ['a port above 65535', { ...asks['port-forward'], port: 65_536 }],
  'unknown-kind': ['a command of a kind that nobody knows', { kind: 'reboot', ...target }],
  'pod-path': ['a pod whose name is a path', { ...asks['logs'], pod: '../web' }],
};

function vectors(): Record<string, WireVector> {
  const result: Record<string, WireVector> = {};
  const add = (name: string, vector: Omit<WireVector, 'envelope'> & { bytes: Uint8Array }) => {
    const { bytes, ...rest } = vector;
    result[name] = { ...rest, envelope: Buffer.from(bytes).toString() };
  };
  for (const [kind, [document, signer]] of Object.entries(documents) as [
    DocumentKind,
    [object, Signer],
  ][]) {
    add(`valid/${kind}`, {
      what: `a good ${kind}`,
      kind,
      bytes: seal(kind, document, [signer]),
      expect: 'accepted',
    });
    const wrong = signer === NODE ? HUB : NODE;
    add(`invalid/${kind}-wrong-role`, {
      what: `a ${kind} that the wrong role signed`,
      kind,
      bytes: seal(kind, document, [wrong]),
      expect: 'BadSignature',
    });
    add(`invalid/${kind}-unknown-field`, {
      what: `a ${kind} with a field that nobody knows`,
      kind,
      bytes: seal(kind, { ...document, zzz: 1 }, [signer]),
      expect: kind === 'bundle' ? 'MixMatch' : 'Malformed',
    });
    add(`invalid/${kind}-blank`, {
      what: `a ${kind} whose payload is not in canonical form`,
      kind,
      bytes: sealBytes(kind, Buffer.from(canonicalJson(document).replace('{', '{ ')), [signer]),
      expect: kind === 'bundle' ? 'MixMatch' : 'Malformed',
    });
    add(`invalid/${kind}-fleet`, {
      what: `a ${kind} of another fleet`,
      kind,
      bytes: seal(kind, { ...document, fleet: id('f') }, [signer]),
      expect: kind === 'bundle' ? 'MixMatch' : kind === 'root' ? 'BadRoot' : 'WrongFleet',
    });
  }
  const [command] = documents.command;
  for (const [name, ask] of Object.entries(asks)) {
    const bytes = seal('command', { ...command, ask }, [HUB]);
    add(`valid/command-${name}`, {
      what: `a good ${name}`,
      kind: 'command',
      bytes,
      expect: 'accepted',
    });
  }
  for (const [name, [what, ask]] of Object.entries(badAsks)) {
    const bytes = seal('command', { ...command, ask }, [HUB]);
    add(`invalid/command-${name}`, { what, kind: 'command', bytes, expect: 'Malformed' });
  }
  return result;
}

/** Keys and frames of one stream (`test/unit/streams/seal.test.ts`). */
function streamVectors(): object {
  const seed = (digit: string) => `${digit.repeat(62)}40`;
  const [hubPrivate, nodePrivate] = [seed('5'), seed('6')];
  const [hubKey, nodeKey] = [hubPrivate, nodePrivate].map(x25519);
  if (!hubKey || !nodeKey) throw new Error('no keys');
  const context = {
    ...{ fleet: FLEET, node: NODE_NAME, request: id('b'), command: digest('c') },
    ...{ hubKey: rawPublicKey(hubKey), nodeKey: rawPublicKey(nodeKey) },
  };
  const keys = streamKeys('hub', hubKey, context);
  if (!keys) throw new Error('no keys');
  const sealer = new FrameSealer(keys.toNode);
  const words: [number, Buffer][] = [
    [CHANNEL.begin, beginPayload({ window: WINDOW_BYTES, command: ['sh', '-c', 'echo hi'] })],
    [CHANNEL.stdin, Buffer.from('hello')],
    [CHANNEL.resize, resizePayload({ width: 80, height: 24 })],
    [CHANNEL.credit, creditPayload(4096)],
    [CHANNEL.close, Buffer.of(CHANNEL.stdin)],
    [CHANNEL.close, Buffer.alloc(0)],
  ];
  return {
    ...{ context, hubPrivate, nodePrivate },
    ...{ toNode: keys.toNode.toString('hex'), toHub: keys.toHub.toString('hex') },
    frames: words.map(([channel, payload]) => ({
      ...{ channel, payload: payload.toString('hex') },
      frame: sealer.seal(channel, payload).toString('hex'),
    })),
  };
}

function x25519(hex: string): KeyObject {
  const prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
  const key = Buffer.concat([prefix, Buffer.from(hex, 'hex')]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

const streams = join(import.meta.dirname, '../../../test/vectors/streams.json');
if (!existsSync(streams)) writeFileSync(streams, `${JSON.stringify(streamVectors(), null, 2)}\n`);

const folder = join(import.meta.dirname, '../../../test/vectors/wire');
for (const [name, vector] of Object.entries(vectors())) {
  const file = join(folder, `${name}.json`);
  mkdirSync(join(file, '..'), { recursive: true });
  if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(vector, null, 2)}\n`);
}
