/**
 * A person's word on who belongs to the fleet: lets waiting devices in, and shuts devices out
 * (security.md 3.2, S72). One transaction each; a revoked node's live session is cut afterwards, and
 * the broker, the renewal and the ingest ask the same record.
 */
import { keyId } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import type { Door } from './door.js';
import { nodeCertificate } from './answer.js';
import { withIdentity } from './node-object.js';
import type { JoinOptions } from './join.js';
import { hubEventDraft } from '../ingest/mirror.js';
import type { NodeObject } from '../objects.js';
import { readableBy } from '../secrets/readable.js';
import { RequestError, type Readable, type Standing } from '../ports.js';
import { assignmentOf } from '../rollout/director.js';
import type { Actor, IdentityRecord, Mutation } from '../store/store.js';

export interface StandingOptions extends JoinOptions {
  /** Cuts the node's live connections at the broker; one that has none is no error. */
  readonly disconnect: (node: string) => void;
  /** True: it cannot, the broker is one that the hub does not tell who belongs to the fleet. */
  readonly sessionsLive?: boolean;
}

export function standingOf(options: StandingOptions, door: Door): Standing {
  return {
    approve: (actor, asked) => door.turn(() => approve(options, actor, asked)),
    revoke: async (actor, { name }) => {
      const readable = await door.turn(() => revoke(options, actor, name));
      options.disconnect(name);
      return options.sessionsLive === true ? { ...readable, sessionLives: true } : readable;
    },
  };
}

async function approve(
  options: StandingOptions,
  actor: Actor,
  { name, key }: { readonly name: string; readonly key: string | null },
): Promise<void> {
  const { object, identity } = await found(options, name);
  const own = keyId(identity.identityKey);
  if (key !== null && key !== own) {
    throw new RequestError(
      'Conflict',
      `node ${name} has the key sha256:${own}, not sha256:${key}: another device may have taken ` +
        `the name; if so, run \`flotilla node revoke ${name}\``,
    );
  }
  if (identity.state === 'revoked') {
    throw new RequestError('Conflict', `node ${name} is revoked: it has to join with a new token`);
  }
  if (identity.state === 'active' && identity.suspectedAt === null) return;
  const certificate = identity.certificate || (await nodeCertificate(options, identity));
  const record: IdentityRecord = { ...identity, certificate, state: 'active', suspectedAt: null };
  const what = identity.state === 'pending' ? 'let in' : 'cleared of the suspicion to be cloned';
  const said = { type: 'Normal', reason: 'NodeApproved', message: `${what} by ${actor.name}` };
  await write(options, { actor, object, identity, record, said });
}

async function revoke(options: StandingOptions, actor: Actor, name: string): Promise<Readable> {
  const { store, hub } = options;
  const { object, identity } = await found(options, name);
  const assignment = await store.assignment(name);
  const content = assignment ? assignmentOf(assignment) : null;
  const bundles = (content?.bundles ?? []).map(bundle => {
    const { namespace, name: bundleName, revision } = bundle;
    return { namespace, name: bundleName, revision };
  });
  const shutOut = async () => ({ bundles, secrets: await readableBy(store, name) });
  if (identity.state === 'revoked') return shutOut();
  const record: IdentityRecord = { ...identity, state: 'revoked', suspectedAt: null };
  const topic = topicsOf(hub.root.document.fleet).node(name, 'assignment');
  const reporters = await store.reporters(name);
  const also: Mutation[] = [
    { type: 'publish', topic, payload: null },
    ...reporters.map(reporter => {
      return { type: 'reporter', record: { ...reporter, online: false } } as const;
    }),
  ];
  const message = `shut out by ${actor.name}; its name is free for a device with a new token`;
  const said = { type: 'Warning', reason: 'NodeRevoked', message };
  await write(options, { actor, object, identity, record, said, also });
  return shutOut();
}

async function found({ store }: StandingOptions, name: string) {
  const object = (await store.get('Node', '', name)) as NodeObject | null;
  const identity = await store.identity(name);
  if (object && identity) return { object, identity };
  throw new RequestError('NotFound', `nodes "${name}" not found`);
}

interface Change {
  readonly actor: Actor;
  readonly object: NodeObject;
  readonly identity: IdentityRecord;
  readonly record: IdentityRecord;
  readonly said: { readonly type: string; readonly reason: string; readonly message: string };
  readonly also?: readonly Mutation[];
}

async function write({ store, clock, log }: StandingOptions, change: Change): Promise<void> {
  const { actor, object, identity, record, said, also = [] } = change;
  const { name: node, resourceVersion } = object.metadata;
  const now = new Date(clock.now()).toISOString();
  const type = said.type === 'Normal' ? 'Normal' : 'Warning';
  const { reason, message } = said;
  const event = hubEventDraft({ node, type, reason, message, now });
  await store.commit(actor, [
    { type: 'identity', expect: identity, record },
    { type: 'put', object: withIdentity(object, record, now), expect: { resourceVersion } },
    { type: 'put', object: event, expect: 'any' },
    ...also,
  ]);
  log.info('the standing of a node changed', { node, reason, by: actor.name });
}
