/** Parsers and sizes: S40–S50. Bytes that no honest program would send, signed by whoever the row gives the attacker. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import assert from 'node:assert/strict';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { packed, seal } from '../../../protocol/envelope.js';
import type { RefusalCode } from '../../../protocol/refusal.js';
import { bundle, publishBundle, sealText, spoilt } from '../../support/attacks/make.js';
import { refuses, refusesBundle } from '../../support/attacks/refusal.js';
import { attacks, type Stage } from '../../support/attacks/row.js';
import { NODE } from '../../support/attacks/cast.js';
import { podText } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';

const MIB = 1024 * 1024;

/** The hub's key signs exactly this text in place of an assignment. */
function signs(victim: Victim, text: string | Buffer, code: RefusalCode = 'Malformed') {
  return arrives(victim, sealText('assignment', text, [victim.keys.hub]), code);
}

/** In place of an assignment, whoever made it. */
function arrives(victim: Victim, bytes: Buffer, code: RefusalCode = 'Malformed') {
  const topic = victim.topics.node(NODE, 'assignment');
  return refuses(victim, { code, send: () => victim.publish(topic, bytes) });
}

const nextText = (victim: Victim) => canonicalJson(victim.next());
const nextEnvelope = (victim: Victim) => seal('assignment', victim.next(), [victim.keys.hub]);

/** The text with one thing in it replaced; throws where there is nothing to replace. */
function replaced(text: string, what: string | RegExp, by: string): string {
  const changed = text.replace(what, by);
  assert.notEqual(changed, text, `nothing to replace: ${String(what)}`);
  return changed;
}

async function tooLarge(victim: Victim): Promise<void> {
  const { topics } = victim;
  const large = Buffer.alloc(119 * 1024, 'x');
  for (const topic of [topics.root(), topics.node(NODE, 'assignment')]) {
    const genuine = victim.recorded.get(topic);
    const envelope = Buffer.from(
      canonicalJson({
        payload: large.toString('base64').slice(0, 118_000),
        payloadType: topic,
        signatures: [],
      }),
    );
    await refuses(victim, { code: 'TooLarge', send: () => victim.publish(topic, envelope) });
    if (genuine && topic === topics.root()) await victim.publish(topic, genuine);
  }
  // Signed by the hub, and one byte above what an assignment may have.
  const document = { ...victim.next(), parameters: { filler: '' } };
  const room = 64 * 1024 + 1 - Buffer.byteLength(canonicalJson(document));
  const filled = { ...document, parameters: { filler: 'x'.repeat(room) } };
  await signs(victim, canonicalJson(filled), 'TooLarge');
}

async function bombs(victim: Victim): Promise<void> {
  await arrives(victim, gzipSync(nextEnvelope(victim)));
  const bomb = gzipSync(Buffer.alloc(50 * MIB));
  await arrives(victim, bomb);
  const packedNext = packed('assignment', nextEnvelope(victim));
  const head = packedNext.subarray(0, 3 + 'assignment'.length + 96);
  const deflated = deflateRawSync(Buffer.alloc(50 * MIB), { level: 9 });
  await arrives(victim, Buffer.concat([head, deflated]), 'TooLarge');
  const made = bundle(victim, { name: 'bomb' });
  const [manifest] = made.document.manifests;
  await refusesBundle(victim, made.assigned, {
    code: ['TooLarge', 'Malformed', 'MixMatch'],
    send: async () => {
      await publishBundle(victim, made);
      await victim.publish(victim.topics.blob(manifest?.digest ?? ''), bomb);
    },
  });
}

async function prototypes(victim: Victim): Promise<void> {
  for (const key of ['"__proto__"', '"constructor"', '"prototype"', '"\\u005f_proto__"']) {
    await signs(victim, replaced(nextText(victim), '"parameters":{}', `"parameters":{${key}:"x"}`));
    await signs(victim, replaced(nextText(victim), /^\{/, `{${key}:{"x":1},`));
    const text = replaced(nextEnvelope(victim).toString(), /^\{/, `{${key}:{"x":1},`);
    await arrives(victim, Buffer.from(text));
  }
  const pod = podText('prey');
  const metadata = '{"labels":{"__proto__":"x"},"name":"prey","namespace":"default"}';
  const text = replaced(canonicalJson(pod), /"metadata":\{[^}]*\}/, `"metadata":${metadata}`);
  await manifestIs(victim, 'proto', text, 'Malformed');
}

/** A properly signed bundle whose only manifest is this text. */
async function manifestIs(
  victim: Victim,
  name: string,
  text: string | Buffer,
  code: RefusalCode | readonly RefusalCode[],
): Promise<void> {
  const digest = sha256Hex(text);
  const size = Buffer.byteLength(text);
  const manifests = [{ kind: 'Pod' as const, name: 'prey', digest, size, parts: [] }];
  const made = bundle(victim, { name, manifests }, []);
  const bytes = Buffer.from(text);
  const send = async () => {
    await publishBundle(victim, made);
    await victim.publish(victim.topics.blob(digest), size > 64 * 1024 ? gzipSync(bytes) : bytes);
  };
  await refusesBundle(victim, made.assigned, { code, send });
}

async function oddNumbers(victim: Victim): Promise<void> {
  for (const number of [
    '1e400',
    '9007199254740993',
    '-0',
    '-1',
    '1.0',
    '1.5',
    '1e3',
    '"7"',
    'null',
  ]) {
    const text = replaced(nextText(victim), /"generation":\d+/, `"generation":${number}`);
    await signs(victim, text);
  }
}

async function looseBase64(victim: Victim): Promise<void> {
  const spoil = (change: (text: string) => string) =>
    arrives(
      victim,
      spoilt(nextEnvelope(victim), e => ({
        ...e,
        signatures: e.signatures.map(s => ({ ...s, sig: change(s.sig) })),
      })),
    );
  await spoil(sig => sig.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''));
  await spoil(sig => `${sig.slice(0, 8)} ${sig.slice(8)}`);
  await spoil(sig => sig.replace(/.==$/, last => `${last[0] === 'B' ? 'C' : 'B'}==`));
  await spoil(sig => sig.replace(/=+$/, ''));
  await spoil(sig => `${sig}!!x`);
}

async function oddText(victim: Victim): Promise<void> {
  const text = nextText(victim);
  const at = text.indexOf('"parameters":{}') + '"parameters":{'.length;
  const withBytes = (bytes: readonly number[]) =>
    Buffer.concat([
      Buffer.from(`${text.slice(0, at)}"a":"`),
      Buffer.from(bytes),
      Buffer.from(`"${text.slice(at)}`),
    ]);
  await signs(victim, withBytes([0xc3, 0x28]));
  await signs(victim, withBytes([0xed, 0xa0, 0x80]));
  await signs(victim, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]));
  await signs(victim, replaced(text, '"parameters":{}', '"parameters":{"a":"\\ud800"}'));
  await signs(victim, replaced(text, `"node":"${NODE}"`, `"node":"${NODE}\\u0000"`));
  await signs(victim, `${text}\n`);
  await signs(victim, ` ${text}`);
}

async function yamlAtTheTool({ play }: Victim): Promise<void> {
  const alias = Array.from({ length: 30 }, (_, i) =>
    i === 0 ? 'a0: &a0 [x, x]' : `a${i}: &a${i} [*a${i - 1}, *a${i - 1}, *a${i - 1}]`,
  );
  const head = 'apiVersion: v1\nkind: Pod\nmetadata: {name: prey}\n';
  const texts: readonly [string, string][] = [
    ['an alias bomb', `${head}spec:\n${alias.map(line => `  ${line}\n`).join('')}`],
    ['deep nesting', `${head}spec: ${'['.repeat(100_000)}`],
    ['a custom tag', `${head}spec: !!js/function "x"\n`],
    ['a merge key', `${head}x: &x {a: 1}\nspec: {<<: *x}\n`],
    ['two documents of one name', `${head}---\n${head}`],
  ];
  for (const [what, text] of texts) {
    const file = play.write('evil.yaml', text);
    const rest = ['--bundle', 'evil', '--all-nodes', '--dry-run=client'];
    const { code, stderr } = await play.flotilla('apply', '-f', file, ...rest);
    assert.equal(code, 2, `${what}: exit ${code}: ${stderr}`);
    assert.match(stderr, /evil\.yaml/, `${what}: says where: ${stderr}`);
  }
}

async function tooMany(victim: Victim): Promise<void> {
  const many = Array.from({ length: 600 }, (_, i) => podText(`p-${i}`));
  const big = bundle(victim, { name: 'many' }, many);
  await refusesBundle(victim, big.assigned, {
    code: ['TooLarge', 'Malformed', 'MixMatch'],
    send: () => victim.publish(victim.topics.blob(big.assigned.digest), big.envelope()),
  });
  const annotated = { ...podText('prey') };
  annotated['metadata'] = {
    annotations: { a: 'x'.repeat(MIB) },
    name: 'prey',
    namespace: 'default',
  };
  await manifestIs(victim, 'wide', canonicalJson(annotated), ['TooLarge', 'Malformed', 'MixMatch']);
  const env = Array.from({ length: 10_000 }, (_, i) => ({ name: `E${i}`, value: 'x' }));
  const containers = Array.from({ length: 1000 }, (_, i) => ({ image: 'x', name: `c${i}` }));
  for (const [name, spec] of [
    ['env', { containers: [{ env, image: 'x', name: 'c' }] }],
    ['crowd', { containers }],
  ] as const) {
    const text = canonicalJson(podText('prey', spec));
    await manifestIs(victim, name, text, ['TooLarge', 'Malformed', 'MixMatch', 'Policy']);
  }
}

const open = (run: (victim: Victim) => Promise<unknown>) => async (stage: Stage) => {
  await run(await stage.open());
};

attacks('parsers and sizes', [
  {
    id: 'S40',
    title: 'documents one byte above their limit',
    isBroker: true,
    run: open(tooLarge),
  },
  { id: 'S41', title: 'compressed envelopes, bombs in blobs', isBroker: true, run: open(bombs) },
  {
    id: 'S42',
    title: '50,000 nested brackets in envelope and payload',
    isBroker: true,
    run: open(async victim => {
      await arrives(victim, Buffer.from('['.repeat(50_000)));
      await signs(victim, '['.repeat(50_000));
      await signs(victim, `${'['.repeat(25_000)}${']'.repeat(25_000)}`);
    }),
  },
  {
    id: 'S43',
    title: 'a validly signed payload with a key twice',
    run: open(victim => signs(victim, replaced(nextText(victim), /^\{/, '{"node":"edge-2",'))),
  },
  { id: 'S44', title: 'names of prototypes as keys', run: open(prototypes) },
  { id: 'S45', title: 'numbers that are no counters', run: open(oddNumbers) },
  { id: 'S46', title: 'base64 in other spellings', isBroker: true, run: open(looseBase64) },
  {
    id: 'S47',
    title: 'text that is no UTF-8, byte-order marks, lone surrogates, NUL',
    run: open(oddText),
  },
  { id: 'S48', title: 'YAML bombs at the signing tool', run: open(yamlAtTheTool) },
  {
    id: 'S49',
    title: 'YAML inside a release',
    run: open(victim =>
      manifestIs(
        victim,
        'yaml',
        'apiVersion: v1\nkind: Pod\nmetadata:\n  name: prey\n',
        'Malformed',
      ),
    ),
  },
  { id: 'S50', title: '10,000 of anything', run: open(tooMany) },
]);
