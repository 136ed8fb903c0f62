/** What registries, kubelets, engines, probes and brokers answer, and the bytes that come before anything is read. */
import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { pinnedAuthorities } from '../../../agent/membership/hub-tls.js';
import { reportsOf } from '../../../agent/pods/kubelet-pods.js';
import { servingStatus } from '../../../agent/probes/grpc.js';
import { frameReader } from '../../../agent/runtime/docker-logs.js';
import { answersIn } from '../../../hub/broker/dynamic-security-answers.js';
import { decideSecurity } from '../../../hub/broker/dynamic-security-decide.js';
import { readAnswer } from '../../../hub/registry/pin.js';
import { sha256Hex } from '../../../protocol/canonical.js';
import { PacketGuard } from '../../../protocol/packet-guard.js';
import {
  beginPayload,
  creditPayload,
  readBegin,
  readCredit,
  readResize,
  readStatus,
  resizePayload,
  statusPayload,
} from '../../../protocol/stream-frames.js';
import { topicsOf } from '../../../protocol/topics.js';
import { FLEET } from '../../support/fleet.js';
import {
  ACCEPTED,
  answering,
  BrokenPromise,
  refused,
  same,
  type Outcome,
  type Target,
} from '../target.js';
import { corpusOf } from '../vectors.js';

/** A stream read whole and in two pieces gives the same. */
function inPieces<T>(input: Buffer, read: (chunks: readonly Buffer[]) => T): T {
  const whole = read([input]);
  const cut = (input[0] ?? 0) % (input.length + 1);
  const pieces = read([input.subarray(0, cut), input.subarray(cut)]);
  if (!isDeepStrictEqual(pieces, whole)) throw new BrokenPromise('in two pieces it is another one');
  return whole;
}

function registry(input: Buffer): Outcome {
  const answer = readAnswer(input.toString(), 'application/vnd.oci.image.index.v1+json');
  return answer.is === 'unknown' ? refused(answer.type) : ACCEPTED;
}

/** A sentence is declared, the engine's own words are not. */
function kubeletPods(input: Buffer): Outcome {
  try {
    reportsOf(input);
    return ACCEPTED;
  } catch (error) {
    if ((error as Error).constructor === Error) return refused((error as Error).message);
    throw error;
  }
}

function engineFrames(input: Buffer): Outcome {
  const out = inPieces(input, chunks => Buffer.concat(chunks.map(frameReader())));
  if (out.length > input.length) throw new BrokenPromise('more output than came');
  return out.length === 0 ? refused('') : ACCEPTED;
}

/** Of an authority that is pinned. */
const CERTIFICATES = corpusOf('answer/authorities').map(String);
const PINS = CERTIFICATES.map(pem => {
  const { publicKey } = new X509Certificate(pem);
  return sha256Hex(publicKey.export({ type: 'spki', format: 'der' }));
});

function authorities(input: Buffer): Outcome {
  const found = pinnedAuthorities(input.toString('latin1'), PINS);
  for (const pem of found) same('a pinned authority', pinnedAuthorities(pem, PINS), [pem]);
  return found.length > 0 ? ACCEPTED : refused('');
}

/** What the broker lists, and what the hub would do about it. */
function dynamicSecurity(input: Buffer): Outcome {
  const answers = answersIn(input);
  for (const { data, error = '', command = '' } of answers) {
    if ((error + command).length > 600) throw new BrokenPromise('an error without a bound');
    if (data === undefined) continue;
    const { clients, roles, acls } = data;
    decideSecurity(
      {
        clients: new Map(clients.map(client => [client.username, client])),
        roles: new Set(roles),
        shared: new Map([['flotilla-nodes', acls]]),
      },
      new Set(['edge-1']),
      topicsOf(FLEET),
    );
  }
  return answers.length > 0 ? ACCEPTED : refused('');
}

/** The first byte says which; what is read is written and read again the same. */
function streamFrames(input: Buffer): Outcome {
  const payload = input.subarray(1);
  const kinds = [
    [readBegin, beginPayload],
    [readCredit, creditPayload],
    [readResize, resizePayload],
    [readStatus, statusPayload],
  ] as const;
  const [read, write] = kinds[(input[0] ?? 0) % kinds.length] ?? kinds[0];
  const value = read(payload);
  if (value === null) return refused('');
  const again = read((write as (value: unknown) => Buffer)(value));
  // Of a message a part is sent.
  if (payload.length < 4096) same('a frame of a stream', again, value);
  return ACCEPTED;
}

/** As the standard has it: a fixed header, a length of one to four bytes, that many bytes. */
function isWithin(input: Buffer, bytesMax: number): boolean {
  for (let at = 0; at < input.length;) {
    let length = 0;
    let digit = 0;
    for (at += 1; ; digit += 1) {
      if (at >= input.length) return true;
      if (digit === 4) return false;
      const byte = input[at++] ?? 0;
      length += (byte & 127) * 128 ** digit;
      if (byte < 128) break;
      if (digit === 3) return false;
    }
    if (length > bytesMax) return false;
    at += length;
  }
  return true;
}

function guard(input: Buffer): Outcome {
  const admits = inPieces(input, chunks => {
    const packets = new PacketGuard(1000);
    return chunks.map(chunk => packets.admits(chunk)).every(Boolean);
  });
  same('what the guard lets through', admits, isWithin(input, 1000));
  return admits ? ACCEPTED : refused('');
}

const digest = `sha256:${'a'.repeat(64)}`;
const INDEX = {
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [{ digest, platform: { os: 'linux', architecture: 'arm64' } }],
};
const MANIFEST = {
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { digest },
};
const POD_LIST = {
  ...{ kind: 'PodList', apiVersion: 'v1' },
  items: [
    {
      metadata: {
        name: 'a',
        namespace: 'b',
        annotations: { 'kubernetes.io/config.source': 'file' },
      },
    },
  ],
};
const CLIENTS = {
  command: 'listClients',
  correlationData: '1',
  data: {
    totalCount: 2,
    clients: [
      { username: 'edge-1', textname: 'x', roles: [{ rolename: 'flotilla-nodes' }], groups: [] },
      { username: 'edge-2', roles: [{ rolename: 'flotilla-node-edge-2' }] },
    ],
  },
};
const ACL = { acltype: 'publishClientSend', topic: 'a/#', priority: 0, allow: true };
const RESPONSES = [
  CLIENTS,
  { command: 'listRoles', data: { totalCount: 1, roles: ['flotilla-node-edge-3'] } },
  { command: 'getRole', data: { role: { rolename: 'flotilla-nodes', acls: [ACL] } } },
  { command: 'createRole', error: 'Role already exists' },
];

export function targets(): Target[] {
  const json = (...values: readonly unknown[]) =>
    values.map(value => Buffer.from(JSON.stringify(value)));
  const hex = (...texts: readonly string[]) => texts.map(text => Buffer.from(text, 'hex'));
  return [
    {
      ...{ name: 'answer/registry', form: 'json', seeds: json(INDEX, MANIFEST) },
      run: registry,
    },
    { name: 'answer/kubelet', form: 'json', seeds: json(POD_LIST), run: kubeletPods },
    {
      ...{ name: 'answer/dynamic-security', form: 'json' },
      seeds: json({ responses: RESPONSES }, { responses: [] }),
      run: dynamicSecurity,
    },
    {
      ...{ name: 'answer/engine-frames', form: 'bytes' },
      seeds: hex('01000000000000036162630200000000000001'),
      run: engineFrames,
    },
    {
      ...{ name: 'answer/grpc', form: 'bytes', seeds: hex('0801', '12036162630802') },
      run: answering([RangeError], input => {
        servingStatus(input);
        return ACCEPTED;
      }),
    },
    { ...{ name: 'answer/authorities', form: 'text', share: 0.4 }, seeds: [], run: authorities },
    {
      ...{ name: 'wire/stream-frames', form: 'bytes' },
      seeds: [
        beginPayload({ window: 1024, command: ['sh', '-c', 'x'] }),
        creditPayload(1024),
        resizePayload({ width: 80, height: 24 }),
        statusPayload({
          ...{ status: 'Failure', reason: 'NonZeroExitCode', message: 'm', code: 500 },
          details: { causes: [{ reason: 'ExitCode', message: '1' }] },
        }),
      ].map((payload, kind) => Buffer.concat([Buffer.from([kind]), payload])),
      run: streamFrames,
    },
    {
      ...{ name: 'wire/packets', form: 'bytes' },
      seeds: hex('100c00044d5154540402003c0000c000', '30ffffff7f'),
      run: guard,
    },
  ];
}
