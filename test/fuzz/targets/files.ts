/** Files of others: compressed blobs, keys, sealed Secrets, settings, plans, credentials. */
import { createECDH, createPrivateKey } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { ConfigError } from '../../../agent/config-error.js';
import { resolveConfig } from '../../../agent/config.js';
import { unpackBlob } from '../../../agent/intake/blobs.js';
import { formatDescription, parseDescription } from '../../../hub/backup/description.js';
import { connectionOf } from '../../../hub/cli/kubeconfig.js';
import { joiningKeyFault } from '../../../hub/enrolment/joining-keys.js';
import { keysNamedIn, parseRootPlan, RootPlanError } from '../../../hub/root/plan.js';
import { readRootFile, rootFileText } from '../../../hub/root/root-file.js';
import { formatHubConfig, parseHubConfig } from '../../../hub/setup/config.js';
import { SetupError } from '../../../hub/setup/setup-error.js';
import { decodeKey, encodeKey, publicKeyOfPem } from '../../../hub/signing/key-file.js';
import { openAge } from '../../../protocol/age.js';
import { sha256Hex } from '../../../protocol/canonical.js';
import { CliError } from '../../../protocol/cli-error.js';
import { bindingsFrom } from '../../../protocol/image-binding.js';
import { encodeLastWords, readLastWords } from '../../../protocol/last-words.js';
import {
  authsFor,
  CredentialsError,
  readDockercfg,
  readDockerConfigJson,
} from '../../../protocol/registry-credentials.js';
import { encodeSecretContent, readSecretContent } from '../../../protocol/secret-content.js';
import { FLEET, NODE, NODE_NAME } from '../../support/fleet.js';
import { CONTEXT, SEALING, secretContent } from '../../support/sealed.js';
import {
  ACCEPTED,
  answering,
  BrokenPromise,
  parsed,
  refused,
  same,
  type Outcome,
  type Target,
} from '../target.js';
import { wireVectors } from '../vectors.js';

const bytes = (...texts: readonly string[]) => texts.map(text => Buffer.from(text));

/** The first byte says how the rest is packed, and whether the content that is named is really that. */
function blob(input: Buffer): Outcome {
  const [how = 0] = input;
  // As it is published it has to fit into a message.
  const content = input.subarray(1, 100 * 1024);
  const name = { digest: sha256Hex(content), size: content.length };
  if (how % 4 === 3) {
    const raw = unpackBlob(content, { digest: 'a'.repeat(64), size: 4096 });
    if (raw.ok) throw new BrokenPromise('content of another digest is accepted');
    return refused(raw.refusal.detail);
  }
  const packed = [content, gzipSync(content), brotliCompressSync(content)][how % 4] ?? content;
  const spoilt = how >= 128 ? Buffer.concat([packed, Buffer.from([how])]) : packed;
  const result = unpackBlob(spoilt, how >= 64 && how < 128 ? { ...name, size: 1 } : name);
  if (result.ok) same('an unpacked blob', result.value.equals(content), true);
  else if (how < 64) throw new BrokenPromise(`an honest blob is refused: ${result.refusal.detail}`);
  return result.ok ? ACCEPTED : parsed(result.refusal.detail);
}

async function keyFile(input: Buffer): Promise<Outcome> {
  const text = input.toString('latin1');
  publicKeyOfPem(text);
  // A passphrase takes a second to try, and is asked for at a terminal.
  if (/AGE ENCRYPTED|aes|bcrypt/.test(text)) return refused('');
  const path = 'a.key';
  try {
    const key = await decodeKey(text, { path, ask: () => Promise.resolve('x') });
    same('a key', createPrivateKey(await encodeKey(key, null)).equals(key), true);
    return ACCEPTED;
  } catch (error) {
    if (error instanceof CliError) return refused(error.message);
    throw error;
  }
}

function secret(input: Buffer): Outcome {
  const result = readSecretContent(Buffer.from(input), CONTEXT);
  if (!result.ok) return refused(result.refusal.detail);
  same('the content of a Secret', encodeSecretContent(CONTEXT, result.value).equals(input), true);
  return ACCEPTED;
}

const WORDS_OF = { fleet: FLEET, node: NODE_NAME, namespace: 'default', name: 'shop' };
const WORDS = { digest: 'd'.repeat(64), pod: 'default/shop', container: 'app', text: 'no\n' };

function lastWords(input: Buffer): Outcome {
  const result = readLastWords(Buffer.from(input), WORDS_OF);
  if (!result.ok) return refused(result.refusal.detail);
  same('last words', encodeLastWords(WORDS_OF, result.value).equals(input), true);
  return ACCEPTED;
}

function rootFile(input: Buffer): Outcome {
  const text = input.toString();
  const result = readRootFile(text);
  if (!result.ok) return refused(result.refusal.detail);
  same('a file of a root', rootFileText(result.value).trim(), text.trim());
  return ACCEPTED;
}

const IMAGES = ['reg.io/team/web:1', 'busybox', `${'a'.repeat(63)}.${'a'.repeat(63)}.io/x`];

function credentials(input: Buffer): Outcome {
  const text = input.toString();
  const keyrings = [readDockerConfigJson, readDockercfg].flatMap(read => {
    try {
      return [read(text, 'secret')];
    } catch (error) {
      if (error instanceof CredentialsError) return [];
      throw error;
    }
  });
  for (const image of IMAGES) authsFor(image, keyrings);
  return keyrings.length === 0 ? refused('') : ACCEPTED;
}

function agentConfig(input: Buffer): Outcome {
  const file = { name: 'agent.yaml', text: input.toString() };
  const flags = { dataDir: '/var/lib/flotilla' };
  const { warnings } = resolveConfig({ flags, env: {}, file, hostname: 'edge', joinedAs: null });
  return { stage: 'accepted', message: warnings.join() };
}

function hubConfig(input: Buffer): Outcome {
  const config = parseHubConfig(input.toString(), 'hub.yaml');
  same('settings of a hub', parseHubConfig(formatHubConfig(config), 'hub.yaml'), config);
  return ACCEPTED;
}

function kubeconfig(input: Buffer): Outcome {
  const read = () => 'PEM';
  connectionOf({ text: input.toString(), path: 'kubeconfig', contextName: undefined, read });
  return ACCEPTED;
}

function description(input: Buffer): Outcome {
  const found = parseDescription(input.toString(), 'backup.tar.gz');
  same('a description', parseDescription(formatDescription(found), 'again'), found);
  return ACCEPTED;
}

/** What was bound is bound when the pod's file is read again. */
function imageBindings(input: Buffer): Outcome {
  const bindings = bindingsFrom(input.toString());
  const again = bindingsFrom(JSON.stringify(Object.fromEntries(bindings)));
  same('bindings', [...again], [...bindings]);
  return bindings.size === 0 ? refused('') : ACCEPTED;
}

function rootPlan(input: Buffer): Outcome {
  keysNamedIn(parseRootPlan(input.toString(), 'plan.yaml'));
  return ACCEPTED;
}

/** 32 bytes each and the key of TLS behind them, as hex and base64 say them. */
function joiningKeys(input: Buffer): Outcome {
  const fault = joiningKeyFault({
    ...{ node: 'edge-1', identityKey: input.subarray(0, 32).toString('hex') },
    sealingKey: input.subarray(32, 64).toString('hex'),
    tlsKey: input.subarray(64).toString('base64'),
  });
  return fault === null ? ACCEPTED : refused(fault);
}

const AGENT_YAML = `kind: AgentConfiguration
nodeName: edge-1
staticPodPath: /etc/manifests
staticPodURL: https://example.org/pods.yaml
staticPodURLHeader: {Authorization: [Bearer x]}
fileCheckFrequency: 20s
maxPods: 110
nodeLabels: {site: harbour}
apiListen: 127.0.0.1:10255
admission:
  bundle: {podSecurity: baseline, images: ["registry.example/*"], hostPaths: [{prefix: /dev}]}
`;
const KUBELET_YAML = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: /etc/kubernetes/manifests
authentication: &a {anonymous: {enabled: false}}
authorization: *a
clusterDNS: [10.96.0.10]
shutdownGracePeriod: 30s
crashLoopBackOff: {maxContainerRestartPeriod: 60s}
`;
const HUB_YAML = `listen: :8443
mqttListen: 127.0.0.1:8883
broker: mqtts://broker.example:8883
database: sqlite
advertise: {hub: "https://hub.example:8443", brokers: ["mqtts://broker.example:8883"]}
backup: {schedule: 0 3 * * *, directory: /backups, keep: 7, recipients: []}
`;
const KUBECONFIG = `apiVersion: v1
current-context: fleet
contexts: [{name: fleet, context: {cluster: c, user: u, namespace: shop}}]
clusters: [{name: c, cluster: {server: "https://hub:8443", certificate-authority-data: AAAA}}]
users: [{name: u, user: {client-certificate: a.crt, client-key-data: AAAA, token: t}}]
`;
const PLAN_YAML = `root: {threshold: 2, keys: [ann.pub, bob.pub]}
release:
  - {threshold: 1, keys: [ci.pub], bundles: ["shop-*"], scopes: [{nodes: 10, namespaces: [shop]}]}
secrets: {keys: [ann.pub]}
minAgent: 0.1.0
podsPerBundle: 10
`;
const DESCRIPTION = formatDescription({
  ...{ kind: 'full', madeAt: '2026-01-01T00:00:00.000Z', program: '0.1.0', fleet: 'f' },
  ...{ rootVersion: 1, files: [{ path: 'pki/ca.crt', size: 3, sha256: 'a'.repeat(64) }] },
});
const AUTHS = {
  auths: {
    'https://index.docker.io/v1/': { auth: Buffer.from('ann:pw').toString('base64') },
    '*.reg.io:5000/team': { username: 'bob', password: 'pw' },
    'a?a*a.*.io': { username: 'eve', password: 'pw' },
  },
};
/** One of each kind of key, made anew each time: their bytes are nothing that a choice depends on. */
function keySeeds(): Buffer[] {
  const ed25519 = createPrivateKey({
    key: Buffer.from(`302e020100300506032b657004220420${'07'.repeat(32)}`, 'hex'),
    ...{ format: 'der', type: 'pkcs8' },
  });
  return bytes(
    String(ed25519.export({ format: 'pem', type: 'pkcs8' })),
    '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB\n-----END OPENSSH PRIVATE KEY-----\n',
    '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n',
  );
}

/** SubjectPublicKeyInfo of a P-256 key up to the key (RFC 5480). */
const P256_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d030107034200';

function keysOfJoin(): Buffer {
  const tls = createECDH('prime256v1');
  tls.setPrivateKey(Buffer.alloc(32, 7));
  const raw = NODE.publicKey + SEALING.publicKey + P256_PREFIX + tls.getPublicKey('hex');
  return Buffer.from(raw, 'hex');
}

export async function targets(): Promise<Target[]> {
  const content = encodeSecretContent(CONTEXT, secretContent({ a: 'x', b: 'long one' }));
  const rootEnvelope = wireVectors().find(({ kind }) => kind === 'root')?.envelope ?? '';
  const draft = JSON.stringify({ ...(JSON.parse(rootEnvelope) as object), signatures: [] });
  const json = (value: unknown) => [Buffer.from(JSON.stringify(value))];
  const row = (
    name: string,
    form: Target['form'],
    rest: Pick<Target, 'seeds' | 'run' | 'share'>,
  ) => {
    return { name, form, ...rest };
  };
  const text = (name: string, seeds: readonly Buffer[], run: Target['run']) =>
    row(name, 'text', { seeds, run, share: 0.4 });
  return [
    row('file/blob', 'bytes', {
      seeds: bytes('\0one', '\x01two', '\x02three', '\x03\x1f\x8b'),
      run: blob,
    }),
    row('file/key', 'text', { seeds: keySeeds(), share: 0.5, run: keyFile }),
    row('file/age', 'bytes', {
      seeds: [],
      run: input => (openAge(input, [SEALING.key]) === null ? refused('') : ACCEPTED),
    }),
    row('file/last-words', 'json', {
      seeds: [encodeLastWords(WORDS_OF, WORDS)],
      run: lastWords,
    }),
    row('file/secret-content', 'bytes', { seeds: [content], run: secret }),
    row('file/root', 'json', { seeds: bytes(rootEnvelope, draft, 'null'), run: rootFile }),
    row('file/credentials', 'json', { seeds: json(AUTHS), run: credentials }),
    text(
      'file/agent-config',
      bytes(AGENT_YAML, KUBELET_YAML),
      answering([ConfigError], agentConfig),
    ),
    text('file/hub-config', bytes(HUB_YAML), answering([SetupError], hubConfig)),
    text('file/kubeconfig', bytes(KUBECONFIG), answering([CliError], kubeconfig)),
    text('file/root-plan', bytes(PLAN_YAML), answering([RootPlanError], rootPlan)),
    row('file/image-bindings', 'json', {
      seeds: json({ 'web:1': [`sha256:${'a'.repeat(64)}`], 'db:2': [] }),
      run: imageBindings,
    }),
    row('file/description', 'json', {
      seeds: bytes(DESCRIPTION),
      run: answering([SetupError], description),
    }),
    row('wire/joining-keys', 'bytes', { seeds: [keysOfJoin()], share: 0.2, run: joiningKeys }),
  ];
}
