/**
 * The hub's TLS authority, replaced in phases (security.md 1.7): the next one is made; a root pins both, and every node gets a
 * certificate of the next; the servers show the next; a root pins it alone. Each phase is durable by itself and each call goes on
 * from where things stand. Where the root keys are elsewhere, the two roots are made there.
 */
import { RequestError, type Rotation, type RotationRequest } from '../ports.js';
import { heldKeys } from '../setup/held-keys.js';
import { installNextTls, makeNextTls, settleTls } from '../setup/next-tls.js';
import { pinOf } from '../setup/pki.js';
import type { Actor } from '../store/store.js';
import type { RootChanges } from './edit.js';
import { signsRoots } from './root-status.js';
import type { RootParts } from './roots.js';
import { tlsChangeOf, type TlsChange } from './tls-change.js';

const SHOWN = 20;

export interface RotateTlsParts extends RootParts {
  /** A root of this hub's keys; its version. */
  readonly step: (
    actor: Actor,
    changes: Omit<RootChanges, 'issued' | 'expires'>,
  ) => Promise<number>;
}

/** Throws `RequestError` (Conflict) with what is awaited. To be called with the turn of roots. */
export async function rotateTls(
  parts: RotateTlsParts,
  actor: Actor,
  { finish = false, force = false }: RotationRequest,
): Promise<Rotation> {
  const roots: number[] = [];
  if (finish) await finishChange(parts, actor, { force, roots });
  else await beginChange(parts, actor, roots);
  return { key: null, roots, dropped: [], tls: await changeOf(parts) };
}

async function changeOf({ store, live }: RotateTlsParts): Promise<TlsChange | null> {
  return tlsChangeOf(live.now(), await store.identities());
}

function signs({ live }: RotateTlsParts): boolean {
  return signsRoots(live.root().document, heldKeys(live.now().dataDir));
}

async function beginChange(parts: RotateTlsParts, actor: Actor, roots: number[]): Promise<void> {
  const { live, random, log } = parts;
  if (!tlsChangeOf(live.now(), [])) {
    await makeNextTls(live.now(), random);
    const hub = live.reload();
    settleTls(hub);
    const pin = hub.nextTls && pinOf(hub.nextTls.authority.certificate);
    log.info('the next TLS authority was made', { pin, by: actor.name });
  }
  const { nextTls } = live.now();
  if (tlsChangeOf(live.now(), [])?.phase !== 'prepared' || !nextTls) return;
  await refuseUnreadyBroker(parts);
  if (!signs(parts)) return;
  const addTlsPins = [pinOf(nextTls.authority.certificate)];
  roots.push(await parts.step(actor, { addTlsPins }));
}

/** A broker of one's own that does not take certificates of the next authority would shut out every node that has one. */
export async function refuseUnreadyBroker({
  live,
  brokerFault,
}: Pick<RootParts, 'live' | 'brokerFault'>): Promise<void> {
  const fault = await brokerFault('next');
  if (fault === null) return;
  const { config, dataDir } = live.now();
  throw new RequestError(
    'Conflict',
    `the broker ${config.broker} does not take certificates of the next authority yet (${fault}): ` +
      `have it trust ${dataDir}/broker/ca.crt as it is now, then do this again`,
  );
}

async function finishChange(
  parts: RotateTlsParts,
  actor: Actor,
  { force, roots }: { readonly force: boolean; readonly roots: number[] },
): Promise<void> {
  const { live, log, onKeysChanged } = parts;
  const change = await changeOf(parts);
  if (!change) throw new RequestError('Conflict', 'the TLS authority is not being changed');
  const { version } = live.root().document;
  if (change.phase === 'prepared') {
    const why = `root ${version} does not pin the next authority (${change.nextPin}) yet`;
    throw new RequestError('Conflict', `${why}: nodes would not know it`);
  }
  if (change.phase === 'announced') {
    if (!force) refuseBehind(change);
    installNextTls(live.now().dataDir);
    settleTls(live.reload());
    onKeysChanged();
    log.info('the servers show certificates of the next TLS authority', { by: actor.name });
  }
  await refuseFormerBroker(parts);
  if (signs(parts)) roots.push(await parts.step(actor, { removeTlsPins: [change.formerPin] }));
}

function refuseBehind({ nodes: { total, behind } }: TlsChange): void {
  if (behind.length === 0) return;
  const more = behind.length > SHOWN ? ` and ${behind.length - SHOWN} more` : '';
  throw new RequestError(
    'Conflict',
    `${behind.length} of ${total} nodes have no certificate of the next authority yet: ` +
      `${behind.slice(0, SHOWN).join(', ')}${more}; wait for them, or use --force: they come back over HTTPS`,
  );
}

async function refuseFormerBroker({ live, brokerFault }: RotateTlsParts): Promise<void> {
  const fault = await brokerFault('current');
  if (fault === null) return;
  const { config, dataDir } = live.now();
  throw new RequestError(
    'Conflict',
    `the broker ${config.broker} does not show a certificate of the next authority yet (${fault}): ` +
      `have it use ${dataDir}/broker/server.crt and server.key as they are now, then do this again`,
  );
}
