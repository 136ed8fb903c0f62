/** What people do in between: at the hub and at the devices, drawn by the history's own numbers. */
import { activateNow, hold, release } from '../../agent/site.js';
import { undo as undoAt } from '../../agent/site-undo.js';
import {
  BUNDLES,
  changedFrom,
  contentOf,
  FATES,
  ZONES,
  type Content,
  type Fate,
} from './content.js';
import type { Device } from './device.js';
import { ADMIN } from './hub-life.js';
import { deleteSecret, sealSecret } from './sealing.js';
import { deleteNode, joinAgain, relabel } from './membership.js';
import { rotateKeys } from './rotation.js';
import { ROOT_CHANGES } from './roots.js';
import type { SimulatedFleet } from './simulated-fleet.js';

type Act = (fleet: SimulatedFleet) => Promise<void> | void;

const NAMESPACE = 'default';

function drawn<T>(fleet: SimulatedFleet, from: readonly T[]): T {
  return from[Math.floor(fleet.random() * from.length)] as T;
}

/** What it has for certain, whatever is drawn. */
export type Having = Partial<Pick<Content, 'hasSecret' | 'hasLock' | 'nodeSelector'>>;

function newContent(
  fleet: SimulatedFleet,
  { fate, bundle, ...having }: Having & { readonly fate: Fate; readonly bundle: string },
): Content {
  const { random, windowShare } = fleet;
  const nodeSelector = random() < 0.7 ? '' : `zone=${drawn(fleet, ZONES)}`;
  const content = contentOf({ bundle, fate, nodeSelector, windowShare, random });
  const former = [...fleet.revisions.values()].filter(one => one.bundle === bundle).at(-1);
  const isChange = former !== undefined && random() < 0.5;
  return { ...(isChange ? changedFrom(former, content, random) : content), ...having };
}

const apply: Act = async fleet => {
  const fate = fleet.random() < 0.6 ? 'good' : drawn(fleet, FATES);
  const content = newContent(fleet, { fate, bundle: drawn(fleet, BUNDLES) });
  fleet.trace(`apply ${content.bundle} ${[...content.pods.values()].join(' ')}`);
  if (content.hasSecret && fleet.random() < 0.8) await sealFor(fleet, content);
  await fleet.apply(content);
};

/** Before the bundle, as `apply` does it. */
async function sealFor(fleet: SimulatedFleet, { bundle, nodeSelector }: Content): Promise<void> {
  fleet.trace(`seal ${bundle}`);
  await sealSecret(fleet, { bundle, nodeSelector, missing: false });
}

const seal: Act = async fleet => {
  const bundle = drawn(fleet, BUNDLES);
  const missing = fleet.random() < 0.3;
  fleet.trace(`seal ${bundle}${missing ? ' where it is missing' : ''}`);
  await sealSecret(fleet, { bundle, nodeSelector: null, missing });
};

const unseal: Act = async fleet => {
  const bundle = drawn(fleet, BUNDLES);
  fleet.trace(`delete the Secret of ${bundle}`);
  await deleteSecret(fleet, bundle);
};

/** `rollout undo`: what was there at some time is applied again. */
const undo: Act = async fleet => {
  const former = [...fleet.revisions.values()];
  if (former.length === 0) return;
  const content = drawn(fleet, former);
  fleet.trace(`undo ${content.bundle} ${[...content.pods.values()].join(' ')}`);
  await fleet.apply(content);
};

const remove: Act = async fleet => {
  const name = drawn(fleet, BUNDLES);
  fleet.trace(`delete ${name}`);
  await fleet.byHub(({ bundles }) =>
    bundles.remove(ADMIN, { namespace: NAMESPACE, name, dryRun: false }),
  );
};

/** A revision that is good may have been given up where the engine failed all through its trial: it is tried again there, as a person would. */
export async function retryUnlucky(fleet: SimulatedFleet): Promise<void> {
  const unlucky = fleet.devices.flatMap(device =>
    device.hadEngineTrouble ? device.statuses().filter(({ failed }) => failed !== null) : [],
  );
  const good = unlucky.filter(({ digest }) => fleet.revisions.get(digest)?.fate === 'good');
  for (const name of new Set(good.map(one => one.name)))
    await fleet.byHub(hub => hub.retry({ namespace: NAMESPACE, name }));
}

const retry: Act = async fleet => {
  const name = drawn(fleet, BUNDLES);
  fleet.trace(`retry ${name}`);
  await fleet.byHub(hub => hub.retry({ namespace: NAMESPACE, name }));
};

const relabelOne: Act = async fleet => {
  const { name } = drawn(fleet, fleet.devices);
  fleet.trace(`label ${name}`);
  await relabel(fleet, name);
};

const holdHere: Act = fleet => {
  const bundle = fleet.random() < 0.5 ? null : drawn(fleet, BUNDLES);
  holdAt(fleet, drawn(fleet, fleet.devices), bundle);
};

/** Null: all. */
export function holdAt(fleet: SimulatedFleet, device: Device, bundle: string | null): void {
  atDevice(fleet, device, `hold ${bundle ?? 'all'}`, ({ journal }) => {
    hold(journal, { node: device.name, bundle, by: 'somebody', reason: 'stocktaking' });
    if (!device.isDiskFull) device.holds.add(bundle);
  });
}

/** `activate --now`, and what is the newest then. */
const hasten: Act = async fleet => {
  const name = drawn(fleet, BUNDLES);
  fleet.trace(`activate ${name} now`);
  const bundle = (await fleet.bundles()).find(({ metadata }) => metadata.name === name);
  if (bundle) fleet.switches.hasten(bundle.status.digest);
  await fleet.byHub(hub => hub.activate({ namespace: NAMESPACE, name }));
};

const hastenHere: Act = fleet => {
  const device = drawn(fleet, fleet.devices);
  const bundle = fleet.random() < 0.5 ? null : drawn(fleet, BUNDLES);
  const wish = { bundle, by: 'somebody', reason: '' };
  atDevice(fleet, device, `activate ${bundle ?? 'all'} now`, ({ journal, session }) => {
    const isMeant = ({ name }: { name: string }) => bundle === null || name === bundle;
    for (const one of journal.bundles()) if (isMeant(one)) device.hastened.add(one.digest);
    activateNow(journal, wish, { isLocked: one => session.isLocked(one) });
  });
};

const undoHere: Act = fleet => {
  const device = drawn(fleet, fleet.devices);
  const bundle = drawn(fleet, BUNDLES);
  const wish = { bundle, by: 'somebody', reason: '', isTrial: false, from: null };
  atDevice(fleet, device, `undo ${bundle}`, ({ journal, session }) => {
    const record = journal.bundles().find(({ name }) => name === bundle);
    if (record?.active) device.undone.add(record.active);
    undoAt(journal, wish, { wayBack: one => session.intake.wayBack(one) });
  });
};

/** For some minutes. */
const askForTime: Act = fleet => {
  const device = drawn(fleet, fleet.devices);
  fleet.trace(`pods of ${device.name} ask for time`);
  device.locks.touch();
  const untilMs = Math.floor(fleet.random() * 300_000);
  fleet.scheduler.after(untilMs, device.machine, () => device.locks.clear());
};

const releaseHere: Act = fleet => releaseAll(fleet, drawn(fleet, fleet.devices));

const ACTS: readonly Act[] = [apply, apply, apply, apply, undo, undo, remove, retry, relabelOne];
const rotate: Act = async fleet => {
  const change = drawn(fleet, ROOT_CHANGES);
  fleet.trace(`root with another ${change}`);
  await fleet.rotate(change);
  // What the former release key signed may be begun nowhere any more.
  if (change === 'release' && fleet.random() < 0.7) await signAnew(fleet);
};

/** Each bundle's newest content, by the keys in force. */
async function signAnew(fleet: SimulatedFleet): Promise<void> {
  for (const { status } of await fleet.bundles()) {
    const content = fleet.revisions.get(status.digest);
    if (content) await fleet.apply(content);
  }
}

/** The newest root is in force, and what it says of keys is done. */
export async function signAll(fleet: SimulatedFleet): Promise<void> {
  await fleet.publishRoot();
  if (fleet.ring.newest().document.version > 1) await signAnew(fleet);
}

const carryOut: Act = async fleet => {
  const nodes = fleet.random() < 0.5 ? null : [drawn(fleet, fleet.devices).name];
  fleet.trace(`export ${nodes?.join() ?? 'all'}`);
  await fleet.sticks.export(nodes);
};

/** To a node that has no line, most of the time. */
const carryIn: Act = async fleet => {
  const device = drawn(fleet, fleet.devices);
  if (fleet.random() < 0.7) {
    fleet.trace(`${device.name} has no line`);
    fleet.broker.cut(device.name, false);
    const backMs = Math.floor(fleet.random() * 300_000);
    fleet.scheduler.after(backMs, fleet.person, () => fleet.broker.mend(device.name));
  }
  const isNewest = fleet.random() < 0.7;
  if (isNewest) await carryOut(fleet);
  fleet.sticks.import(device, { isNewest, isTorn: fleet.random() < 0.2 });
};

const otherKeysOfOne: Act = fleet => otherKeys(fleet, drawn(fleet, fleet.devices));

export function otherKeys(fleet: SimulatedFleet, device: Device): void {
  const identity = fleet.random() < 0.5;
  fleet.trace(`${device.name} rotates ${identity ? 'identity' : 'sealing key'}`);
  rotateKeys(fleet, device, { identity });
}

/** And joins again: soon, or when somebody has the time. */
const deleteMemberOrSo: Act = async fleet => {
  await deleteMember(fleet);
  if (fleet.random() < 0.5) await joinAll(fleet);
};

export async function deleteMember(fleet: SimulatedFleet): Promise<void> {
  const device = drawn(fleet, fleet.devices);
  fleet.trace(`delete node ${device.name}`);
  await deleteNode(fleet, device);
}

/** Who is no member. */
export async function joinAll(fleet: SimulatedFleet): Promise<void> {
  for (const device of fleet.devices.filter(({ isMember }) => !isMember)) {
    const isOther = fleet.random() < 0.5;
    fleet.trace(`${isOther ? 'another' : 'the same'} ${device.name} joins`);
    await joinAgain(fleet, device, { isOther });
  }
}

const MEMBER_ACTS: readonly Act[] = [otherKeysOfOne, otherKeysOfOne, deleteMemberOrSo];
const STICK_ACTS: readonly Act[] = [carryOut, carryIn, carryIn];
const SECRET_ACTS: readonly Act[] = [seal, seal, unseal];
const WINDOW_ACTS: readonly Act[] = [hasten, hastenHere];
const SITE_ACTS: readonly Act[] = [holdHere, releaseHere, undoHere, askForTime, askForTime];

export async function act(fleet: SimulatedFleet): Promise<void> {
  await drawn(fleet, [
    ...ACTS,
    rotate,
    ...SECRET_ACTS,
    ...STICK_ACTS,
    ...MEMBER_ACTS,
    ...WINDOW_ACTS,
    ...SITE_ACTS,
  ])(fleet);
}

/** Something good to begin with, or of this fate; again: what takes its place. */
export async function first(
  fleet: SimulatedFleet,
  fate: Fate = 'good',
  having: Having = {},
): Promise<void> {
  const content = newContent(fleet, { ...having, fate, bundle: BUNDLES[0] });
  fleet.trace(`apply ${content.bundle} ${[...content.pods.values()].join(' ')}`);
  if (content.hasSecret) await sealFor(fleet, content);
  await fleet.apply(content);
}

export function releaseAll(fleet: SimulatedFleet, device: Device): void {
  atDevice(fleet, device, 'release', ({ journal }) => {
    device.holds.clear();
    release(journal, { node: device.name, bundle: null, by: 'somebody', reason: '' });
  });
}

function atDevice(
  fleet: SimulatedFleet,
  device: Device,
  what: string,
  say: (life: NonNullable<Device['life']>) => unknown,
): void {
  const { actor, life } = device;
  if (!actor || !life || !device.isUp()) return;
  fleet.scheduler.after(0, actor, () => {
    if (life.isPaused()) return;
    fleet.trace(`${device.name} ${what}`);
    try {
      say(life);
    } catch (error) {
      // Refused: there is no such bundle, or the disk is full.
      fleet.trace(`refused: ${String(error)}`);
    }
    life.session.intake.look();
    life.session.changed();
  });
}
