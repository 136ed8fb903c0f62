/** The chain of roots: S06–S09, S12–S19. The attacker has what the row gives him of the root keys. */
import { setTimeout as delay } from 'node:timers/promises';
import { canonicalJson } from '../../../protocol/canonical.js';
import type { RequestDocument } from '../../../protocol/documents/node.js';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { seal } from '../../../protocol/envelope.js';
import { keyId, type Signer } from '../../../protocol/keys.js';
import type { RefusalCode } from '../../../protocol/refusal.js';
import { signer } from '../../support/fleet.js';
import { eventually } from '../../support/wait.js';
import { bundle, publishBundle, sealText } from '../../support/attacks/make.js';
import { endsAtTheBroker, refuses } from '../../support/attacks/refusal.js';
import { attacks } from '../../support/attacks/row.js';
import { NODE, STRANGER } from '../../support/attacks/cast.js';
import { podText } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';

/** Raw Ed25519 points of small order: with one as key, signatures verify that nobody made. */
const LOW_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

function successor({ root }: Victim, change: Partial<RootDocument> = {}): RootDocument {
  return { ...root, version: root.version + 1, issued: new Date().toISOString(), ...change };
}

/** Leaves the genuine root on the topic again. */
async function refusesRoot(
  victim: Victim,
  code: RefusalCode | readonly RefusalCode[],
  bytes: Buffer,
): Promise<void> {
  const topic = victim.topics.root();
  const genuine = victim.recorded.get(topic);
  await refuses(victim, { code, send: () => victim.publish(topic, bytes) });
  if (genuine) await victim.publish(topic, genuine);
}

const byRoot = (victim: Victim, document: unknown) =>
  sealText('root', canonicalJson(document), [victim.keys.root]);

async function oneKeyTwoIds(victim: Victim): Promise<void> {
  const { root, keys } = victim;
  const own = { ...root.keys, ['ab'.repeat(32)]: keys.root.publicKey };
  const role = { threshold: 2, keys: [keyId(keys.root.publicKey), 'ab'.repeat(32)] };
  const document = successor(victim, { keys: own, roles: { ...root.roles, root: role } });
  await refusesRoot(victim, 'BadRoot', byRoot(victim, document));
  const twice = { threshold: 2, keys: [keyId(keys.root.publicKey), keyId(keys.root.publicKey)] };
  const listed = successor(victim, { roles: { ...root.roles, root: twice } });
  await refusesRoot(victim, 'BadRoot', byRoot(victim, listed));
}

async function impossibleThresholds(victim: Victim): Promise<void> {
  const { root } = victim;
  for (const threshold of ['0', '-1', '1.5', '"2"', 'null', '2', '1e0', '9007199254740993']) {
    const text = canonicalJson(successor(victim)).replace(
      /("hub":\{"keys":\["[0-9a-f]{64}"\],"threshold":)1/,
      `$1${threshold}`,
    );
    if (!text.includes(`"threshold":${threshold}`)) throw new Error('the root has another form');
    const bytes = sealText('root', text, [victim.keys.root]);
    await refusesRoot(victim, ['BadRoot', 'Malformed'], bytes);
  }
  const role = { ...root.roles.hub, threshold: root.roles.hub.keys.length + 1 };
  const document = successor(victim, { roles: { ...root.roles, hub: role } });
  await refusesRoot(victim, 'BadRoot', byRoot(victim, document));
}

async function lowOrderKeys(victim: Victim): Promise<void> {
  const { root } = victim;
  for (const point of LOW_ORDER) {
    const id = keyId(point);
    const hub = { threshold: 1, keys: [...root.roles.hub.keys, id] };
    const keys = { ...root.keys, [id]: point };
    const document = successor(victim, { keys, roles: { ...root.roles, hub } });
    await refusesRoot(victim, 'BadKey', byRoot(victim, document));
  }
}

async function wrongSigners(victim: Victim): Promise<void> {
  const { root, keys } = victim;
  const fresh = signer('the next root key');
  const document = successor(victim, {
    keys: { ...root.keys, [keyId(fresh.publicKey)]: fresh.publicKey },
    roles: { ...root.roles, root: { threshold: 1, keys: [keyId(fresh.publicKey)] } },
  });
  const signedBy = (...signers: readonly Signer[]) => seal('root', document, signers);
  await refusesRoot(victim, 'BadSignature', signedBy(keys.root));
  await refusesRoot(victim, 'BadSignature', signedBy(fresh));
  await refusesRoot(victim, 'BadSignature', signedBy(keys.hub));
  await refusesRoot(victim, 'BadSignature', signedBy(keys.release, keys.hub, STRANGER));
  const both = { threshold: 2, keys: [keyId(keys.root.publicKey), keyId(fresh.publicKey)] };
  const short = { ...document, roles: { ...root.roles, root: both } };
  await refusesRoot(victim, 'BadSignature', seal('root', short, [keys.root]));
}

/** Whatever it asks for besides. */
function asksForRoot(victim: Victim, version: number): Promise<RequestDocument> {
  return eventually(`a request for root ${version}`, () =>
    victim.requests.find(({ want, rootVersion }) => want === 'root' && rootVersion === version),
  );
}

async function outOfOrder(victim: Victim): Promise<void> {
  const { root, keys, topics } = victim;
  const one = successor(victim);
  const two = { ...one, version: one.version + 1 };
  await victim.publish(topics.root(), seal('root', two, [keys.root]));
  await asksForRoot(victim, one.version);
  await victim.publish(topics.root(one.version), seal('root', one, [keys.root]));
  await victim.hasRoot(two);
  const older = seal('root', root, [keys.root]);
  await refusesRoot(victim, 'Rollback', older);
  const other = { ...two, issued: '2026-01-01T00:00:00.000Z' };
  await refusesRoot(victim, 'Equivocation', seal('root', other, [keys.root]));
}

/** Every version has other root keys than the one before. */
async function manyRoots(victim: Victim, count: number): Promise<void> {
  const { topics } = victim;
  let last = victim.root;
  let key = victim.keys.root;
  const made: { readonly document: RootDocument; readonly bytes: Buffer }[] = [];
  for (let i = 0; i < count; i++) {
    const next = i === count - 1 ? victim.keys.root : signer(`root key ${i}`);
    const { [keyId(key.publicKey)]: _, ...others } = last.keys;
    const document: RootDocument = {
      ...last,
      version: last.version + 1,
      keys: { ...others, [keyId(next.publicKey)]: next.publicKey },
      roles: { ...last.roles, root: { threshold: 1, keys: [keyId(next.publicKey)] } },
    };
    made.push({ document, bytes: seal('root', document, [key, next]) });
    [last, key] = [document, next];
  }
  for (const { document, bytes } of made)
    await victim.publish(topics.root(document.version), bytes);
  const newest = made.at(-1);
  if (newest) await victim.publish(topics.root(), newest.bytes);
  await victim.hasRoot(last);
}

async function endlessRoots(victim: Victim): Promise<void> {
  const filler = Object.fromEntries(
    Array.from({ length: 400 }, (_, i) => {
      const { publicKey } = signer(`filler ${i}`);
      return [keyId(publicKey), publicKey];
    }),
  );
  const bytes = (i: number) =>
    seal('root', { ...successor(victim), keys: filler, version: 1000 + i }, [STRANGER]);
  const topic = victim.topics.root();
  const genuine = victim.recorded.get(topic);
  await refuses(victim, {
    code: ['BadSignature', 'BadRoot', 'TooLarge'],
    send: async () => {
      for (let i = 0; i < 300; i++) await victim.publish(topic, bytes(i));
    },
  });
  if (genuine) await victim.publish(topic, genuine);
}

async function killedInTheChange(victim: Victim): Promise<void> {
  for (let i = 0; i < 8; i++) {
    const next = successor(victim);
    const envelope = seal('root', next, [victim.keys.root]);
    await victim.publish(victim.topics.root(next.version), envelope);
    await victim.publish(victim.topics.root(), envelope);
    await delay(i * 3);
    await victim.play.kill(NODE, 'SIGKILL');
    victim.play.startAgent(NODE);
    await victim.hasRoot(next);
    await victim.assign();
  }
}

/** The hub's key is replaced by the owner; the thief still has the old one. */
async function replaceHubKey(victim: Victim, change: Partial<RootDocument> = {}): Promise<Signer> {
  const old = victim.keys.hub;
  const fresh = signer(`hub key of root ${victim.root.version + 1}`);
  const { [keyId(old.publicKey)]: _, ...others } = victim.root.keys;
  await victim.publishRoot({
    keys: { ...others, [keyId(fresh.publicKey)]: fresh.publicKey },
    roles: { ...victim.root.roles, hub: { threshold: 1, keys: [keyId(fresh.publicKey)] } },
    ...change,
  });
  victim.keys = { ...victim.keys, hub: fresh };
  return old;
}

async function oldHubKey(victim: Victim): Promise<void> {
  const old = await replaceHubKey(victim);
  await victim.assign();
  const forged = victim.next({ generation: victim.current.generation + 1000, bundles: [] });
  await refuses(victim, {
    code: 'BadSignature',
    send: () => victim.publishAssignment(forged, [old]),
  });
}

async function fastForward(victim: Victim): Promise<void> {
  await victim.assign({
    generation: Number.MAX_SAFE_INTEGER,
    issued: '2099-01-01T00:00:00.000Z',
    notAfter: '2099-06-01T00:00:00.000Z',
  });
  const old = await replaceHubKey(victim, { epoch: victim.root.epoch + 1 });
  await victim.assign();
  const late = victim.next({ epoch: victim.root.epoch - 1, generation: Number.MAX_SAFE_INTEGER });
  await refuses(victim, {
    code: ['BadSignature', 'Rollback'],
    send: () => victim.publishAssignment(late, [old]),
  });
  // The year 2099 is forgotten with its epoch: what expires tomorrow is not expired.
  await victim.assign({ notAfter: new Date(Date.now() + 86_400_000).toISOString() });
}

async function loweredByRoot(victim: Victim): Promise<void> {
  await victim.publishRoot({ floors: { 'default/unused': 7 } });
  for (const change of [
    { floors: { 'default/unused': 6 } },
    { floors: {} },
    { epoch: victim.root.epoch - 1 },
  ]) {
    const bytes = seal('root', successor(victim, change), [victim.keys.root]);
    await refusesRoot(victim, 'Rollback', bytes);
  }
}

async function deniesTheRunning(victim: Victim): Promise<void> {
  const made = bundle(victim, { name: 'denied' }, [podText('denied')]);
  const { bundles } = victim.current;
  await publishBundle(victim, made);
  await victim.assign({ bundles: [...bundles, made.assigned] });
  await victim.isHealthy(made.assigned);
  const containers = victim.containers();
  await victim.publishRoot({ denied: [made.assigned.digest] });
  const status = await eventually('a condition RevokedRunning', () =>
    victim.statuses.findLast(s => s.conditions.some(c => c.type === 'RevokedRunning')),
  );
  const said = status.conditions.find(c => c.type === 'RevokedRunning');
  if (said?.status !== 'True') throw new Error(`RevokedRunning is ${said?.status}`);
  if (victim.containers().join() !== containers.join()) throw new Error('it was stopped');
  await victim.assign({ bundles });
  await victim.isGone(made.assigned);
  const again = victim.next({ bundles: [...bundles, made.assigned] });
  await refuses(victim, { code: 'Denied', send: () => victim.publishAssignment(again) });
}

attacks('the chain of roots', [
  {
    id: 'S06',
    title: 'one key under two ids, or listed twice',
    run: async stage => oneKeyTwoIds(await stage.open()),
  },
  {
    id: 'S07',
    title: 'thresholds that are none',
    run: async stage => impossibleThresholds(await stage.open()),
  },
  {
    id: 'S08',
    title: 'one key in two roles',
    run: async stage => {
      const victim = await stage.open();
      const { roles } = victim.root;
      const hub = { threshold: 1, keys: [keyId(victim.keys.release.publicKey)] };
      const bytes = byRoot(victim, successor(victim, { roles: { ...roles, hub } }));
      await refusesRoot(victim, 'BadRoot', bytes);
    },
  },
  {
    id: 'S09',
    title: 'keys of small order',
    run: async stage => lowOrderKeys(await stage.open()),
  },
  {
    id: 'S12',
    title: 'a root signed by old keys alone, new alone, the hub, one short',
    run: async stage => wrongSigners(await stage.open()),
  },
  {
    id: 'S13',
    title: 'a root too far ahead, an older one, another of the same version',
    run: async stage => {
      await outOfOrder(await stage.open());
      const guarded = await stage.guarded();
      const bytes = seal('root', successor(guarded), [guarded.keys.root]);
      await endsAtTheBroker(guarded, () => guarded.publish(guarded.topics.root(), bytes));
    },
  },
  {
    id: 'S14',
    title: '300 genuine roots at once; an endless stream of big ones',
    isBroker: true,
    run: async stage => {
      const victim = await stage.open();
      if (!victim.isGuarded) await manyRoots(victim, 300);
      await endlessRoots(victim);
    },
  },
  {
    id: 'S15',
    title: 'killed at every moment of a root change',
    run: async stage => killedInTheChange(await stage.open()),
  },
  {
    id: 'S16',
    title: 'the old hub key after a rotation',
    run: async stage => oldHubKey(await stage.open()),
  },
  {
    id: 'S17',
    title: 'fast-forward to the last number and the year 2099, then recovery by epoch',
    run: async stage => fastForward(await stage.open()),
  },
  {
    id: 'S18',
    title: 'a root that lowers epoch or floor',
    run: async stage => loweredByRoot(await stage.open()),
  },
  {
    id: 'S19',
    title: 'a root that denies what runs',
    run: async stage => deniesTheRunning(await stage.open()),
  },
]);
